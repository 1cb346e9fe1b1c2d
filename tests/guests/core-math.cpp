// A core module without imports, for `cusp run --invoke` and the benchmarks.
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

extern "C" {
EXPORT("add") int32_t add(int32_t a, int32_t b) { return a + b; }
EXPORT("fib") int64_t fib(int32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
EXPORT("divide") int32_t divide(int32_t a, int32_t b) { return a / b; }
EXPORT("half") double half(double x) { return x / 2; }
EXPORT("spin") void spin() {
  for (volatile int i = 0;; i = i + 1) {
  }
}
}
