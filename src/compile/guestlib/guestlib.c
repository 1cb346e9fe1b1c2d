// What LLVM's code generator may call without being asked: block memory operations and, on CPUs without SSE4.1, rounding; and what adapters
// between components call to copy text. Linked into
// every artifact and counted as guest code: it runs on the guest's stack, may fault on the guest's memory, and touches nothing else.
// Compiled freestanding, once for plain x86-64 and once for x86-64-v3 (32-byte vectors). Every function keeps a frame pointer,
// leaves included, so that a backtrace from a fault in here finds the guest function that called.
//
// Short lengths: a few overlapping loads, all before the first store, so that copying needs no direction. Long ones: `rep movsb` and
// `rep stosb`, which modern CPUs run at full width.
#include <stddef.h>
#include <stdint.h>

#include "fma.h"

#if defined(__AVX2__)
typedef uint8_t Wide __attribute__((vector_size(32), aligned(1), may_alias));
#else
typedef uint8_t Wide __attribute__((vector_size(16), aligned(1), may_alias));
#endif
typedef uint8_t V16 __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t U64 __attribute__((aligned(1), may_alias));
typedef uint32_t U32 __attribute__((aligned(1), may_alias));
typedef uint16_t U16 __attribute__((aligned(1), may_alias));

enum { kWide = sizeof(Wide), kRepMovs = 2048 };

static inline void copy_forward(uint8_t* to, const uint8_t* from, size_t n) {
  Wide last = *(const Wide*)(from + n - kWide);
  uint8_t* end = to + n - kWide;
  if (n >= kRepMovs) {
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return;
  }
  while (to + 4 * kWide <= end) {
    Wide a = *(const Wide*)from, b = *(const Wide*)(from + kWide), c = *(const Wide*)(from + 2 * kWide), d = *(const Wide*)(from + 3 * kWide);
    *(Wide*)to = a, *(Wide*)(to + kWide) = b, *(Wide*)(to + 2 * kWide) = c, *(Wide*)(to + 3 * kWide) = d;
    to += 4 * kWide, from += 4 * kWide;
  }
  while (to < end) {
    *(Wide*)to = *(const Wide*)from;
    to += kWide, from += kWide;
  }
  *(Wide*)end = last;
}

// For a destination that overlaps its source from above, or from so little below that `rep movsb` would crawl.
static void copy_backward(uint8_t* to, const uint8_t* from, size_t n) {
  Wide first = *(const Wide*)from;
  while (n > 4 * kWide) {
    n -= 4 * kWide;
    const uint8_t* f = from + n;
    uint8_t* t = to + n;
    Wide a = *(const Wide*)f, b = *(const Wide*)(f + kWide), c = *(const Wide*)(f + 2 * kWide), d = *(const Wide*)(f + 3 * kWide);
    *(Wide*)(t + 3 * kWide) = d, *(Wide*)(t + 2 * kWide) = c, *(Wide*)(t + kWide) = b, *(Wide*)t = a;
  }
  while (n > kWide) {
    n -= kWide;
    *(Wide*)(to + n) = *(const Wide*)(from + n);
  }
  *(Wide*)to = first;
}

static void copy_forward_overlapping(uint8_t* to, const uint8_t* from, size_t n) {
  Wide last = *(const Wide*)(from + n - kWide);
  uint8_t* end = to + n - kWide;
  while (to < end) {
    *(Wide*)to = *(const Wide*)from;
    to += kWide, from += kWide;
  }
  *(Wide*)end = last;
}

