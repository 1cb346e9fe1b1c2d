/* Rounds: 128 x 128 points, 200 iterations. Registers only. */
#include "kernel.h"
static double work(int rounds) {
  double inside = 0;
  for (int r = 0; r < rounds; ++r)
    for (int y = 0; y < 128; ++y)
      for (int x = 0; x < 128; ++x) {
        double cr = x / 64.0 - 1.5, ci = y / 64.0 - 1.0, zr = 0, zi = 0;
        int i = 0;
        for (; i < 200 && zr * zr + zi * zi < 4; ++i) {
          double t = zr * zr - zi * zi + cr;
          zi = 2 * zr * zi + ci;
          zr = t;
        }
        inside += i;
      }
  return inside;
}
