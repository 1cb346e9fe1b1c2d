// The component that is called: does as little as it can, and frees what it was given.
#include "guest.h"

struct counter {
  uint32_t value;
};

IMPORT("[export]cusp:bench/callee", "[resource-new]counter") int32_t counter_new(struct counter* rep);

static void release(void* memory, size_t size) {
  if (size) free(memory);
}

EXPORT("cusp:bench/callee#add") uint32_t add(uint32_t a, uint32_t b) { return a + b; }

EXPORT("cusp:bench/callee#length") uint32_t length(char* text, size_t size) {
  release(text, size);
  return size;
}

EXPORT("cusp:bench/callee#echo") struct string* echo(char* text, size_t size) {
  static struct string result;
  result = (struct string){text, size};
  return &result;
}
EXPORT("cabi_post_cusp:bench/callee#echo") void after_echo(struct string* result) {
  release(result->text, result->size);
}

EXPORT("cusp:bench/callee#sum") double sum(struct point* points, size_t count) {
  double total = 0;
  for (size_t i = 0; i < count; i++) total += points[i].x + points[i].y + points[i].tag;
  release(points, count);
  return total;
}

EXPORT("cusp:bench/callee#[constructor]counter") int32_t make(uint32_t start) {
  struct counter* counter = malloc(sizeof *counter);
  counter->value = start;
  return counter_new(counter);
}
EXPORT("cusp:bench/callee#[method]counter.bump") uint32_t bump(struct counter* self, uint32_t by) {
  return self->value += by;
}
EXPORT("cusp:bench/callee#[dtor]counter") void destroy(struct counter* counter) { free(counter); }
