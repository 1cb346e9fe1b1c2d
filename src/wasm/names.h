// The name section: what the text of a module called its things. It is a custom section, so a damaged one is read as
// far as it goes and never an error. Spec: appendix "Name Section".
#pragma once

#include <cstdint>
#include <span>

#include "wasm/module.h"

namespace cusp::wasm {

// `bytes`: the section's content after its name. The names point into it.
Names parse_names(std::span<const std::uint8_t> bytes);

} // namespace cusp::wasm
