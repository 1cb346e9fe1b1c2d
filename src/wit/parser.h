// One WIT text to its syntax tree. Private to wit/. Spec: WIT.md, the grammar.
#pragma once

#include "wit/syntax.h"

namespace cusp::wit {

// REQUIRES: `sources` outlive the result.
base::Result<syntax::File> parse_file(const Sources& sources, std::uint32_t file);

} // namespace cusp::wit
