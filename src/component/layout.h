// Completes a TypeDef: size, alignment, offsets, flattening, from the types it refers to. Private to component/.
// Spec: CanonicalABI.md, "Alignment", "Element Size", "Flattening".
#pragma once

#include "component/types.h"

namespace cusp::component {

// REQUIRES: everything `def` refers to is complete in `types`. Error: Invalid when the type is too large.
bool complete_layout(const TypeTable& types, TypeDef& def);

} // namespace cusp::component
