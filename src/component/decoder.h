// Bytes to ast::Component, core modules set aside. Checks form and counts, not meaning. For this room, and for compose/, which
// reads the types of components.
#pragma once

#include "component/ast.h"

namespace cusp::component {

struct Decoded {
  std::shared_ptr<ast::Component> root;
  std::vector<CoreModule> modules; // in the order of the input, nested components included
};

// REQUIRES: `bytes` outlive the result.
base::Result<Decoded> decode_component(std::span<const std::uint8_t> bytes, const wasm::Features& features);

} // namespace cusp::component
