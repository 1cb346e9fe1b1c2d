// Compiles the calls between the components of a plan (DESIGN, decision 11): generates core modules of adapters, puts them among the
// component's modules and lets the plan instantiate them, each right before the core instance that imports from it. Everything after that
// treats them as what they are: core modules, validated and lowered like the others.
#pragma once

#include <deque>
#include <vector>

#include "base/result.h"
#include "component/component.h"

namespace cusp::compile {

// `bytes` keeps what the new modules are read from, and must outlive `component`. Error: Internal.
base::Result<void> add_adapters(component::LinkedComponent& component, std::deque<std::vector<std::uint8_t>>& bytes);

} // namespace cusp::compile
