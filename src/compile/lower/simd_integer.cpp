// SIMD on integers that every target lowers well from plain vector operations; what x86 has an instruction of its own
// for stands in simd_x86_64.cpp. A v128 is popped in the shape an operator needs and pushed in the shape it makes.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

// Bits.
VECTOR_UNARY(V128Not, i64x2, ir.CreateNot(a))
VECTOR_BINARY(V128And, i64x2, ir.CreateAnd(a, b))
VECTOR_BINARY(V128Andnot, i64x2, ir.CreateAnd(a, ir.CreateNot(b)))
VECTOR_BINARY(V128Or, i64x2, ir.CreateOr(a, b))
VECTOR_BINARY(V128Xor, i64x2, ir.CreateXor(a, b))

LOWER(V128Bitselect) {
  Value* mask = pop(types.i64x2);
  Value* b = pop(types.i64x2);
  Value* a = pop(types.i64x2);
  push(ir.CreateOr(ir.CreateAnd(a, mask), ir.CreateAnd(b, ir.CreateNot(mask))));
}

LOWER(V128AnyTrue) {
  Value* wide = ir.CreateBitCast(pop(), types.i128);
  push(ir.CreateZExt(ir.CreateIsNotNull(wide), types.i32));
}

void FunctionLowering::all_true(llvm::FixedVectorType* shape) {
  Value* lanes = ir.CreateIsNotNull(pop(shape));
  push(ir.CreateZExt(ir.CreateAndReduce(lanes), types.i32));
}

void FunctionLowering::bitmask(llvm::FixedVectorType* shape) {
  Value* negative = ir.CreateIsNeg(pop(shape));
  push(ir.CreateZExt(ir.CreateBitCast(negative, ir.getIntNTy(shape->getNumElements())), types.i32));
}

// Shift counts are taken modulo the lane's width.
llvm::Value* FunctionLowering::lane_count(llvm::FixedVectorType* shape) {
  llvm::Type* lane = shape->getElementType();
  Value* count = ir.CreateAnd(pop(), lane->getIntegerBitWidth() - 1);
  return ir.CreateVectorSplat(shape->getNumElements(), ir.CreateZExtOrTrunc(count, lane));
}

// The low or high half of the lanes, each twice as wide.
llvm::Value* FunctionLowering::extended_half(llvm::Value* value, llvm::FixedVectorType* to, bool high, bool is_signed) {
  llvm::SmallVector<int, 8> lanes;
  for (unsigned i = 0; i < to->getNumElements(); ++i)
    lanes.push_back(static_cast<int>(high ? to->getNumElements() + i : i));
  return ir.CreateIntCast(ir.CreateShuffleVector(value, lanes), to, is_signed);
}

void FunctionLowering::extend_half(llvm::FixedVectorType* from, llvm::FixedVectorType* to, bool high, bool is_signed) {
  push(extended_half(pop(from), to, high, is_signed));
}

void FunctionLowering::multiply_halves(llvm::FixedVectorType* from, llvm::FixedVectorType* to, bool high,
                                       bool is_signed) {
  Value* b = extended_half(pop(from), to, high, is_signed);
  Value* a = extended_half(pop(from), to, high, is_signed);
  push(ir.CreateMul(a, b));
}

