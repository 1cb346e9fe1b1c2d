// Where the imports of a component's modules lead: the plan says which core instance gives each. Where a module has one instance, its calls
// are direct, find the other's VM context at a constant distance, and may be inlined across modules.
// Toolchains break the cycle between a module and its canonical functions with a table: the module imports functions that do no more
// than call what lies at a place of it, and a module without code fills it later. Such calls lead to what is in the table, for nobody
// else can write it.
#pragma once

#include <optional>
#include <vector>

#include "compile/lower/lowering.h"
#include "component/component.h"

namespace cusp::compile {

using ImportTargets = std::vector<std::optional<CallTarget>>; // by FuncIndex, of imports

// By module.
std::vector<ImportTargets> import_targets(const component::LinkedComponent& component);

} // namespace cusp::compile
