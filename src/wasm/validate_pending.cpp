// Operators of features that the table knows and nothing runs yet. Their features are off, so that step() refuses them before it comes here;
// should one be switched on by hand, it is refused here.
#include "wasm/function_validator.h"

namespace cusp::wasm {

#define CUSP_PENDING(lowering, Imm)                                                                                    \
  bool FunctionValidator::check_##lowering(Imm&) { return unsupported(op_info(op_).feature); }

CUSP_PENDING(Throw, TagImm)
CUSP_PENDING(ThrowRef, NoImm)
CUSP_PENDING(TryTable, TryTableImm)
CUSP_PENDING(Try, BlockImm)
CUSP_PENDING(Catch, CatchImm)
CUSP_PENDING(CatchAll, FrameImm)
CUSP_PENDING(Rethrow, LabelImm)
CUSP_PENDING(Delegate, DelegateImm)
CUSP_PENDING(RefEq, NoImm)
CUSP_PENDING(StructNew, TypeImm)
CUSP_PENDING(StructNewDefault, TypeImm)
CUSP_PENDING(StructGet, FieldImm)
CUSP_PENDING(StructSet, FieldImm)
CUSP_PENDING(ArrayNew, TypeImm)
CUSP_PENDING(ArrayNewDefault, TypeImm)
CUSP_PENDING(ArrayNewFixed, ArrayFixedImm)
CUSP_PENDING(ArrayNewData, ArrayDataImm)
CUSP_PENDING(ArrayNewElem, ArrayElemImm)
CUSP_PENDING(ArrayGet, TypeImm)
CUSP_PENDING(ArraySet, TypeImm)
CUSP_PENDING(ArrayLen, NoImm)
CUSP_PENDING(ArrayFill, TypeImm)
CUSP_PENDING(ArrayCopy, ArrayCopyImm)
CUSP_PENDING(ArrayInitData, ArrayDataImm)
CUSP_PENDING(ArrayInitElem, ArrayElemImm)
CUSP_PENDING(RefTest, CastImm)
CUSP_PENDING(RefCast, CastImm)
CUSP_PENDING(RefTest, CastNullImm)
CUSP_PENDING(RefCast, CastNullImm)
CUSP_PENDING(BrOnCast, BrOnCastImm)
CUSP_PENDING(BrOnCastFail, BrOnCastImm)
CUSP_PENDING(AnyConvertExtern, NoImm)
CUSP_PENDING(ExternConvertAny, NoImm)
CUSP_PENDING(RefI31, NoImm)
CUSP_PENDING(I31Get, NoImm)
CUSP_PENDING(AdapterTrap, TrapImm)
#undef CUSP_PENDING

} // namespace cusp::wasm
