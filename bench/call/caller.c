// The component that calls and takes the time: the best of five rounds of each case.
#include "guest.h"

#include <string.h>

#define CALLEE(name) IMPORT("cusp:bench/callee", name)
CALLEE("add") uint32_t add(uint32_t a, uint32_t b);
CALLEE("length") uint32_t length(const char* text, size_t size);
CALLEE("echo") void echo(const char* text, size_t size, struct string* result);
CALLEE("sum") double sum(const struct point* points, size_t count);
CALLEE("[constructor]counter") int32_t counter(uint32_t start);
CALLEE("[method]counter.bump") uint32_t bump(int32_t self, uint32_t by);
CALLEE("[resource-drop]counter") void drop_counter(int32_t self);
IMPORT("wasi:clocks/monotonic-clock@0.2.0", "now") uint64_t now(void);

static double results[10];
static size_t rows;
static volatile uint32_t sink;

#define ROW(calls, body)                                                                                               \
  do {                                                                                                                 \
    double best = 1e30;                                                                                                \
    for (int round = 0; round < 5; round++) {                                                                          \
      uint64_t begin = now();                                                                                          \
      for (uint32_t i = 0; i < (calls); i++) {                                                                         \
        body;                                                                                                          \
      }                                                                                                                \
      double each = (double)(now() - begin) / (calls);                                                                 \
      if (each < best) best = each;                                                                                    \
    }                                                                                                                  \
    results[rows++] = best;                                                                                            \
  } while (0)

static void strings(const char* text, size_t size, uint32_t calls) {
  ROW(calls, sink += length(text, size));
  ROW(calls, struct string copy; echo(text, size, &copy); sink += copy.size; free(copy.text));
}

struct list {
  double* values;
  size_t count;
};

EXPORT("run") struct list* run(void) {
  static char text[1 << 20];
  static struct point points[1000];
  static struct list list = {results, 10};
  rows = 0;
  uint32_t accumulator = 1;
  ROW(2000000, accumulator = add(accumulator, i));
  sink = accumulator;
  memset(text, 'x', sizeof text);
  strings(text, 16, 500000);
  strings(text, 1024, 300000);
  strings(text, sizeof text, 500);
  for (uint32_t i = 0; i < 1000; i++) points[i] = (struct point){i, 1, 2};
  double total = 0;
  ROW(20000, total += sum(points, 1000));
  sink = (uint32_t)total;
  int32_t kept = counter(5);
  ROW(1000000, sink = bump(kept, 1));
  ROW(300000, drop_counter(counter(i)));
  drop_counter(kept);
  return &list;
}
