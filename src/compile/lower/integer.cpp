// Integers: arithmetic, comparisons, bits, conversions among integers (spec 4.3.2).
// Two's complement wraps, so that no add carries nsw or nuw; shifts take their count modulo the width; division is the
// only operator that traps.
#include <llvm/IR/PatternMatch.h>

#include "compile/lower/function_lowering.h"

namespace cusp::compile {

using llvm::Value;

namespace {

Value* masked(llvm::IRBuilder<>& ir, Value* count) {
  return ir.CreateAnd(count, count->getType()->getIntegerBitWidth() - 1);
}

} // namespace

// Comparisons leave an i32; what branches on one takes the i1 back (condition()).
#define COMPARE_INT(Name, text)                                                                                        \
  COMPARE(I32##Name, ir.CreateICmp##text(a, b))                                                                        \
  COMPARE(I64##Name, ir.CreateICmp##text(a, b))
COMPARE_INT(Eq, EQ)
COMPARE_INT(Ne, NE)
COMPARE_INT(LtS, SLT)
COMPARE_INT(LtU, ULT)
COMPARE_INT(GtS, SGT)
COMPARE_INT(GtU, UGT)
COMPARE_INT(LeS, SLE)
COMPARE_INT(LeU, ULE)
COMPARE_INT(GeS, SGE)
COMPARE_INT(GeU, UGE)

LOWER(I32Eqz) { push(ir.CreateZExt(ir.CreateNot(condition(pop())), types.i32)); }
LOWER(I64Eqz) { push(ir.CreateZExt(ir.CreateIsNull(pop()), types.i32)); }

#define BINARY_INT(Name, expression)                                                                                   \
  BINARY(I32##Name, expression)                                                                                        \
  BINARY(I64##Name, expression)
BINARY_INT(Add, ir.CreateAdd(a, b))
BINARY_INT(Sub, ir.CreateSub(a, b))
BINARY_INT(Mul, ir.CreateMul(a, b))
BINARY_INT(And, ir.CreateAnd(a, b))
BINARY_INT(Or, ir.CreateOr(a, b))
BINARY_INT(Xor, ir.CreateXor(a, b))
BINARY_INT(Shl, ir.CreateShl(a, masked(ir, b)))
BINARY_INT(ShrS, ir.CreateAShr(a, masked(ir, b)))
BINARY_INT(ShrU, ir.CreateLShr(a, masked(ir, b)))
BINARY_INT(Rotl, ir.CreateIntrinsic(llvm::Intrinsic::fshl, {a->getType()}, {a, a, b}))
BINARY_INT(Rotr, ir.CreateIntrinsic(llvm::Intrinsic::fshr, {a->getType()}, {a, a, b}))

#define UNARY_INT(Name, expression)                                                                                    \
  UNARY(I32##Name, expression)                                                                                         \
  UNARY(I64##Name, expression)
UNARY_INT(Clz, ir.CreateBinaryIntrinsic(llvm::Intrinsic::ctlz, a, ir.getFalse()))
UNARY_INT(Ctz, ir.CreateBinaryIntrinsic(llvm::Intrinsic::cttz, a, ir.getFalse()))
UNARY_INT(Popcnt, ir.CreateUnaryIntrinsic(llvm::Intrinsic::ctpop, a))
UNARY_INT(Extend8S, ir.CreateSExt(ir.CreateTrunc(a, types.i8), a->getType()))
UNARY_INT(Extend16S, ir.CreateSExt(ir.CreateTrunc(a, types.i16), a->getType()))
UNARY(I64Extend32S, ir.CreateSExt(ir.CreateTrunc(a, types.i32), types.i64))
UNARY(I32WrapI64, ir.CreateTrunc(a, types.i32))
UNARY(I64ExtendI32S, ir.CreateSExt(a, types.i64))
UNARY(I64ExtendI32U, ir.CreateZExt(a, types.i64))

// Division: LLVM's is undefined where WebAssembly's traps, and x86 faults where rem_s(MIN, -1) is 0.
void FunctionLowering::divide(const wasm::OpContext& op, bool is_signed) {
  Value* divisor = pop();
  Value* dividend = pop();
  locate(op);
  trap_if(ir.CreateIsNull(divisor), abi::Trap::IntegerDivideByZero);
  Value* is_minus_one = ir.CreateICmpEQ(divisor, llvm::Constant::getAllOnesValue(divisor->getType()));
  if (is_signed && !match(is_minus_one, llvm::PatternMatch::m_Zero())) {
    Value* minimum = ir.getInt(llvm::APInt::getSignedMinValue(dividend->getType()->getIntegerBitWidth()));
    trap_if(ir.CreateAnd(ir.CreateICmpEQ(dividend, minimum), is_minus_one), abi::Trap::IntegerOverflow);
  }
  push(is_signed ? ir.CreateSDiv(dividend, divisor) : ir.CreateUDiv(dividend, divisor));
}

void FunctionLowering::remainder(const wasm::OpContext& op, bool is_signed) {
  Value* divisor = pop();
  Value* dividend = pop();
  locate(op);
  trap_if(ir.CreateIsNull(divisor), abi::Trap::IntegerDivideByZero);
  if (!is_signed) return push(ir.CreateURem(dividend, divisor));
  // x rem -1 is x rem 1: both are 0, and 1 never overflows.
  Value* minus_one = llvm::Constant::getAllOnesValue(divisor->getType());
  Value* one = llvm::ConstantInt::get(divisor->getType(), 1);
  Value* safe = ir.CreateSelect(ir.CreateICmpEQ(divisor, minus_one), one, divisor);
  push(ir.CreateSRem(dividend, safe));
}

LOWER(I32DivS) { divide(*op_, true); }
LOWER(I64DivS) { divide(*op_, true); }
LOWER(I32DivU) { divide(*op_, false); }
LOWER(I64DivU) { divide(*op_, false); }
LOWER(I32RemS) { remainder(*op_, true); }
LOWER(I64RemS) { remainder(*op_, true); }
LOWER(I32RemU) { remainder(*op_, false); }
LOWER(I64RemU) { remainder(*op_, false); }

// Wide arithmetic: 128 bits as pairs of i64, the low half first.
void FunctionLowering::wide_arithmetic(llvm::Instruction::BinaryOps operation) {
  auto pop_pair = [&] {
    Value* high = ir.CreateZExt(pop(), types.i128);
    Value* low = ir.CreateZExt(pop(), types.i128);
    return ir.CreateOr(ir.CreateShl(high, 64), low);
  };
  Value* b = pop_pair();
  Value* a = pop_pair();
  Value* result = ir.CreateBinOp(operation, a, b);
  push(ir.CreateTrunc(result, types.i64));
  push(ir.CreateTrunc(ir.CreateLShr(result, 64), types.i64));
}

void FunctionLowering::wide_product(bool is_signed) {
  Value* b = ir.CreateIntCast(pop(), types.i128, is_signed);
  Value* a = ir.CreateIntCast(pop(), types.i128, is_signed);
  Value* result = ir.CreateMul(a, b);
  push(ir.CreateTrunc(result, types.i64));
  push(ir.CreateTrunc(ir.CreateLShr(result, 64), types.i64));
}

LOWER(I64Add128) { wide_arithmetic(llvm::Instruction::Add); }
LOWER(I64Sub128) { wide_arithmetic(llvm::Instruction::Sub); }
LOWER(I64MulWideS) { wide_product(true); }
LOWER(I64MulWideU) { wide_product(false); }

} // namespace cusp::compile
