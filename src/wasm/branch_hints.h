// The custom section metadata.code.branch_hint: which way a conditional branch or `if` usually goes. Custom sections never make a module
// invalid, so that a hint which says nonsense is no hint. Spec: the branch hinting proposal.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "wasm/module.h"

namespace cusp::wasm {

struct BranchHint {
  std::uint32_t func = 0;   // FuncIndex
  std::uint32_t offset = 0; // of the operator, from the function body's first byte (its local declarations)
  bool taken = false;
};

// Sorted by function and offset, as far as the section can be read. Empty without such a section.
std::vector<BranchHint> read_branch_hints(const Module& module);

// For those who check custom sections: that every hint is well formed, in order, and names an `if` or `br_if`. Error: Malformed or
// Invalid at the offset of the section or operator.
base::Result<void> check_branch_hints(const Module& module);

} // namespace cusp::wasm