void* memmove(void* dest, const void* src, size_t n) {
  uint8_t* to = dest;
  const uint8_t* from = src;
  if (n <= 16) {
    if (n >= 8) {
      uint64_t a = *(const U64*)from, b = *(const U64*)(from + n - 8);
      *(U64*)to = a, *(U64*)(to + n - 8) = b;
    } else if (n >= 4) {
      uint32_t a = *(const U32*)from, b = *(const U32*)(from + n - 4);
      *(U32*)to = a, *(U32*)(to + n - 4) = b;
    } else if (n >= 2) {
      uint16_t a = *(const U16*)from, b = *(const U16*)(from + n - 2);
      *(U16*)to = a, *(U16*)(to + n - 2) = b;
    } else if (n == 1) {
      *to = *from;
    }
    return dest;
  }
  if (n <= 32) {
    V16 a = *(const V16*)from, b = *(const V16*)(from + n - 16);
    *(V16*)to = a, *(V16*)(to + n - 16) = b;
    return dest;
  }
  if (n <= 64) {
    V16 a = *(const V16*)from, b = *(const V16*)(from + 16), c = *(const V16*)(from + n - 32), d = *(const V16*)(from + n - 16);
    *(V16*)to = a, *(V16*)(to + 16) = b, *(V16*)(to + n - 32) = c, *(V16*)(to + n - 16) = d;
    return dest;
  }
  size_t above = (size_t)(to - from), below = (size_t)(from - to);
  if (above >= n && below >= n) copy_forward(to, from, n);
  else if (above < n) copy_backward(to, from, n);
  else copy_forward_overlapping(to, from, n);
  return dest;
}

void* memcpy(void* dest, const void* src, size_t n) { return memmove(dest, src, n); }

#if defined(__AVX2__)
static inline int has_high_bit(Wide v) { return __builtin_ia32_pmovmskb256((char __attribute__((vector_size(32))))v); }
#else
static inline int has_high_bit(Wide v) { return __builtin_ia32_pmovmskb128((char __attribute__((vector_size(16))))v); }
#endif

// Copies while all is ASCII, and says how much that was. The two do not overlap.
size_t cusp_copy_ascii(uint8_t* to, const uint8_t* from, size_t n) {
  const uint64_t high = 0x8080808080808080u;
  size_t at = 0;
  if (n < kWide) {
    if (n >= 16) {
      uint64_t a = *(const U64*)from, b = *(const U64*)(from + 8), c = *(const U64*)(from + n - 16), d = *(const U64*)(from + n - 8);
      if ((a | b | c | d) & high) goto one_by_one;
      *(U64*)to = a, *(U64*)(to + 8) = b, *(U64*)(to + n - 16) = c, *(U64*)(to + n - 8) = d;
      return n;
    }
    if (n >= 8) {
      uint64_t a = *(const U64*)from, b = *(const U64*)(from + n - 8);
      if ((a | b) & high) goto one_by_one;
      *(U64*)to = a, *(U64*)(to + n - 8) = b;
      return n;
    }
    goto one_by_one;
  }
  for (; n - at >= 4 * kWide; at += 4 * kWide) {
    const uint8_t* f = from + at;
    uint8_t* t = to + at;
    Wide a = *(const Wide*)f, b = *(const Wide*)(f + kWide), c = *(const Wide*)(f + 2 * kWide), d = *(const Wide*)(f + 3 * kWide);
    if (has_high_bit(a | b | c | d)) goto one_by_one;
    *(Wide*)t = a, *(Wide*)(t + kWide) = b, *(Wide*)(t + 2 * kWide) = c, *(Wide*)(t + 3 * kWide) = d;
  }
  for (; n - at >= kWide; at += kWide) {
    Wide a = *(const Wide*)(from + at);
    if (has_high_bit(a)) goto one_by_one;
    *(Wide*)(to + at) = a;
  }
  if (at < n) {
    Wide last = *(const Wide*)(from + n - kWide);
    if (has_high_bit(last)) goto one_by_one;
    *(Wide*)(to + n - kWide) = last;
  }
  return n;
one_by_one:
  while (at < n && from[at] < 0x80) to[at] = from[at], at++;
  return at;
}

