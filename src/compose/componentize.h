// A core module into a component: its imports become the component's, lowered by the canonical ABI, its exports are lifted into what the world
// exports. The module says its world in `component-type` sections, or the caller gives one. Imports of WASI 0.1 and the like go to adapter
// modules, which bring worlds of their own.
// Spec: CanonicalABI.md; the conventions of names that language toolchains share.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "wit/graph.h"

namespace cusp::compose {

struct AdapterInput {
  std::string name; // the module name that it satisfies, such as wasi_snapshot_preview1
  std::vector<std::uint8_t> bytes;
};

struct ComponentizeInput {
  std::span<const std::uint8_t> module;
  std::vector<AdapterInput> adapters;
  const wit::Graph* graph = nullptr; // null: the module's own metadata alone
  wit::WorldId world;                // of `graph`
};

// Error: InvalidArgument where no world is known; Unlinkable where the module and the world do not fit, in WIT's terms; Invalid, Malformed,
// Unsupported for the modules themselves.
base::Result<std::vector<std::uint8_t>> componentize(const ComponentizeInput& input);

} // namespace cusp::compose
