// The VM contexts of a component's core instances lie one after the other from the slot's base, in the order of the link plan, so that
// compiled code goes from one to another by a constant distance.
#pragma once

#include "abi/vm.h"

namespace cusp::abi {

inline constexpr std::uint64_t kContextAlign = 64;

constexpr std::uint64_t context_space(const ModuleShape& shape) {
  return (std::uint64_t{VmLayout(shape).size()} + kContextAlign - 1) / kContextAlign * kContextAlign;
}

} // namespace cusp::abi