#define COMPARE_LANES(Shape, shape, Name, text)                                                                        \
  VECTOR_BINARY(Shape##Name, shape, ir.CreateSExt(ir.CreateICmp##text(a, b), types.shape))
#define COMPARE_LANES_SIGNED(Shape, shape)                                                                             \
  COMPARE_LANES(Shape, shape, Eq, EQ)                                                                                  \
  COMPARE_LANES(Shape, shape, Ne, NE)                                                                                  \
  COMPARE_LANES(Shape, shape, LtS, SLT)                                                                                \
  COMPARE_LANES(Shape, shape, GtS, SGT)                                                                                \
  COMPARE_LANES(Shape, shape, LeS, SLE)                                                                                \
  COMPARE_LANES(Shape, shape, GeS, SGE)
#define COMPARE_LANES_UNSIGNED(Shape, shape)                                                                           \
  COMPARE_LANES(Shape, shape, LtU, ULT)                                                                                \
  COMPARE_LANES(Shape, shape, GtU, UGT)                                                                                \
  COMPARE_LANES(Shape, shape, LeU, ULE)                                                                                \
  COMPARE_LANES(Shape, shape, GeU, UGE)
COMPARE_LANES_SIGNED(I8x16, i8x16)
COMPARE_LANES_SIGNED(I16x8, i16x8)
COMPARE_LANES_SIGNED(I32x4, i32x4)
COMPARE_LANES_SIGNED(I64x2, i64x2)
COMPARE_LANES_UNSIGNED(I8x16, i8x16)
COMPARE_LANES_UNSIGNED(I16x8, i16x8)
COMPARE_LANES_UNSIGNED(I32x4, i32x4)

// What all four integer shapes have.
#define INTEGER_LANES(Shape, shape)                                                                                    \
  VECTOR_UNARY(Shape##Abs, shape, ir.CreateBinaryIntrinsic(Intrinsic::abs, a, ir.getFalse()))                          \
  VECTOR_UNARY(Shape##Neg, shape, ir.CreateNeg(a))                                                                     \
  VECTOR_BINARY(Shape##Add, shape, ir.CreateAdd(a, b))                                                                 \
  VECTOR_BINARY(Shape##Sub, shape, ir.CreateSub(a, b))                                                                 \
  LOWER(Shape##AllTrue) { all_true(types.shape); }                                                                     \
  LOWER(Shape##Bitmask) { bitmask(types.shape); }                                                                      \
  VECTOR_SHIFT(Shape##Shl, shape, ir.CreateShl(a, b))                                                                  \
  VECTOR_SHIFT(Shape##ShrS, shape, ir.CreateAShr(a, b))                                                                \
  VECTOR_SHIFT(Shape##ShrU, shape, ir.CreateLShr(a, b))
#define VECTOR_SHIFT(Name, shape, expression)                                                                          \
  LOWER(Name) {                                                                                                        \
    Value* b = lane_count(types.shape);                                                                                \
    Value* a = pop(types.shape);                                                                                       \
    push(expression);                                                                                                  \
  }
INTEGER_LANES(I8x16, i8x16)
INTEGER_LANES(I16x8, i16x8)
INTEGER_LANES(I32x4, i32x4)
INTEGER_LANES(I64x2, i64x2)
VECTOR_BINARY(I16x8Mul, i16x8, ir.CreateMul(a, b))
VECTOR_BINARY(I32x4Mul, i32x4, ir.CreateMul(a, b))
VECTOR_BINARY(I64x2Mul, i64x2, ir.CreateMul(a, b))
VECTOR_UNARY(I8x16Popcnt, i8x16, ir.CreateUnaryIntrinsic(Intrinsic::ctpop, a))

#define MIN_MAX(Shape, shape)                                                                                          \
  VECTOR_BINARY(Shape##MinS, shape, ir.CreateBinaryIntrinsic(Intrinsic::smin, a, b))                                   \
  VECTOR_BINARY(Shape##MinU, shape, ir.CreateBinaryIntrinsic(Intrinsic::umin, a, b))                                   \
  VECTOR_BINARY(Shape##MaxS, shape, ir.CreateBinaryIntrinsic(Intrinsic::smax, a, b))                                   \
  VECTOR_BINARY(Shape##MaxU, shape, ir.CreateBinaryIntrinsic(Intrinsic::umax, a, b))
MIN_MAX(I8x16, i8x16)
MIN_MAX(I16x8, i16x8)
MIN_MAX(I32x4, i32x4)

// Rounding average: LLVM knows the shape (a + b + 1) >> 1 in twice the width as one instruction.
Value* FunctionLowering::rounding_average(Value* a, Value* b) {
  auto* wide = llvm::VectorType::getExtendedElementVectorType(llvm::cast<llvm::VectorType>(a->getType()));
  Value* sum = ir.CreateAdd(ir.CreateZExt(a, wide), ir.CreateZExt(b, wide));
  sum = ir.CreateAdd(sum, llvm::ConstantInt::get(wide, 1));
  return ir.CreateTrunc(ir.CreateLShr(sum, 1), a->getType());
}

#define SATURATING(Shape, shape)                                                                                       \
  VECTOR_BINARY(Shape##AddSatS, shape, ir.CreateBinaryIntrinsic(Intrinsic::sadd_sat, a, b))                            \
  VECTOR_BINARY(Shape##AddSatU, shape, ir.CreateBinaryIntrinsic(Intrinsic::uadd_sat, a, b))                            \
  VECTOR_BINARY(Shape##SubSatS, shape, ir.CreateBinaryIntrinsic(Intrinsic::ssub_sat, a, b))                            \
  VECTOR_BINARY(Shape##SubSatU, shape, ir.CreateBinaryIntrinsic(Intrinsic::usub_sat, a, b))                            \
  VECTOR_BINARY(Shape##AvgrU, shape, rounding_average(a, b))
SATURATING(I8x16, i8x16)
SATURATING(I16x8, i16x8)

#define WIDENING(To, to, From, from)                                                                                   \
  LOWER(To##ExtendLow##From##S) { extend_half(types.from, types.to, false, true); }                                    \
  LOWER(To##ExtendLow##From##U) { extend_half(types.from, types.to, false, false); }                                   \
  LOWER(To##ExtendHigh##From##S) { extend_half(types.from, types.to, true, true); }                                    \
  LOWER(To##ExtendHigh##From##U) { extend_half(types.from, types.to, true, false); }                                   \
  LOWER(To##ExtmulLow##From##S) { multiply_halves(types.from, types.to, false, true); }                                \
  LOWER(To##ExtmulLow##From##U) { multiply_halves(types.from, types.to, false, false); }                               \
  LOWER(To##ExtmulHigh##From##S) { multiply_halves(types.from, types.to, true, true); }                                \
  LOWER(To##ExtmulHigh##From##U) { multiply_halves(types.from, types.to, true, false); }
WIDENING(I16x8, i16x8, I8x16, i8x16)
WIDENING(I32x4, i32x4, I16x8, i16x8)
WIDENING(I64x2, i64x2, I32x4, i32x4)

// Pairwise sums of unsigned lanes: the two halves of the wide lane.
void FunctionLowering::add_pairs_unsigned(llvm::FixedVectorType* to) {
  Value* pairs = pop(to);
  const unsigned half = to->getScalarSizeInBits() / 2;
  Value* low = ir.CreateAnd(pairs, llvm::ConstantInt::get(to, llvm::APInt::getLowBitsSet(2 * half, half)));
  push(ir.CreateAdd(low, ir.CreateLShr(pairs, half)));
}
LOWER(I16x8ExtaddPairwiseI8x16U) { add_pairs_unsigned(types.i16x8); }
LOWER(I32x4ExtaddPairwiseI16x8U) { add_pairs_unsigned(types.i32x4); }

} // namespace cusp::compile
