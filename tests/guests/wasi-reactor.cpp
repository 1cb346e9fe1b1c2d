// A WASI 0.1 reactor: `_initialize` runs its constructors before anything else is called.
#include <stdio.h>
#include <stdlib.h>

#define EXPORT(name) __attribute__((export_name(name)))

static int made = [] {
  puts("initialized");
  return 42;
}();

extern "C" {
EXPORT("made") int get_made() { return made; }
EXPORT("leave") void leave(int code) { exit(code); }
}
