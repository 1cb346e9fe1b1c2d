// ast::Component to LinkPlan: runs the definitions of the root, and of every nested component once per instantiation, over index spaces of
// resolved things. What is instantiated at compile time leaves nothing behind but core instances, canonical functions and types.
// Private to component/. Error: Invalid with offset and path; Unlinkable where an argument is missing; LimitExceeded.
#pragma once

#include "component/decoder.h"

namespace cusp::component {

base::Result<LinkPlan> flatten(const Decoded& decoded);

} // namespace cusp::component
