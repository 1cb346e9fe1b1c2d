/* Rounds: RNA folding of 180 bases: dynamic programming with maxima. */
#include "kernel.h"
enum { N = 180 };
static __attribute__((noinline)) void fold(int n, const char* bases, int table[N][N]) {
  for (int i = n - 1; i >= 0; --i)
    for (int j = i + 1; j < n; ++j) {
      int best = table[i][j];
      if (j - 1 >= 0 && table[i][j - 1] > best) best = table[i][j - 1];
      if (i + 1 < n && table[i + 1][j] > best) best = table[i + 1][j];
      if (j - 1 >= 0 && i + 1 < n) {
        int pair = table[i + 1][j - 1] + (i < j - 1 && bases[i] + bases[j] == 3);
        if (pair > best) best = pair;
      }
      for (int k = i + 1; k < j; ++k) {
        int both = table[i][k] + table[k + 1][j];
        if (both > best) best = both;
      }
      table[i][j] = best;
    }
}
static double work(int rounds) {
  char* bases = allocate(N);
  int(*table)[N] = allocate(sizeof(int) * N * N);
  double sum = 0;
  for (int r = 0; r < rounds; ++r) {
    for (int i = 0; i < N; ++i) bases[i] = (char)(next_random() % 4);
    memset(table, 0, sizeof(int) * N * N);
    fold(N, bases, table);
    sum += table[0][N - 1];
  }
  return sum;
}
