// Floats: arithmetic, comparisons, conversions (spec 4.3.3, 4.3.4).
// No fast-math flag is ever set. LLVM may return a signalling NaN unchanged where the specification demands a quiet
// one: `x + -0`, `x * 1` and the like are folded to x. function_passes.cpp keeps the folds that a function's own
// constants would give.
#include <cmath>

#include "compile/lower/function_lowering.h"

namespace cusp::compile {

using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

#define COMPARE_FLOAT(Name, text)                                                                                      \
  COMPARE(F32##Name, ir.CreateFCmp##text(a, b))                                                                        \
  COMPARE(F64##Name, ir.CreateFCmp##text(a, b))
COMPARE_FLOAT(Eq, OEQ)
COMPARE_FLOAT(Ne, UNE)
COMPARE_FLOAT(Lt, OLT)
COMPARE_FLOAT(Gt, OGT)
COMPARE_FLOAT(Le, OLE)
COMPARE_FLOAT(Ge, OGE)

#define BINARY_FLOAT(Name, expression)                                                                                 \
  BINARY(F32##Name, expression)                                                                                        \
  BINARY(F64##Name, expression)
BINARY_FLOAT(Add, ir.CreateFAdd(a, b))
BINARY_FLOAT(Sub, ir.CreateFSub(a, b))
BINARY_FLOAT(Mul, ir.CreateFMul(a, b))
BINARY_FLOAT(Div, ir.CreateFDiv(a, b))
BINARY_FLOAT(Min, float_min(a, b))
BINARY_FLOAT(Max, float_max(a, b))
BINARY_FLOAT(Copysign, ir.CreateBinaryIntrinsic(Intrinsic::copysign, a, b))

#define UNARY_FLOAT(Name, expression)                                                                                  \
  UNARY(F32##Name, expression)                                                                                         \
  UNARY(F64##Name, expression)
UNARY_FLOAT(Abs, ir.CreateUnaryIntrinsic(Intrinsic::fabs, a))
UNARY_FLOAT(Neg, ir.CreateFNeg(a))
UNARY_FLOAT(Ceil, ir.CreateUnaryIntrinsic(Intrinsic::ceil, a))
UNARY_FLOAT(Floor, ir.CreateUnaryIntrinsic(Intrinsic::floor, a))
UNARY_FLOAT(Trunc, ir.CreateUnaryIntrinsic(Intrinsic::trunc, a))
UNARY_FLOAT(Nearest, ir.CreateUnaryIntrinsic(Intrinsic::roundeven, a))
UNARY_FLOAT(Sqrt, ir.CreateUnaryIntrinsic(Intrinsic::sqrt, a))

// Scalars and vectors alike. llvm.minimum would pass a signalling NaN through on x86; a + b makes it quiet. Of two
// operands that compare equal only zeros differ, and `or` of their bits is the smaller one, `and` the larger.
Value* FunctionLowering::float_min(Value* a, Value* b) {
  Value* x = ir.CreateSelect(ir.CreateFCmpOLT(a, b), a, b);
  Value* y = ir.CreateSelect(ir.CreateFCmpOLT(b, a), b, a);
  return nan_or(a, b, ir.CreateOr(bits(x), bits(y)));
}

Value* FunctionLowering::float_max(Value* a, Value* b) {
  Value* x = ir.CreateSelect(ir.CreateFCmpOGT(a, b), a, b);
  Value* y = ir.CreateSelect(ir.CreateFCmpOGT(b, a), b, a);
  return nan_or(a, b, ir.CreateAnd(bits(x), bits(y)));
}

Value* FunctionLowering::nan_or(Value* a, Value* b, Value* result_bits) {
  Value* result = ir.CreateBitCast(result_bits, a->getType());
  return ir.CreateSelect(ir.CreateFCmpUNO(a, b), ir.CreateFAdd(a, b), result);
}

Value* FunctionLowering::bits(Value* value) {
  llvm::Type* type = value->getType();
  llvm::Type* integer = ir.getIntNTy(type->getScalarSizeInBits());
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(type))
    integer = llvm::FixedVectorType::get(integer, vector->getNumElements());
  return ir.CreateBitCast(value, integer);
}

// Float to integer, trapping. The bounds are exclusive and exact in the source's format, so that one pair of
// comparisons decides and a NaN fails both.
void FunctionLowering::truncate(const wasm::OpContext& op, llvm::IntegerType* to, bool is_signed) {
  Value* value = pop();
  locate(op);
  const bool is_f32 = value->getType()->isFloatTy();
  const int width = static_cast<int>(to->getBitWidth());
  const double high = std::ldexp(1.0, is_signed ? width - 1 : width);
  double low = -1.0;
  // MIN - 1 where the format has it, the next number below MIN otherwise.
  if (is_signed && is_f32) low = std::nextafter(static_cast<float>(-high), -HUGE_VALF);
  else if (is_signed) low = width == 32 ? -high - 1.0 : std::nextafter(-high, -HUGE_VAL);
  auto bound = [&](double limit) { return llvm::ConstantFP::get(value->getType(), limit); };
  Value* in_range = ir.CreateAnd(ir.CreateFCmpOGT(value, bound(low)), ir.CreateFCmpOLT(value, bound(high)));
  llvm::BasicBlock* bad = new_block();
  llvm::BasicBlock* good = new_block();
  ir.CreateCondBr(ir.CreateNot(in_range), bad, good, tags.unlikely());
  place(bad);
  trap_if(ir.CreateFCmpUNO(value, value), abi::Trap::BadConversionToInteger);
  trap(abi::Trap::IntegerOverflow);
  place(good);
  push(is_signed ? ir.CreateFPToSI(value, to) : ir.CreateFPToUI(value, to));
}

void FunctionLowering::truncate_saturating(llvm::Type* to, bool is_signed) {
  Value* value = pop();
  push(ir.CreateIntrinsic(is_signed ? Intrinsic::fptosi_sat : Intrinsic::fptoui_sat, {to, value->getType()}, {value}));
}

LOWER(I32TruncF32S) { truncate(*op_, types.i32, true); }
LOWER(I32TruncF32U) { truncate(*op_, types.i32, false); }
LOWER(I32TruncF64S) { truncate(*op_, types.i32, true); }
LOWER(I32TruncF64U) { truncate(*op_, types.i32, false); }
LOWER(I64TruncF32S) { truncate(*op_, types.i64, true); }
LOWER(I64TruncF32U) { truncate(*op_, types.i64, false); }
LOWER(I64TruncF64S) { truncate(*op_, types.i64, true); }
LOWER(I64TruncF64U) { truncate(*op_, types.i64, false); }
LOWER(I32TruncSatF32S) { truncate_saturating(types.i32, true); }
LOWER(I32TruncSatF32U) { truncate_saturating(types.i32, false); }
LOWER(I32TruncSatF64S) { truncate_saturating(types.i32, true); }
LOWER(I32TruncSatF64U) { truncate_saturating(types.i32, false); }
LOWER(I64TruncSatF32S) { truncate_saturating(types.i64, true); }
LOWER(I64TruncSatF32U) { truncate_saturating(types.i64, false); }
LOWER(I64TruncSatF64S) { truncate_saturating(types.i64, true); }
LOWER(I64TruncSatF64U) { truncate_saturating(types.i64, false); }

#define CONVERT(Name, to, direction) UNARY(Name, ir.Create##direction(a, types.to))
CONVERT(F32ConvertI32S, f32, SIToFP)
CONVERT(F32ConvertI32U, f32, UIToFP)
CONVERT(F32ConvertI64S, f32, SIToFP)
CONVERT(F32ConvertI64U, f32, UIToFP)
CONVERT(F64ConvertI32S, f64, SIToFP)
CONVERT(F64ConvertI32U, f64, UIToFP)
CONVERT(F64ConvertI64S, f64, SIToFP)
CONVERT(F64ConvertI64U, f64, UIToFP)
CONVERT(F32DemoteF64, f32, FPTrunc)
CONVERT(F64PromoteF32, f64, FPExt)
CONVERT(I32ReinterpretF32, i32, BitCast)
CONVERT(I64ReinterpretF64, i64, BitCast)
CONVERT(F32ReinterpretI32, f32, BitCast)
CONVERT(F64ReinterpretI64, f64, BitCast)

} // namespace cusp::compile
