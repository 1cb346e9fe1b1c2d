/* Rounds: covariance of 160 variables over 180 points. Sums along columns. */
#include "kernel.h"
enum { M = 160, N = 180 };
static __attribute__((noinline)) void covariance(int m, int n, double data[N][M], double cov[M][M], double mean[M]) {
  for (int j = 0; j < m; ++j) {
    mean[j] = 0;
    for (int i = 0; i < n; ++i) mean[j] += data[i][j];
    mean[j] /= n;
  }
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < m; ++j) data[i][j] -= mean[j];
  for (int i = 0; i < m; ++i)
    for (int j = i; j < m; ++j) {
      cov[i][j] = 0;
      for (int k = 0; k < n; ++k) cov[i][j] += data[k][i] * data[k][j];
      cov[i][j] /= n - 1.0;
      cov[j][i] = cov[i][j];
    }
}
static double work(int rounds) {
  double *data = random_doubles(N * M), *cov = random_doubles(M * M), *mean = random_doubles(M), sum = 0;
  for (int r = 0; r < rounds; ++r) {
    covariance(M, N, (double(*)[M])data, (double(*)[M])cov, mean);
    data[r % (N * M)] += 0.5;
  }
  for (int i = 0; i < M * M; ++i) sum += cov[i];
  return sum;
}
