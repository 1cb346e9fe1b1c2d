/* Rounds: 10 steps of a five-point stencil on 300 x 300. */
#include "kernel.h"
enum { N = 300 };
static __attribute__((noinline)) void step(int n, const double* from, double* to) {
  for (int i = 1; i < n - 1; ++i)
    for (int j = 1; j < n - 1; ++j)
      to[i * n + j] = 0.2 * (from[i * n + j] + from[i * n + j - 1] + from[i * n + j + 1] + from[(i + 1) * n + j] + from[(i - 1) * n + j]);
}
static double work(int rounds) {
  double *a = random_doubles(N * N), *b = random_doubles(N * N), sum = 0;
  for (int r = 0; r < rounds * 5; ++r) {
    step(N, a, b);
    step(N, b, a);
  }
  for (int i = 0; i < N * N; ++i) sum += a[i];
  return sum;
}
