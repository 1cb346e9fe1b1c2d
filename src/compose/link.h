// A composition as one component: every part nested once, instantiated as often as the composition says, imports given what they are plugged
// with. Sharing is by construction: an interface imported by several parts is imported once and the one instance is given to all, so
// that a resource which travels between them is one resource.
#pragma once

#include "compose/composition.h"

namespace cusp::compose {

// Every plugged import against the export that it gets. Error: Unlinkable: what is expected and what is found, side by side; a circle.
base::Result<void> check_composition(const Composition& plan);

// Error: as check_composition's; Invalid, Unlinkable for open imports that contradict each other.
base::Result<std::vector<std::uint8_t>> link_composition(const Composition& plan);

// Instances, each after those that it takes from. Error: Unlinkable with the circle.
base::Result<std::vector<std::size_t>> instantiation_order(const Composition& plan);

} // namespace cusp::compose
