/* Rounds: 100000 integers by quicksort and 50000 by the library's qsort (through a function pointer) into a heap order. */
#include "kernel.h"
enum { N = 100000 };
static int values[N];
static __attribute__((noinline)) void quicksort(int* v, int low, int high) {
  while (low < high) {
    int pivot = v[(low + high) / 2], i = low, j = high;
    while (i <= j) {
      while (v[i] < pivot) ++i;
      while (v[j] > pivot) --j;
      if (i <= j) {
        int t = v[i];
        v[i++] = v[j], v[j--] = t;
      }
    }
    if (j - low < high - i) {
      quicksort(v, low, j);
      low = i;
    } else {
      quicksort(v, i, high);
      high = j;
    }
  }
}
typedef int (*comparison)(int, int);
static int ascending(int a, int b) { return a < b; }
static int descending(int a, int b) { return a > b; }
static __attribute__((noinline)) void heap_sort(int* v, int n, comparison before) {
  for (int start = n / 2 - 1, end = n; end > 1;) {
    if (start >= 0) {
      --start;
    } else {
      int t = v[--end];
      v[end] = v[0], v[0] = t;
    }
    int root = start >= 0 ? start : 0;
    for (int child; (child = 2 * root + 1) < end; root = child) {
      if (child + 1 < end && before(v[child], v[child + 1])) ++child;
      if (!before(v[root], v[child])) break;
      int t = v[root];
      v[root] = v[child], v[child] = t;
    }
  }
}
static double work(int rounds) {
  double sum = 0;
  for (int r = 0; r < rounds; ++r) {
    for (int i = 0; i < N; ++i) values[i] = (int)(next_random() >> 4);
    heap_sort(values, N / 2, r % 2 ? ascending : descending);
    quicksort(values, 0, N - 1);
    sum += values[N / 3] + values[r % N];
  }
  return sum;
}
