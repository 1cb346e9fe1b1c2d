/* Rounds: LU decomposition of 160 x 160. Dot products down a column. */
#include "kernel.h"
enum { N = 160 };
static __attribute__((noinline)) void lu(int n, double a[N][N]) {
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < i; ++j) {
      for (int k = 0; k < j; ++k) a[i][j] -= a[i][k] * a[k][j];
      a[i][j] /= a[j][j];
    }
    for (int j = i; j < n; ++j)
      for (int k = 0; k < i; ++k) a[i][j] -= a[i][k] * a[k][j];
  }
}
static double work(int rounds) {
  double *base = random_doubles(N * N), *a = allocate(sizeof(double) * N * N), sum = 0;
  for (int i = 0; i < N; ++i) base[i * N + i] += N;
  for (int r = 0; r < rounds; ++r) {
    memcpy(a, base, sizeof(double) * N * N);
    lu(N, (double(*)[N])a);
    sum += a[(r % N) * N + N - 1];
  }
  return sum;
}
