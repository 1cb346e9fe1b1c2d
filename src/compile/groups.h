// How a module is cut for parallel compilation and for the cache: consecutive functions, cut where the contents say so. A
// function whose hash is low for its size ends a group, so that a change moves the cuts next to it and no others. The
// cut depends on the module alone, never on the number of threads, so that the artifact does not either.
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

// Of bodies: what a group has at least, unless the module ends; on average; and when it is cut in any case. Inlining sees
// a group, and a change costs one.
inline constexpr std::uint64_t kMinGroupBytes = 12 << 10, kGroupBytes = 24 << 10, kMaxGroupBytes = 72 << 10;

void append_groups(const wasm::Module& module, std::uint32_t module_index, std::vector<FunctionGroup>& groups);

} // namespace cusp::compile
