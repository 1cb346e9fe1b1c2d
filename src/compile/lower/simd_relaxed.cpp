// Relaxed SIMD: each operator has a few results that the specification allows. In deterministic mode (a setting of the artifact) it is
// the one of the deterministic profile, alike on every machine: the saturating operators of plain SIMD, and multiply-add that
// rounds once. Otherwise it is what the target does in one instruction.
#include <llvm/IR/IntrinsicsX86.h>

#include "compile/lower/function_lowering.h"

namespace cusp::compile {

using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

// `strict`: an operator of plain SIMD that does what the deterministic profile says.
#define RELAXED(Name, strict, fast)                                                                                    \
  LOWER(Name) {                                                                                                        \
    if (group_.settings.deterministic_simd) return lower_op<wasm::Op::strict>();                                       \
    fast;                                                                                                              \
  }
#define FAST_UNARY(shape, expression)                                                                                  \
  Value* a = pop(types.shape);                                                                                         \
  push(expression)
#define FAST_BINARY(shape, expression)                                                                                 \
  Value* b = pop(types.shape);                                                                                         \
  Value* a = pop(types.shape);                                                                                         \
  push(expression)

// Indices from 16 to 127 wrap.
RELAXED(I8x16RelaxedSwizzle, I8x16Swizzle,
        FAST_BINARY(i8x16, ir.CreateIntrinsic(Intrinsic::x86_ssse3_pshuf_b_128, {}, {a, b})))
// What does not fit is the smallest integer.
RELAXED(I32x4RelaxedTruncF32x4S, I32x4TruncSatF32x4S,
        FAST_UNARY(f32x4, ir.CreateIntrinsic(Intrinsic::x86_sse2_cvttps2dq, {}, {a})))
RELAXED(I32x4RelaxedTruncF64x2SZero, I32x4TruncSatF64x2SZero,
        FAST_UNARY(f64x2, ir.CreateIntrinsic(Intrinsic::x86_sse2_cvttpd2dq, {}, {a})))
// x86-64 has no unsigned conversion before AVX-512.
LOWER(I32x4RelaxedTruncF32x4U) { lower_op<wasm::Op::I32x4TruncSatF32x4U>(); }
LOWER(I32x4RelaxedTruncF64x2UZero) { lower_op<wasm::Op::I32x4TruncSatF64x2UZero>(); }
// -1 times -1 wraps.
RELAXED(I16x8RelaxedQ15mulrS, I16x8Q15mulrSatS,
        FAST_BINARY(i16x8, ir.CreateIntrinsic(Intrinsic::x86_ssse3_pmul_hr_sw_128, {}, {a, b})))
// The second operand where one is a NaN or both are zeros: minps and maxps.
RELAXED(F32x4RelaxedMin, F32x4Min, FAST_BINARY(f32x4, ir.CreateSelect(ir.CreateFCmpOLT(a, b), a, b)))
RELAXED(F32x4RelaxedMax, F32x4Max, FAST_BINARY(f32x4, ir.CreateSelect(ir.CreateFCmpOGT(a, b), a, b)))
RELAXED(F64x2RelaxedMin, F64x2Min, FAST_BINARY(f64x2, ir.CreateSelect(ir.CreateFCmpOLT(a, b), a, b)))
RELAXED(F64x2RelaxedMax, F64x2Max, FAST_BINARY(f64x2, ir.CreateSelect(ir.CreateFCmpOGT(a, b), a, b)))

// blendv looks at the top bit of each lane. There is none for 16-bit lanes, and AVX-512 selects bits in one instruction.
void FunctionLowering::lane_select(Vector* shape) {
  if (group_.settings.deterministic_simd || group_.has_cpu_feature("avx512vl"))
    return lower_op<wasm::Op::V128Bitselect>();
  Value* mask = pop(shape);
  Value* otherwise = pop(shape);
  Value* then = pop(shape);
  push(ir.CreateSelect(ir.CreateICmpSLT(mask, llvm::Constant::getNullValue(shape)), then, otherwise));
}
LOWER(I8x16RelaxedLaneselect) { lane_select(types.i8x16); }
LOWER(I16x8RelaxedLaneselect) { lower_op<wasm::Op::V128Bitselect>(); }
LOWER(I32x4RelaxedLaneselect) { lane_select(types.i32x4); }
LOWER(I64x2RelaxedLaneselect) { lane_select(types.i64x2); }

// Rounds once where the target can, and in deterministic mode everywhere (guestlib has fma for the others).
void FunctionLowering::multiply_add(Vector* shape, bool negate) {
  Value* c = pop(shape);
  Value* b = pop(shape);
  Value* a = pop(shape);
  if (negate) a = ir.CreateFNeg(a);
  if (group_.settings.deterministic_simd || group_.has_cpu_feature("fma"))
    return push(ir.CreateIntrinsic(Intrinsic::fma, {shape}, {a, b, c}));
  push(ir.CreateFAdd(ir.CreateFMul(a, b), c));
}
LOWER(F32x4RelaxedMadd) { multiply_add(types.f32x4, false); }
LOWER(F32x4RelaxedNmadd) { multiply_add(types.f32x4, true); }
LOWER(F64x2RelaxedMadd) { multiply_add(types.f64x2, false); }
LOWER(F64x2RelaxedNmadd) { multiply_add(types.f64x2, true); }

// Sums of products of neighbours. The second operand's lanes are promised to have 7 bits. Deterministic: both signed,
// exact but for the sum's wrap. pmaddubsw takes it as unsigned, and saturates.
Value* FunctionLowering::dot_i8(Value* a, Value* b) {
  if (!group_.settings.deterministic_simd) return ir.CreateIntrinsic(Intrinsic::x86_ssse3_pmadd_ub_sw_128, {}, {b, a});
  Value* sum = nullptr;
  for (bool high : {false, true}) {
    // Bytes 2i and 2i+1 of lane i.
    auto half = [&](Value* bytes) {
      Value* lanes = ir.CreateBitCast(bytes, types.i16x8);
      return ir.CreateAShr(high ? lanes : ir.CreateShl(lanes, 8), 8);
    };
    Value* product = ir.CreateMul(half(a), half(b));
    sum = sum ? ir.CreateAdd(sum, product) : product;
  }
  return sum;
}

VECTOR_BINARY(I16x8RelaxedDotI8x16I7x16S, i8x16, dot_i8(a, b))

LOWER(I32x4RelaxedDotI8x16I7x16AddS) {
  Value* addend = pop(types.i32x4);
  Value* b = pop(types.i8x16);
  Value* a = pop(types.i8x16);
  if (!group_.settings.deterministic_simd &&
      (group_.has_cpu_feature("avxvnni") ||
       (group_.has_cpu_feature("avx512vnni") && group_.has_cpu_feature("avx512vl")))) {
    constexpr auto kDot = Intrinsic::x86_avx512_vpdpbusd_128;
    llvm::Type* bytes = Intrinsic::getType(group_.context, kDot)->getParamType(1); // not the same in every LLVM
    return push(ir.CreateIntrinsic(kDot, {}, {addend, cast(b, bytes), cast(a, bytes)}));
  }
  push(dot_i8(a, b));
  lower_op<wasm::Op::I32x4ExtaddPairwiseI16x8S>();
  push(ir.CreateAdd(pop(types.i32x4), addend));
}

} // namespace cusp::compile
