// SIMD that moves lanes: splats, single lanes, shuffles, and the loads and stores of parts of a vector.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

// Lanes narrower than the operand take its low bits.
void FunctionLowering::splat(Vector* shape) {
  Value* value = pop();
  if (value->getType()->isIntegerTy()) value = ir.CreateZExtOrTrunc(value, shape->getElementType());
  push(ir.CreateVectorSplat(shape->getNumElements(), value));
}

LOWER(I8x16Splat) { splat(types.i8x16); }
LOWER(I16x8Splat) { splat(types.i16x8); }
LOWER(I32x4Splat) { splat(types.i32x4); }
LOWER(I64x2Splat) { splat(types.i64x2); }
LOWER(F32x4Splat) { splat(types.f32x4); }
LOWER(F64x2Splat) { splat(types.f64x2); }

void FunctionLowering::on_SimdExtractLane(const wasm::OpContext& op, const wasm::LaneArg& imm) {
  using wasm::Op;
  auto lane = [&](Vector* shape) { return ir.CreateExtractElement(pop(shape), std::uint64_t{imm.lane}); };
  switch (op.op) {
  case Op::I8x16ExtractLaneS: return push(ir.CreateSExt(lane(types.i8x16), types.i32));
  case Op::I8x16ExtractLaneU: return push(ir.CreateZExt(lane(types.i8x16), types.i32));
  case Op::I16x8ExtractLaneS: return push(ir.CreateSExt(lane(types.i16x8), types.i32));
  case Op::I16x8ExtractLaneU: return push(ir.CreateZExt(lane(types.i16x8), types.i32));
  case Op::I32x4ExtractLane: return push(lane(types.i32x4));
  case Op::I64x2ExtractLane: return push(lane(types.i64x2));
  case Op::F32x4ExtractLane: return push(lane(types.f32x4));
  case Op::F64x2ExtractLane: return push(lane(types.f64x2));
  default: unsupported(op);
  }
}

void FunctionLowering::on_SimdReplaceLane(const wasm::OpContext& op, const wasm::LaneArg& imm) {
  using wasm::Op;
  auto replace = [&](Vector* shape) {
    Value* value = pop();
    if (value->getType()->isIntegerTy()) value = ir.CreateZExtOrTrunc(value, shape->getElementType());
    push(ir.CreateInsertElement(pop(shape), value, std::uint64_t{imm.lane}));
  };
  switch (op.op) {
  case Op::I8x16ReplaceLane: return replace(types.i8x16);
  case Op::I16x8ReplaceLane: return replace(types.i16x8);
  case Op::I32x4ReplaceLane: return replace(types.i32x4);
  case Op::I64x2ReplaceLane: return replace(types.i64x2);
  case Op::F32x4ReplaceLane: return replace(types.f32x4);
  case Op::F64x2ReplaceLane: return replace(types.f64x2);
  default: unsupported(op);
  }
}

void FunctionLowering::on_SimdShuffle(const wasm::OpContext&, const wasm::ShuffleImm& imm) {
  int lanes[16];
  for (unsigned i = 0; i < 16; ++i) lanes[i] = imm.lanes[i];
  Value* b = pop(types.i8x16);
  Value* a = pop(types.i8x16);
  push(ir.CreateShuffleVector(a, b, lanes));
}

void FunctionLowering::on_SimdLoad(const wasm::OpContext& op, const wasm::MemArg& arg) {
  using wasm::Op;
  Value* pointer = address(op, arg, pop());
  auto extend = [&](Vector* to, bool is_signed) {
    llvm::Type* half = ir.getIntNTy(to->getScalarSizeInBits() / 2);
    Value* lanes = load(Vector::get(half, to->getNumElements()), pointer, arg);
    push(ir.CreateIntCast(lanes, to, is_signed));
  };
  auto splat_of = [&](Vector* shape) {
    push(ir.CreateVectorSplat(shape->getNumElements(), load(shape->getElementType(), pointer, arg)));
  };
  auto zero = [&](Vector* shape) {
    Value* lane = load(shape->getElementType(), pointer, arg);
    push(ir.CreateInsertElement(llvm::Constant::getNullValue(shape), lane, std::uint64_t{0}));
  };
  switch (op.op) {
  case Op::V128Load8x8S: return extend(types.i16x8, true);
  case Op::V128Load8x8U: return extend(types.i16x8, false);
  case Op::V128Load16x4S: return extend(types.i32x4, true);
  case Op::V128Load16x4U: return extend(types.i32x4, false);
  case Op::V128Load32x2S: return extend(types.i64x2, true);
  case Op::V128Load32x2U: return extend(types.i64x2, false);
  case Op::V128Load8Splat: return splat_of(types.i8x16);
  case Op::V128Load16Splat: return splat_of(types.i16x8);
  case Op::V128Load32Splat: return splat_of(types.i32x4);
  case Op::V128Load64Splat: return splat_of(types.i64x2);
  case Op::V128Load32Zero: return zero(types.i32x4);
  case Op::V128Load64Zero: return zero(types.i64x2);
  default: unsupported(op);
  }
}

void FunctionLowering::on_SimdLoadLane(const wasm::OpContext& op, const wasm::MemLaneArg& arg) {
  auto* shape = Vector::get(ir.getIntNTy(8u * arg.bytes), 16u / arg.bytes);
  Value* vector = pop(shape);
  Value* lane = load(shape->getElementType(), address(op, arg, pop()), arg);
  push(ir.CreateInsertElement(vector, lane, std::uint64_t{arg.lane}));
}

void FunctionLowering::on_SimdStoreLane(const wasm::OpContext& op, const wasm::MemLaneArg& arg) {
  auto* shape = Vector::get(ir.getIntNTy(8u * arg.bytes), 16u / arg.bytes);
  Value* vector = pop(shape);
  Value* pointer = address(op, arg, pop());
  store(ir.CreateExtractElement(vector, std::uint64_t{arg.lane}), pointer, arg);
}

} // namespace cusp::compile
