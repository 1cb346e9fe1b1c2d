/* Rounds: triangular matrix product of 160 x 200. */
#include "kernel.h"
enum { M = 160, N = 200 };
static __attribute__((noinline)) void trmm(int m, int n, double alpha, double a[M][M], double b[M][N]) {
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      for (int k = i + 1; k < m; ++k) b[i][j] += a[k][i] * b[k][j];
      b[i][j] = alpha * b[i][j];
    }
}
static double work(int rounds) {
  double *a = random_doubles(M * M), *b = random_doubles(M * N), sum = 0;
  for (int r = 0; r < rounds; ++r) trmm(M, N, 0.01, (double(*)[M])a, (double(*)[N])b);
  for (int i = 0; i < M * N; ++i) sum += b[i];
  return sum;
}
