/* Rounds: all shortest paths among 200 nodes. */
#include "kernel.h"
enum { N = 200 };
static __attribute__((noinline)) void paths(int n, int path[N][N]) {
  for (int k = 0; k < n; ++k)
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j)
        path[i][j] = path[i][j] < path[i][k] + path[k][j] ? path[i][j] : path[i][k] + path[k][j];
}
static double work(int rounds) {
  int(*path)[N] = allocate(sizeof(int) * N * N);
  double sum = 0;
  for (int r = 0; r < rounds; ++r) {
    for (int i = 0; i < N; ++i)
      for (int j = 0; j < N; ++j) path[i][j] = (i * j + r) % 7 + ((i + j) % 13 == 0 || (i + j) % 7 == 0 || (i + j) % 11 == 0 ? 999 : 1);
    paths(N, path);
    for (int i = 0; i < N; ++i) sum += path[i][(i * 7) % N];
  }
  return sum;
}
