/* What every kernel shares. A kernel is one C file that defines `work`: `rounds` times the same calculation, folded into a number that is printed,
   so that builds can be compared and nothing is optimised away. Without an argument the program does nothing: what it costs then is its start. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double work(int rounds);

/* Hides where a value comes from, as a separate translation unit would. */
#define opaque(pointer) __asm__ volatile("" : "+r"(pointer))

static uint32_t random_state = 12345;
static inline uint32_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state;
}
static inline double next_unit(void) { return (next_random() >> 8) * (1.0 / 16777216.0); }

static inline void* allocate(size_t bytes) {
  void* memory = calloc(1, bytes);
  if (!memory) exit(1);
  return memory;
}
static inline double* random_doubles(int count) {
  double* values = allocate(sizeof(double) * (size_t)count);
  for (int i = 0; i < count; ++i) values[i] = next_unit();
  return values;
}

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : 0;
  if (rounds > 0) printf("%.9g\n", work(rounds));
  return 0;
}
