// Whether a component fits a world: it imports no more than the world gives, and exports all that the world asks for.
#pragma once

#include "compose/match.h"

namespace cusp::compose {

// Empty: it fits. `component` is the world of a component's own graph.
std::vector<Difference> check_world(const wit::Graph& component_graph, const wit::World& component,
                                    const wit::Graph& graph, const wit::World& world);

} // namespace cusp::compose
