/* Rounds: C = beta C + alpha A B of 200 x 220 x 240. A row at a time: vectorises. */
#include "kernel.h"
enum { NI = 200, NJ = 220, NK = 240 };
static __attribute__((noinline)) void gemm(int ni, int nj, int nk, double alpha, double beta, double c[NI][NJ], double a[NI][NK], double b[NK][NJ]) {
  for (int i = 0; i < ni; ++i) {
    for (int j = 0; j < nj; ++j) c[i][j] *= beta;
    for (int k = 0; k < nk; ++k)
      for (int j = 0; j < nj; ++j) c[i][j] += alpha * a[i][k] * b[k][j];
  }
}
static double work(int rounds) {
  double *a = random_doubles(NI * NK), *b = random_doubles(NK * NJ), *c = random_doubles(NI * NJ), sum = 0;
  for (int r = 0; r < rounds; ++r) gemm(NI, NJ, NK, 0.01, 0.9, (double(*)[NJ])c, (double(*)[NK])a, (double(*)[NJ])b);
  for (int i = 0; i < NI * NJ; ++i) sum += c[i];
  return sum;
}
