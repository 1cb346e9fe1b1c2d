// SIMD on floats. Comparisons, min and max as in float.cpp, lane by lane.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

#define COMPARE_LANES(Shape, shape, mask, Name, text)                                                                  \
  VECTOR_BINARY(Shape##Name, shape, ir.CreateSExt(ir.CreateFCmp##text(a, b), types.mask))
#define FLOAT_LANES(Shape, shape, mask)                                                                                \
  COMPARE_LANES(Shape, shape, mask, Eq, OEQ)                                                                           \
  COMPARE_LANES(Shape, shape, mask, Ne, UNE)                                                                           \
  COMPARE_LANES(Shape, shape, mask, Lt, OLT)                                                                           \
  COMPARE_LANES(Shape, shape, mask, Gt, OGT)                                                                           \
  COMPARE_LANES(Shape, shape, mask, Le, OLE)                                                                           \
  COMPARE_LANES(Shape, shape, mask, Ge, OGE)                                                                           \
  VECTOR_UNARY(Shape##Abs, shape, ir.CreateUnaryIntrinsic(Intrinsic::fabs, a))                                         \
  VECTOR_UNARY(Shape##Neg, shape, ir.CreateFNeg(a))                                                                    \
  VECTOR_UNARY(Shape##Sqrt, shape, ir.CreateUnaryIntrinsic(Intrinsic::sqrt, a))                                        \
  VECTOR_UNARY(Shape##Ceil, shape, ir.CreateUnaryIntrinsic(Intrinsic::ceil, a))                                        \
  VECTOR_UNARY(Shape##Floor, shape, ir.CreateUnaryIntrinsic(Intrinsic::floor, a))                                      \
  VECTOR_UNARY(Shape##Trunc, shape, ir.CreateUnaryIntrinsic(Intrinsic::trunc, a))                                      \
  VECTOR_UNARY(Shape##Nearest, shape, ir.CreateUnaryIntrinsic(Intrinsic::roundeven, a))                                \
  VECTOR_BINARY(Shape##Add, shape, ir.CreateFAdd(a, b))                                                                \
  VECTOR_BINARY(Shape##Sub, shape, ir.CreateFSub(a, b))                                                                \
  VECTOR_BINARY(Shape##Mul, shape, ir.CreateFMul(a, b))                                                                \
  VECTOR_BINARY(Shape##Div, shape, ir.CreateFDiv(a, b))                                                                \
  VECTOR_BINARY(Shape##Min, shape, float_min(a, b))                                                                    \
  VECTOR_BINARY(Shape##Max, shape, float_max(a, b))                                                                    \
  VECTOR_BINARY(Shape##Pmin, shape, ir.CreateSelect(ir.CreateFCmpOLT(b, a), b, a))                                     \
  VECTOR_BINARY(Shape##Pmax, shape, ir.CreateSelect(ir.CreateFCmpOLT(a, b), b, a))
FLOAT_LANES(F32x4, f32x4, i32x4)
FLOAT_LANES(F64x2, f64x2, i64x2)

VECTOR_UNARY(F32x4ConvertI32x4S, i32x4, ir.CreateSIToFP(a, types.f32x4))
VECTOR_UNARY(F32x4ConvertI32x4U, i32x4, ir.CreateUIToFP(a, types.f32x4))

Value* FunctionLowering::low_pair(Value* lanes) { return ir.CreateShuffleVector(lanes, {0, 1}); }

// Two lanes widened to four by zeros.
Value* FunctionLowering::zero_upper(Value* pair) {
  return ir.CreateShuffleVector(pair, llvm::Constant::getNullValue(pair->getType()), {0, 1, 2, 3});
}

VECTOR_UNARY(F64x2ConvertLowI32x4S, i32x4, ir.CreateSIToFP(low_pair(a), types.f64x2))
VECTOR_UNARY(F64x2ConvertLowI32x4U, i32x4, ir.CreateUIToFP(low_pair(a), types.f64x2))
VECTOR_UNARY(F64x2PromoteLowF32x4, f32x4, ir.CreateFPExt(low_pair(a), types.f64x2))
VECTOR_UNARY(F32x4DemoteF64x2Zero, f64x2, zero_upper(ir.CreateFPTrunc(a, llvm::FixedVectorType::get(types.f32, 2))))

} // namespace cusp::compile
