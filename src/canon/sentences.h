// What is said about values that cannot cross a component's border, by whoever finds out: the host's walk over them or a compiled adapter
// (assist.cpp). The reference's adapters and its host use different words; one sentence holds both.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace cusp::canon {

inline constexpr std::string_view kBorrowsRemain = "borrow handles still remain at the end of the call";
inline constexpr std::string_view kUncaught = "uncaught exception propagated out of component: thrown Wasm exception";
inline constexpr std::string_view kBadDiscriminant = "invalid variant discriminant";
inline constexpr std::string_view kBadChar = "converted integer out of range for `char`";
inline constexpr std::string_view kReallocUnaligned = "unaligned pointer (realloc return: result not aligned)";

inline std::string unaligned_text(std::string_view what, std::uint32_t alignment) {
  return fmt::format("unaligned pointer ({} pointer not aligned to {})", what, alignment);
}
inline std::string out_of_bounds_text(std::string_view what) {
  return fmt::format("{0} content out-of-bounds ({0} pointer/length out of bounds of memory)", what);
}
inline std::string too_long_text(std::string_view what, std::uint64_t bytes) {
  return fmt::format("{0} content out-of-bounds (a {0} of {1} bytes is too long)", what, bytes);
}
inline std::string realloc_bounds_text(std::string_view what) {
  return fmt::format("{} content out-of-bounds (realloc return: beyond end of memory)", what);
}

} // namespace cusp::canon
