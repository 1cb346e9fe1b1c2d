// One type per index space: FuncIndex is not TypeIndex is not DefinedFuncIndex. Converting is a named call.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace cusp::base {

template <class Tag> struct Index {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::uint32_t value = kNone;

  constexpr Index() = default;
  constexpr explicit Index(std::uint32_t v) : value(v) {}
  constexpr bool is_none() const { return value == kNone; }
  constexpr auto operator<=>(const Index&) const = default;
};

} // namespace cusp::base

template <class Tag> struct std::hash<cusp::base::Index<Tag>> {
  std::size_t operator()(cusp::base::Index<Tag> index) const noexcept { return index.value; }
};
