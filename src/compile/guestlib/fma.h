// Multiply-add with one rounding, in integers: what LLVM calls on CPUs without the FMA instructions when relaxed SIMD must be
// deterministic. Rounds to nearest, ties to even. Included by guestlib.c, and by a test that compares it with the C library's.
#pragma once
#include <stdint.h>

__extension__ typedef unsigned __int128 CuspU128;

static inline uint64_t cusp_double_bits(double value) {
  uint64_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Finite: significand * 2^exponent.
typedef struct {
  uint64_t significand;
  int exponent;
  int negative;
} CuspParts;

static inline CuspParts cusp_parts(double value) {
  const uint64_t bits = cusp_double_bits(value), fraction = bits & 0xfffffffffffffu;
  const int biased = (int)(bits >> 52 & 0x7ff);
  CuspParts parts = {biased ? fraction | 0x10000000000000u : fraction, biased ? biased - 1075 : -1074,
                     (int)(bits >> 63)};
  return parts;
}

static inline int cusp_top_bit(CuspU128 value) { // of what is not 0
  const uint64_t high = (uint64_t)(value >> 64);
  return high ? 127 - __builtin_clzll(high) : 63 - __builtin_clzll((uint64_t)value);
}

// To the right, with what falls out kept as a one in the last place.
static inline CuspU128 cusp_shift_sticky(CuspU128 value, int by) {
  if (by == 0) return value;
  if (by > 127) return value != 0;
  return value >> by | ((value << (128 - by)) != 0);
}

// a * b + c as the bits of a format with `digits` binary digits whose last place is never below 2^lowest; without the sign, which goes to
// *negative. Too large a result has the bits of infinity or beyond. REQUIRES: all finite, a and b not 0.
static inline uint64_t cusp_fused(double a, double b, double c, int digits, int lowest, int* negative) {
  enum { kTop = 125 }; // where both terms have their first one: room for a carry above, and for what sticks below
  const CuspParts pa = cusp_parts(a), pb = cusp_parts(b), pc = cusp_parts(c);
  CuspU128 x = (CuspU128)pa.significand * pb.significand, y = pc.significand;
  const int x_up = kTop - cusp_top_bit(x);
  int exponent = pa.exponent + pb.exponent - x_up;
  x <<= x_up;
  if (y != 0) {
    const int y_up = kTop - cusp_top_bit(y), distance = exponent - (pc.exponent - y_up);
    y <<= y_up;
    if (distance >= 0) y = cusp_shift_sticky(y, distance);
    else x = cusp_shift_sticky(x, -distance), exponent -= distance;
  }
  const int x_negative = pa.negative ^ pb.negative;
  CuspU128 sum;
  if (y == 0 || x_negative == pc.negative) sum = x + y, *negative = x_negative;
  else if (x >= y) sum = x - y, *negative = x_negative;
  else sum = y - x, *negative = pc.negative;
  if (sum == 0) return *negative = 0; // of opposite signs
  int drop = cusp_top_bit(sum) - (digits - 1);
  if (exponent + drop < lowest) drop = lowest - exponent;
  uint64_t kept = 0; // and 0 it stays where all of the sum is below half of the last place
  if (drop <= 0) {
    kept = (uint64_t)sum << -drop;
  } else if (drop < 128) {
    const CuspU128 half = (CuspU128)1 << (drop - 1), rest = sum & ((half << 1) - 1);
    kept = (uint64_t)(sum >> drop);
    kept += rest > half || (rest == half && (kept & 1) != 0);
  }
  return ((uint64_t)(exponent + drop - lowest) << (digits - 1)) + kept;
}

static inline double cusp_fma(double a, double b, double c) {
  // Zeros, infinities and NaNs as factors: rounding twice is rounding once. As addends: no finite product matters.
  const uint64_t kExponent = 0x7ff0000000000000u, magnitude = ~(uint64_t)0 >> 1;
  if (a == 0 || b == 0 || (cusp_double_bits(a) & magnitude) >= kExponent ||
      (cusp_double_bits(b) & magnitude) >= kExponent)
    return a * b + c;
  if ((cusp_double_bits(c) & magnitude) >= kExponent) return c + 0;
  int negative;
  uint64_t bits = cusp_fused(a, b, c, 53, -1074, &negative);
  if (bits > kExponent) bits = kExponent;
  bits |= (uint64_t)negative << 63;
  double result;
  __builtin_memcpy(&result, &bits, sizeof result);
  return result;
}

static inline float cusp_fmaf(float a, float b, float c) {
  const float largest = 0x1.fffffep127f;
  if (a == 0 || b == 0 || !(a <= largest && a >= -largest && b <= largest && b >= -largest)) return a * b + c;
  if (!(c <= largest && c >= -largest)) return c + 0;
  int negative;
  uint32_t bits = (uint32_t)cusp_fused((double)a, (double)b, (double)c, 24, -149, &negative);
  if (bits > 0x7f800000u) bits = 0x7f800000u;
  bits |= (uint32_t)negative << 31;
  float result;
  __builtin_memcpy(&result, &bits, sizeof result);
  return result;
}
