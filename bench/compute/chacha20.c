/* Rounds: 1 MB of the stream cipher. */
#include "kernel.h"
static inline uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }
#define QUARTER(a, b, c, d)                                                                                            \
  a += b, d = rotate(d ^ a, 16), c += d, b = rotate(b ^ c, 12), a += b, d = rotate(d ^ a, 8), c += d, b = rotate(b ^ c, 7)
static __attribute__((noinline)) void block(const uint32_t in[16], uint32_t out[16]) {
  uint32_t x[16];
  for (int i = 0; i < 16; ++i) x[i] = in[i];
  for (int i = 0; i < 10; ++i) {
    QUARTER(x[0], x[4], x[8], x[12]);
    QUARTER(x[1], x[5], x[9], x[13]);
    QUARTER(x[2], x[6], x[10], x[14]);
    QUARTER(x[3], x[7], x[11], x[15]);
    QUARTER(x[0], x[5], x[10], x[15]);
    QUARTER(x[1], x[6], x[11], x[12]);
    QUARTER(x[2], x[7], x[8], x[13]);
    QUARTER(x[3], x[4], x[9], x[14]);
  }
  for (int i = 0; i < 16; ++i) out[i] = x[i] + in[i];
}
static double work(int rounds) {
  uint32_t state[16], out[16], sum = 0;
  for (int i = 0; i < 16; ++i) state[i] = next_random();
  for (int r = 0; r < rounds * (1 << 14); ++r) {
    ++state[12];
    block(state, out);
    sum ^= out[r & 15];
  }
  return sum;
}
