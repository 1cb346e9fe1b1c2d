// Validates a whole component: every index, type, name and option, in nested components too, whether or not anything instantiates them.
// Leaves in the ast what flattening needs and cannot know: shapes of instances, types of thread start functions. Private to component/.
// Spec: Binary.md, Explainer.md, CanonicalABI.md ("Canonical Definitions").
#pragma once

#include "component/decoder.h"

namespace cusp::component {

// Error: Invalid, Unsupported, LimitExceeded, with the byte offset and the path inside the component. Bodies of core modules are not
// looked at.
base::Result<void> validate(Decoded& decoded, const Features& features);

} // namespace cusp::component
