/* Rounds: a transform of 16384 complex numbers and its inverse. */
#include "kernel.h"
enum { N = 16384 };
static double re[N], im[N], cosine[N / 2], sine[N / 2];
static __attribute__((noinline)) void fft(double* x, double* y, int n, double direction) {
  for (int i = 1, j = 0; i < n; ++i) {
    int bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      double t = x[i];
      x[i] = x[j], x[j] = t;
      t = y[i];
      y[i] = y[j], y[j] = t;
    }
  }
  for (int length = 2; length <= n; length <<= 1)
    for (int i = 0; i < n; i += length)
      for (int k = 0; k < length / 2; ++k) {
        double c = cosine[k * (N / length)], s = direction * sine[k * (N / length)];
        int p = i + k, q = p + length / 2;
        double tr = x[q] * c - y[q] * s, ti = x[q] * s + y[q] * c;
        x[q] = x[p] - tr, y[q] = y[p] - ti;
        x[p] += tr, y[p] += ti;
      }
}
static double work(int rounds) {
  for (int i = 0; i < N; ++i) re[i] = next_unit();
  for (int i = 0; i < N / 2; ++i) cosine[i] = cos(6.283185307179586 * i / N), sine[i] = sin(6.283185307179586 * i / N);
  for (int r = 0; r < rounds; ++r) {
    fft(re, im, N, 1);
    fft(re, im, N, -1);
    for (int i = 0; i < N; ++i) re[i] /= N, im[i] /= N;
  }
  double sum = 0;
  for (int i = 0; i < N; ++i) sum += re[i];
  return (float)sum;
}
