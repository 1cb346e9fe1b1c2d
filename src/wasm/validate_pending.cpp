// Operators of features that the table knows and nothing runs yet. Their features are off, so that step() refuses them before it comes here;
// should one be switched on by hand, it is refused here.
#include "wasm/function_validator.h"

namespace cusp::wasm {

#define CUSP_PENDING(lowering, Imm)                                                                                    \
  bool FunctionValidator::check_##lowering(Imm&) { return unsupported(op_info(op_).feature); }

CUSP_PENDING(AdapterTrap, TrapImm)
#undef CUSP_PENDING

} // namespace cusp::wasm
