/* Rounds: two multiplications by A and its transpose, of 400. Divisions. */
#include "kernel.h"
enum { N = 400 };
static double a(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }
static __attribute__((noinline)) void times(const double* v, double* out, int n) {
  for (int i = 0; i < n; ++i) {
    double sum = 0;
    for (int j = 0; j < n; ++j) sum += a(i, j) * v[j];
    out[i] = sum;
  }
}
static __attribute__((noinline)) void times_transposed(const double* v, double* out, int n) {
  for (int i = 0; i < n; ++i) {
    double sum = 0;
    for (int j = 0; j < n; ++j) sum += a(j, i) * v[j];
    out[i] = sum;
  }
}
static double u[N], v[N], t[N];
static double work(int rounds) {
  for (int i = 0; i < N; ++i) u[i] = 1;
  for (int i = 0; i < rounds; ++i) {
    times(u, t, N);
    times_transposed(t, v, N);
    times(v, t, N);
    times_transposed(t, u, N);
  }
  double uv = 0, vv = 0;
  for (int i = 0; i < N; ++i) uv += u[i] * v[i], vv += v[i] * v[i];
  return uv / vv;
}
