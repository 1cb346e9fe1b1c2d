// A string from one guest into another. What a guest can see of it is how its realloc is called, and that follows the reference to the
// letter: a first guess by the length of the source, the worst case when that was wrong, and the exact size in the end.
// Spec: CanonicalABI.md, store_string_into_range.
#pragma once

#include <string_view>

#include "canon/context.h"

namespace cusp::canon {

// `text`: the string, as valid UTF-8. `source`, `tagged_code_units`: how the guest had it that it comes from.
void store_string(LiftLowerContext& to, std::string_view text, component::StringEncoding source,
                  std::uint32_t tagged_code_units, std::uint32_t& pointer, std::uint32_t& new_tagged_code_units);

} // namespace cusp::canon
