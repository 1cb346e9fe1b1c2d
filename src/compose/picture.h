// The graph of a composition: for Graphviz, and as text for a terminal.
#pragma once

#include <string>

#include "compose/composition.h"

namespace cusp::compose {

std::string draw_dot(const Composition& plan);

// front  (shop-front.wasm)
// ├─ shop:edge/auth@0.1.0 ← auth
// └─ wasi:http/types@0.2.12 ← outside
std::string draw_text(const Composition& plan);

} // namespace cusp::compose
