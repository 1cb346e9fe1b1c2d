/* Rounds: 150 x 150 product of 16-bit integers into 32 bits. */
#include "kernel.h"
enum { N = 150 };
static __attribute__((noinline)) void product(int n, const int16_t* a, const int16_t* b, int32_t* c) {
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      int32_t sum = 0;
      for (int k = 0; k < n; ++k) sum += a[i * n + k] * b[j * n + k];
      c[i * n + j] = sum;
    }
}
static double work(int rounds) {
  int16_t *a = allocate(N * N * 2), *b = allocate(N * N * 2);
  int32_t* c = allocate(N * N * 4);
  double sum = 0;
  for (int i = 0; i < N * N; ++i) a[i] = (int16_t)(next_random() % 1000), b[i] = (int16_t)(next_random() % 1000);
  for (int r = 0; r < rounds; ++r) {
    product(N, a, b, c);
    a[r % (N * N)] ^= 1;
    sum += c[(r * 37) % (N * N)];
  }
  return sum;
}
