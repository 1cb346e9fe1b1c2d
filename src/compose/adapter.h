// An adapter module cut down to what one component needs of it: functions that nothing reaches are gone, and with them the imports that only they
// had. The adapter's stack is allocated in the main module's memory: by its `cabi_realloc`, once, when an exported function first runs, or by
// growing the memory at the start. Adapters mark what this needs by the names of their globals: `__stack_pointer`, `allocation_state`.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "wasm/module.h"

namespace cusp::compose {

inline constexpr std::string_view kMainModule = "__main_module__"; // what adapters call the module that they serve

// `realloc`: the main module's export of that kind. REQUIRES: the module exports `exports`. Error: Unsupported for adapters with
// elements, data or a memory of their own; what a body's validation finds.
base::Result<std::vector<std::uint8_t>> trim_adapter(const wasm::Module& adapter, const std::set<std::string>& exports,
                                                     const std::optional<std::string>& realloc);

} // namespace cusp::compose
