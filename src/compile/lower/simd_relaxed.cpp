// Relaxed SIMD: of the results that the specification allows, the one that is cheapest here and yet the same on every
// x86-64, so that an artifact behaves alike on all machines of a fleet. Multiply-add is not fused for the same reason.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

using llvm::Value;

LOWER(I8x16RelaxedSwizzle) { lower_op<wasm::Op::I8x16Swizzle>(); }
LOWER(I32x4RelaxedTruncF32x4S) { lower_op<wasm::Op::I32x4TruncSatF32x4S>(); }
LOWER(I32x4RelaxedTruncF32x4U) { lower_op<wasm::Op::I32x4TruncSatF32x4U>(); }
LOWER(I32x4RelaxedTruncF64x2SZero) { lower_op<wasm::Op::I32x4TruncSatF64x2SZero>(); }
LOWER(I32x4RelaxedTruncF64x2UZero) { lower_op<wasm::Op::I32x4TruncSatF64x2UZero>(); }
LOWER(I16x8RelaxedQ15mulrS) { lower_op<wasm::Op::I16x8Q15mulrSatS>(); }
LOWER(F32x4RelaxedMin) { lower_op<wasm::Op::F32x4Pmin>(); }
LOWER(F32x4RelaxedMax) { lower_op<wasm::Op::F32x4Pmax>(); }
LOWER(F64x2RelaxedMin) { lower_op<wasm::Op::F64x2Pmin>(); }
LOWER(F64x2RelaxedMax) { lower_op<wasm::Op::F64x2Pmax>(); }

#define LANESELECT(Name)                                                                                               \
  LOWER(Name) { lower_op<wasm::Op::V128Bitselect>(); }
LANESELECT(I8x16RelaxedLaneselect)
LANESELECT(I16x8RelaxedLaneselect)
LANESELECT(I32x4RelaxedLaneselect)
LANESELECT(I64x2RelaxedLaneselect)

void FunctionLowering::multiply_add(llvm::FixedVectorType* shape, bool negate) {
  Value* c = pop(shape);
  Value* b = pop(shape);
  Value* a = pop(shape);
  Value* product = ir.CreateFMul(a, b);
  push(negate ? ir.CreateFSub(c, product) : ir.CreateFAdd(product, c));
}
LOWER(F32x4RelaxedMadd) { multiply_add(types.f32x4, false); }
LOWER(F32x4RelaxedNmadd) { multiply_add(types.f32x4, true); }
LOWER(F64x2RelaxedMadd) { multiply_add(types.f64x2, false); }
LOWER(F64x2RelaxedNmadd) { multiply_add(types.f64x2, true); }

// Sums of products of neighbours, exact: both factors signed. `multiplier` is i8x16 whose lanes are promised to be
// 7-bit.
Value* FunctionLowering::dot_i8(Value* a, Value* b) {
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
  push(dot_i8(a, b));
  lower_op<wasm::Op::I32x4ExtaddPairwiseI16x8S>();
  push(ir.CreateAdd(pop(types.i32x4), addend));
}

} // namespace cusp::compile
