// What componentize knows before it writes: the world, the modules, and what each of their imports and exports means. Private to compose/.
#pragma once

#include <map>
#include <memory>

#include "compose/componentize.h"
#include "compose/core_import.h"
#include "compose/world_encoder.h"
#include "wasm/module.h"

namespace cusp::compose {

struct PlannedModule {
  std::string name;                // of an adapter; empty: the main module
  std::vector<std::uint8_t> owned; // of a trimmed adapter
  std::span<const std::uint8_t> bytes;
  wasm::Module module;
  std::vector<CoreImport> imports; // of functions and memory, in the order of the module
};

// A function of the world that a module gives.
struct PlannedExport {
  const wit::WorldItem* item = nullptr;
  const wit::Function* function = nullptr;
  std::size_t module = 0;  // of ComponentPlan::modules
  std::string core_name;   // "wasi:cli/run@0.2.0#run"
  std::string post_return; // empty: none
  std::string callback;
  CoreSide side = CoreSide::Export;
};

struct ComponentPlan {
  wit::Graph graph;
  std::vector<std::unique_ptr<PlannedModule>> modules; // the main module first
  std::vector<PlannedExport> exports;
  LiveImports live;

  const wit::World& world() const { return graph.worlds.front(); }
  const PlannedModule& main() const { return *modules.front(); }
};

// The export of `module` that is called `name`, or, for functions of interfaces ("a:b/c@0.2.1#f"), of a compatible version.
const wasm::Export* find_core_export(const wasm::Module& module, std::string_view name);

base::Result<ComponentPlan> plan_component(const ComponentizeInput& input);
base::Result<std::vector<std::uint8_t>> write_component(const ComponentPlan& plan);

} // namespace cusp::compose