void* memset(void* dest, int value, size_t n) {
  uint8_t* to = dest;
  const uint64_t word = 0x0101010101010101u * (uint8_t)value;
  if (n <= 16) {
    if (n >= 8) *(U64*)to = word, *(U64*)(to + n - 8) = word;
    else if (n >= 4) *(U32*)to = (uint32_t)word, *(U32*)(to + n - 4) = (uint32_t)word;
    else if (n >= 2) *(U16*)to = (uint16_t)word, *(U16*)(to + n - 2) = (uint16_t)word;
    else if (n == 1) *to = (uint8_t)value;
    return dest;
  }
  const V16 half = (V16){0} + (uint8_t)value;
  if (n <= 32) {
    *(V16*)to = half, *(V16*)(to + n - 16) = half;
    return dest;
  }
  if (n >= 1024) {
    uint8_t* at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(value) : "memory");
    return dest;
  }
  const Wide wide = (Wide){0} + (uint8_t)value;
  uint8_t* end = to + n - kWide;
  while (to < end) {
    *(Wide*)to = wide;
    to += kWide;
  }
  *(Wide*)end = wide;
  return dest;
}

int memcmp(const void* a, const void* b, size_t n) {
  const uint8_t *x = a, *y = b;
  for (; n >= 8; x += 8, y += 8, n -= 8) {
    uint64_t p = *(const U64*)x, q = *(const U64*)y;
    if (p != q) return __builtin_bswap64(p) < __builtin_bswap64(q) ? -1 : 1;
  }
  for (; n != 0; ++x, ++y, --n)
    if (*x != *y) return *x < *y ? -1 : 1;
  return 0;
}

int bcmp(const void* a, const void* b, size_t n) { return memcmp(a, b, n); }

// Rounding, for CPUs without SSE4.1. A value whose magnitude has no room for a fraction is returned as it is (NaNs made quiet); the sign of zero is
// the operand's.
static inline double bits_to_f64(uint64_t bits) {
  double value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
static inline uint64_t f64_to_bits(double value) {
  uint64_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}
static inline float bits_to_f32(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
static inline uint32_t f32_to_bits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

#define ROUNDING(name, adjust)                                                                                                    \
  double name(double x) {                                                                                                         \
    uint64_t bits = f64_to_bits(x), sign = bits & 0x8000000000000000u;                                                            \
    double magnitude = bits_to_f64(bits ^ sign);                                                                                  \
    if (!(magnitude < 0x1p52)) return x + 0;                                                                                      \
    int64_t whole = (int64_t)x;                                                                                                   \
    double truncated = (double)whole;                                                                                             \
    (void)truncated;                                                                                                              \
    adjust;                                                                                                                       \
    return bits_to_f64((f64_to_bits((double)whole) & 0x7fffffffffffffffu) | sign);                                                \
  }                                                                                                                               \
  float name##f(float x) {                                                                                                        \
    uint32_t bits = f32_to_bits(x), sign = bits & 0x80000000u;                                                                    \
    float magnitude = bits_to_f32(bits ^ sign);                                                                                   \
    if (!(magnitude < 0x1p23f)) return x + 0;                                                                                     \
    int64_t whole = (int64_t)x;                                                                                                   \
    float truncated = (float)whole;                                                                                               \
    (void)truncated;                                                                                                              \
    adjust;                                                                                                                       \
    return bits_to_f32((f32_to_bits((float)whole) & 0x7fffffffu) | sign);                                                         \
  }

// The distance to the truncated value is exact, so half is half.
#define TO_EVEN                                                                                                                   \
  __typeof__(x) rest = x - truncated;                                                                                             \
  rest = rest < 0 ? -rest : rest;                                                                                                 \
  if (rest > (__typeof__(x))0.5 || (rest == (__typeof__(x))0.5 && (whole & 1) != 0)) whole += x < 0 ? -1 : 1

ROUNDING(trunc, )
ROUNDING(floor, if (truncated > x) --whole)
ROUNDING(ceil, if (truncated < x) ++whole)
ROUNDING(rint, TO_EVEN)
ROUNDING(nearbyint, TO_EVEN)
ROUNDING(roundeven, TO_EVEN)

double fma(double a, double b, double c) { return cusp_fma(a, b, c); }
float fmaf(float a, float b, float c) { return cusp_fmaf(a, b, c); }
