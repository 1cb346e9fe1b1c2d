// wit/world.wit for plug-ins in C++, over the guest kit: a plug-in defines describe() and apply().
#pragma once

#include "cusp/guest/abi.hpp"

using cusp::guest::Text;
using cusp::guest::View;

View describe();
// The filtered text, or, when it returns false, why there is none.
bool apply(View text, Text& out);

CUSP_IMPORT("acme:text/host@1.0.0", "log") void host_log(const char* message, size_t length);
CUSP_IMPORT("acme:text/host@1.0.0", "setting") void host_setting(const char* name, size_t length, void* result);

inline void log(View message) { host_log(message.data, message.size); }
inline bool setting(View name, View& value) {
  cusp::guest::Returned<12> returned;
  host_setting(name.data, name.size, &returned);
  if (returned.byte(0) == 0) return false;
  value = returned.view(4);
  return true;
}

struct Answer {
  unsigned failed;
  const char* data;
  size_t size;
};

extern "C" CUSP_EXPORT("acme:text/filter@1.0.0#describe") const View* exported_describe() {
  static View text;
  text = describe();
  return &text;
}

// What it returns lives until the next call: the host has copied it by then.
extern "C" CUSP_EXPORT("acme:text/filter@1.0.0#apply") const Answer* exported_apply(char* text, size_t size) {
  static Answer answer;
  static char* last;
  Text out;
  bool good = apply(View(text, size), out);
  free(text);
  free(last);
  View result = out.view();
  last = static_cast<char*>(malloc(result.size + 1));
  memcpy(last, result.data, result.size);
  answer = {good ? 0u : 1u, last, result.size};
  return &answer;
}

CUSP_GUEST_RUNTIME
