/* Rounds: a 3 x 3 blur of an image of 512 x 512 bytes. Narrow integers: vectorises. */
#include "kernel.h"
enum { W = 512, H = 512 };
static __attribute__((noinline)) void blur(const uint8_t* in, uint8_t* out, int width, int height) {
  for (int y = 1; y < height - 1; ++y)
    for (int x = 1; x < width - 1; ++x) {
      const uint8_t* p = in + y * width + x;
      int sum = p[-width - 1] + 2 * p[-width] + p[-width + 1] + 2 * p[-1] + 4 * p[0] + 2 * p[1] + p[width - 1] + 2 * p[width] + p[width + 1];
      out[y * width + x] = (uint8_t)(sum >> 4);
    }
}
static double work(int rounds) {
  uint8_t *a = allocate(W * H), *b = allocate(W * H);
  double sum = 0;
  for (int i = 0; i < W * H; ++i) a[i] = (uint8_t)next_random();
  for (int r = 0; r < rounds; ++r) {
    blur(a, b, W, H);
    blur(b, a, W, H);
    a[r % (W * H)] ^= 255;
  }
  for (int i = 0; i < W * H; ++i) sum += a[i];
  return sum;
}
