// Names of symbols that only the lowering itself needs; the ones that others use stand in lowering.h.
#pragma once

#include "abi/vm.h"

namespace cusp::compile {

// The stub that a call stops the guest with: cusp_trap_stubs + 16 * trap.
const char* trap_symbol(abi::Trap trap);

// Attribute of functions that hold guest code, as opposed to trampolines and stubs.
inline constexpr const char* kGuestAttribute = "cusp-guest";

} // namespace cusp::compile
