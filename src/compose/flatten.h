// The core type that a WIT function has on either side of the canonical ABI, under a 32-bit memory.
// Spec: CanonicalABI.md "Flattening".
#pragma once

#include "wasm/types.h"
#include "wit/graph.h"

namespace cusp::compose {

enum class CoreSide : std::uint8_t { Import, AsyncImport, Export, AsyncExport, StackfulExport };

struct CoreSignature {
  wasm::FuncType type;
  bool needs_memory = false; // for the options of the lift or lower
  bool needs_realloc = false;
};

CoreSignature core_signature(const wit::Graph& graph, const wit::Function& function, CoreSide side);
// Whether a value of the type has parts of its own in memory: strings and lists.
bool has_pointers(const wit::Graph& graph, wit::Type type);
// Of task.return for a function: its result as parameters.
CoreSignature task_return_signature(const wit::Graph& graph, const wit::Function& function);

} // namespace cusp::compose
