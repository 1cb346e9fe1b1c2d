/* Rounds: the distance of two strings of 1000 bytes. */
#include "kernel.h"
enum { N = 1000 };
static __attribute__((noinline)) int distance(const char* a, int n, const char* b, int m, int* row) {
  for (int j = 0; j <= m; ++j) row[j] = j;
  for (int i = 1; i <= n; ++i) {
    int diagonal = row[0];
    row[0] = i;
    for (int j = 1; j <= m; ++j) {
      int cost = diagonal + (a[i - 1] != b[j - 1]), above = row[j] + 1, left = row[j - 1] + 1;
      diagonal = row[j];
      if (above < cost) cost = above;
      row[j] = left < cost ? left : cost;
    }
  }
  return row[m];
}
static double work(int rounds) {
  char *a = allocate(N), *b = allocate(N);
  int* row = allocate(sizeof(int) * (N + 1));
  double sum = 0;
  for (int r = 0; r < rounds; ++r) {
    for (int i = 0; i < N; ++i) a[i] = (char)('a' + next_random() % 4), b[i] = (char)('a' + next_random() % 4);
    sum += distance(a, N, b, N, row);
  }
  return sum;
}
