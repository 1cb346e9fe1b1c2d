// Variants of WASI 0.3 that leave room for what is not listed: some cases without payload, and behind them other(option<string>). In C++ the
// number of the case, which the packages make from their own enumerations.
#pragma once

#include "canon/abi.h"

namespace cusp::wasi {

template <std::uint32_t kOther> struct OpenEnum {
  std::uint32_t which = kOther;
  std::optional<std::string> text; // of other
};

namespace detail {
template <std::uint32_t kOther> struct OpenTraits {
  using Type = OpenEnum<kOther>;
  template <std::size_t I> static Type make() { return {static_cast<std::uint32_t>(I), std::nullopt}; }
  template <std::size_t I> static Type make(std::optional<std::string> text) { return {kOther, std::move(text)}; }
  template <class U, class F> static void visit(U&& value, F f) {
    if (value.which < kOther) f(value.which);
    else f(kOther, std::forward<U>(value).text);
  }
};
template <std::size_t> using NoPayload = std::monostate;
template <std::uint32_t kOther, class Indices> struct OpenAbi;
template <std::uint32_t kOther, std::size_t... I> struct OpenAbi<kOther, std::index_sequence<I...>>
    : canon::VariantAbi<OpenTraits<kOther>, NoPayload<I>..., std::optional<std::string>> {};
} // namespace detail

} // namespace cusp::wasi

template <std::uint32_t kOther> struct cusp::canon::Abi<cusp::wasi::OpenEnum<kOther>>
    : cusp::wasi::detail::OpenAbi<kOther, std::make_index_sequence<kOther>> {
  static constexpr TypeDesc desc{component::TypeKind::Variant, Abi::descs};
};
