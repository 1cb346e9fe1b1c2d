// Components, and WIT packages in binary form, as WIT.
// Spec: component-model WIT.md "Package Format".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "component/component.h"
#include "compose/component_type.h"
#include "wit/graph.h"

namespace cusp::compose {

// The world of a component: `root` of package root:component, its only world. Error: as component_type's; Unsupported for what WIT cannot
// say: core modules and components as imports or exports, instances inside instances.
base::Result<wit::Graph> component_to_wit(std::span<const std::uint8_t> bytes);

// The package that a component of type exports alone is. Error: as above, and Invalid where the bytes are no such package.
base::Result<wit::Graph> package_to_wit(std::span<const std::uint8_t> bytes);

// The union of the worlds that core modules carry as metadata, as the only world of package root:component. Interfaces of compatible versions are
// one, under the newest of their names. Error: as package_to_wit's.
base::Result<wit::Graph> merge_metadata(const std::vector<std::span<const std::uint8_t>>& worlds);

// One of the two, by what the component exports.
base::Result<wit::Graph> binary_to_wit(std::span<const std::uint8_t> bytes);

} // namespace cusp::compose
