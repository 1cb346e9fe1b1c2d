// How a module is cut for parallel compilation: consecutive functions, about kGroupBytes of bodies each. The cut
// depends on the module alone, never on the number of threads, so that the artifact does not either.
#pragma once

#include <cstdint>
#include <vector>

#include "wasm/module.h"

namespace cusp::compile {

struct FunctionGroup {
  std::uint32_t module = 0;
  std::uint32_t first = 0, end = 0; // DefinedFuncIndex
  std::uint64_t bytes = 0;          // of bodies
};

inline constexpr std::uint64_t kGroupBytes = 48 << 10;

void append_groups(const wasm::Module& module, std::uint32_t module_index, std::vector<FunctionGroup>& groups);

} // namespace cusp::compile
