/* Rounds: primes below 500000, bytes. */
#include "kernel.h"
enum { N = 500000 };
static uint8_t composite[N];
static double work(int rounds) {
  double sum = 0;
  for (int r = 0; r < rounds; ++r) {
    memset(composite, 0, sizeof composite);
    for (int i = 2; i * i < N; ++i)
      if (!composite[i])
        for (int j = i * i; j < N; j += i) composite[j] = 1;
    int count = 0;
    for (int i = 2; i < N; ++i) count += !composite[i];
    sum += count;
  }
  return sum;
}
