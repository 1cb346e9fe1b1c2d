// Whether bytes are UTF-8 (Unicode, table 3-7). Fast where they are ASCII.
#pragma once

#include <cstdint>
#include <string_view>

namespace cusp::base {

enum class Utf8 : std::uint8_t {
  Valid,
  Invalid,
  Incomplete
}; // Incomplete: it ends inside a character that was valid so far

Utf8 check_utf8(std::string_view text);

} // namespace cusp::base
