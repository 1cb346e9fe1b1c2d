/* Rounds: products of numbers of 64 words of 64 bits, schoolbook. Multiplies to 128 bits. */
#include "kernel.h"
enum { N = 64 };
static __attribute__((noinline)) void product(const uint64_t* a, const uint64_t* b, uint64_t* out, int n) {
  memset(out, 0, 16 * (size_t)n);
  for (int i = 0; i < n; ++i) {
    uint64_t carry = 0;
    for (int j = 0; j < n; ++j) {
      unsigned __int128 t = (unsigned __int128)a[i] * b[j] + out[i + j] + carry;
      out[i + j] = (uint64_t)t;
      carry = (uint64_t)(t >> 64);
    }
    out[i + n] = carry;
  }
}
static double work(int rounds) {
  uint64_t a[N], b[N], out[2 * N], sum = 0;
  for (int i = 0; i < N; ++i) a[i] = (uint64_t)next_random() << 32 | next_random(), b[i] = (uint64_t)next_random() << 32 | next_random();
  for (int r = 0; r < rounds * 100; ++r) {
    product(a, b, out, N);
    sum += out[r % (2 * N)];
    a[r % N] ^= out[N];
  }
  return (double)sum;
}
