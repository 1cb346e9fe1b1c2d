/* Rounds: a million operations of a small stack machine: a switch in a loop, and its arithmetic through a table of functions. */
#include "kernel.h"
typedef int32_t (*binary)(int32_t, int32_t);
static int32_t add(int32_t a, int32_t b) { return a + b; }
static int32_t sub(int32_t a, int32_t b) { return a - b; }
static int32_t mul(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
static int32_t xor(int32_t a, int32_t b) { return a ^ b; }
static const binary operations[4] = {add, sub, mul, xor};
enum { PUSH, LOAD, STORE, BINARY, JUMP_IF, DECREMENT, HALT };
static const uint8_t program[] = {LOAD, 1, PUSH, 3, BINARY, 2, LOAD, 0, BINARY, 3, PUSH, 7, BINARY, 0, STORE, 1, LOAD, 1, LOAD, 2, BINARY, 1, STORE, 2,
                                  DECREMENT, 0, LOAD, 0, JUMP_IF, 0, HALT};
static __attribute__((noinline)) int32_t run(const uint8_t* code, int32_t* variables) {
  int32_t stack[16], top = 0;
  for (int pc = 0;;) {
    switch (code[pc++]) {
    case PUSH: stack[top++] = code[pc++]; break;
    case LOAD: stack[top++] = variables[code[pc++]]; break;
    case STORE: variables[code[pc++]] = stack[--top]; break;
    case BINARY:
      --top;
      stack[top - 1] = operations[code[pc++]](stack[top - 1], stack[top]);
      break;
    case JUMP_IF: pc = stack[--top] ? code[pc] : pc + 1; break;
    case DECREMENT: --variables[code[pc++]]; break;
    default: return variables[2];
    }
  }
}
static double work(int rounds) {
  double sum = 0;
  for (int r = 0; r < rounds; ++r) {
    int32_t variables[4] = {66666, r, 1, 0};
    const uint8_t* code = program;
    opaque(code);
    sum += run(code, variables);
  }
  return sum;
}
