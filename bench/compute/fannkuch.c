/* Rounds: one run over the permutations of 9. Small integer arrays, reversals. */
#include "kernel.h"
static int fannkuch(int n) {
  int perm[16], perm1[16], count[16], most = 0, checksum = 0, r = n, turns = 0;
  for (int i = 0; i < n; ++i) perm1[i] = i;
  for (;;) {
    for (; r != 1; --r) count[r - 1] = r;
    for (int i = 0; i < n; ++i) perm[i] = perm1[i];
    int flips = 0;
    for (int k = perm[0]; k != 0; k = perm[0]) {
      for (int i = 0, j = k; i < j; ++i, --j) {
        int t = perm[i];
        perm[i] = perm[j];
        perm[j] = t;
      }
      ++flips;
    }
    if (flips > most) most = flips;
    checksum += turns++ % 2 ? -flips : flips;
    for (;; ++r) {
      if (r == n) return checksum * 100 + most;
      int first = perm1[0];
      for (int i = 0; i < r; ++i) perm1[i] = perm1[i + 1];
      perm1[r] = first;
      if (--count[r] > 0) break;
    }
  }
}
static double work(int rounds) {
  double sum = 0;
  for (int i = 0; i < rounds; ++i) sum += fannkuch(9);
  return sum;
}
