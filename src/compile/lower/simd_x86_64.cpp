// SIMD operators for which x86-64 has an instruction that plain vector code would not find, or needs a sequence of its
// own. SSE4.1 is the baseline; LLVM uses the VEX and EVEX forms where the target has them.
#include <llvm/IR/IntrinsicsX86.h>

#include "compile/lower/function_lowering.h"

namespace cusp::compile {

using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

// pshufb gives 0 for indices with the top bit set and looks at four bits otherwise: indices from 16 on get it by adding
// 0x70, saturating.
VECTOR_BINARY(I8x16Swizzle, i8x16,
              ir.CreateIntrinsic(Intrinsic::x86_ssse3_pshuf_b_128, {},
                                 {a, ir.CreateBinaryIntrinsic(Intrinsic::uadd_sat, b,
                                                              llvm::ConstantInt::get(types.i8x16, 0x70))}))

#define PACK(Name, from, instruction) VECTOR_BINARY(Name, from, ir.CreateIntrinsic(Intrinsic::instruction, {}, {a, b}))
PACK(I8x16NarrowI16x8S, i16x8, x86_sse2_packsswb_128)
PACK(I8x16NarrowI16x8U, i16x8, x86_sse2_packuswb_128)
PACK(I16x8NarrowI32x4S, i32x4, x86_sse2_packssdw_128)
PACK(I16x8NarrowI32x4U, i32x4, x86_sse41_packusdw)

PACK(I32x4DotI16x8S, i16x8, x86_sse2_pmadd_wd)
VECTOR_UNARY(I32x4ExtaddPairwiseI16x8S, i16x8,
             ir.CreateIntrinsic(Intrinsic::x86_sse2_pmadd_wd, {}, {a, llvm::ConstantInt::get(types.i16x8, 1)}))
// pmaddubsw takes its first operand as unsigned.
VECTOR_UNARY(I16x8ExtaddPairwiseI8x16S, i8x16,
             ir.CreateIntrinsic(Intrinsic::x86_ssse3_pmadd_ub_sw_128, {}, {llvm::ConstantInt::get(types.i8x16, 1), a}))

// pmulhrsw wraps where both factors are -1.0 and the specification saturates: that one product, 0x8000, becomes 0x7fff.
LOWER(I16x8Q15mulrSatS) {
  Value* b = pop(types.i16x8);
  Value* a = pop(types.i16x8);
  Value* product = ir.CreateIntrinsic(Intrinsic::x86_ssse3_pmul_hr_sw_128, {}, {a, b});
  Value* wrapped = ir.CreateICmpEQ(product, llvm::ConstantInt::get(types.i16x8, 0x8000));
  push(ir.CreateXor(product, ir.CreateSExt(wrapped, types.i16x8)));
}

// cvttps2dq and cvttpd2dq give 0x80000000 for whatever does not fit: right for what is too small. NaNs are made 0
// first.
LOWER(I32x4TruncSatF32x4S) {
  Value* value = pop(types.f32x4);
  Value* number = ir.CreateSelect(ir.CreateFCmpORD(value, value), value, llvm::Constant::getNullValue(types.f32x4));
  Value* too_large = ir.CreateFCmpOGE(number, llvm::ConstantFP::get(types.f32x4, 2147483648.0));
  Value* result = ir.CreateIntrinsic(Intrinsic::x86_sse2_cvttps2dq, {}, {number});
  push(ir.CreateXor(result, ir.CreateSExt(too_large, types.i32x4)));
}

// In two halves: what is below 2^31, and what is above. The first is 0x80000000 where there is a second.
LOWER(I32x4TruncSatF32x4U) {
  Value* zero = llvm::Constant::getNullValue(types.f32x4);
  Value* limit = llvm::ConstantFP::get(types.f32x4, 2147483648.0);
  Value* value = pop(types.f32x4);
  value = ir.CreateSelect(ir.CreateFCmpOGT(value, zero), value, zero);
  Value* low = ir.CreateIntrinsic(Intrinsic::x86_sse2_cvttps2dq, {}, {value});
  Value* rest = ir.CreateFSub(value, limit);
  Value* saturated = ir.CreateSExt(ir.CreateFCmpOGE(rest, limit), types.i32x4);
  Value* high = ir.CreateXor(ir.CreateIntrinsic(Intrinsic::x86_sse2_cvttps2dq, {}, {rest}), saturated);
  high = ir.CreateBinaryIntrinsic(Intrinsic::smax, high, llvm::Constant::getNullValue(types.i32x4));
  push(ir.CreateAdd(low, high));
}

LOWER(I32x4TruncSatF64x2SZero) {
  Value* value = pop(types.f64x2);
  Value* limit = llvm::ConstantFP::get(types.f64x2, 2147483647.0);
  value = ir.CreateSelect(ir.CreateFCmpORD(value, value), value, llvm::Constant::getNullValue(types.f64x2));
  value = ir.CreateSelect(ir.CreateFCmpOLT(value, limit), value, limit);
  push(ir.CreateIntrinsic(Intrinsic::x86_sse2_cvttpd2dq, {}, {value}));
}

// A whole number below 2^32 added to 2^52 stands in the low bits of the sum.
LOWER(I32x4TruncSatF64x2UZero) {
  Value* zero = llvm::Constant::getNullValue(types.f64x2);
  Value* limit = llvm::ConstantFP::get(types.f64x2, 4294967295.0);
  Value* value = pop(types.f64x2);
  value = ir.CreateSelect(ir.CreateFCmpOGT(value, zero), value, zero);
  value = ir.CreateSelect(ir.CreateFCmpOLT(value, limit), value, limit);
  value = ir.CreateUnaryIntrinsic(Intrinsic::trunc, value);
  value = ir.CreateFAdd(value, llvm::ConstantFP::get(types.f64x2, 4503599627370496.0));
  Value* words = ir.CreateBitCast(value, types.i32x4);
  push(ir.CreateShuffleVector(words, llvm::Constant::getNullValue(types.i32x4), {0, 2, 4, 5}));
}

} // namespace cusp::compile
