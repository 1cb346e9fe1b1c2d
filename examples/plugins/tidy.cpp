// A plug-in: one space between words, none around them. Refuses what has no words.
#include "plugin.hpp"

View describe() { return "tidies spaces"; }

bool apply(View text, Text& out) {
  bool pending = false, begun = false;
  for (size_t i = 0; i < text.size; ++i) {
    if (text.data[i] == ' ') {
      pending = begun;
      continue;
    }
    if (pending) out.add(" ");
    out.add(View(&text.data[i], 1));
    pending = false, begun = true;
  }
  if (!begun) out.add("there are no words");
  else log("tidied");
  return begun;
}
