// A plug-in: makes text loud. It asks the host how loud.
#include "plugin.hpp"

View describe() { return "shouts"; }

bool apply(View text, Text& out) {
  for (size_t i = 0; i < text.size; ++i) {
    char c = text.data[i];
    char loud = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    out.add(View(&loud, 1));
  }
  View marks;
  out.add(setting("marks", marks) ? marks : View("!"));
  return true;
}
