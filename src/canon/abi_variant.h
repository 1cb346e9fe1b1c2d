// The other half of abi.h: types with cases. Variant<Payload...> is the layout and the dispatch; optional, expected and
// std::variant say how to make and take apart the C++ value. A payload of std::monostate (or void) is none. Spec:
// CanonicalABI.md, "despecialize", "load_variant", "lift_flat_variant".
#pragma once

#include "canon/abi.h"

namespace cusp::canon {

namespace detail {
template <class T, bool kUnit = kIsUnit<T>> struct Payload {
  static constexpr std::uint32_t size = Abi<T>::size, alignment = Abi<T>::alignment, flat_count = Abi<T>::flat_count;
  static constexpr const TypeDesc* desc = &Abi<T>::desc;
};
template <class T> struct Payload<T, true> {
  static constexpr std::uint32_t size = 0, alignment = 1, flat_count = 0;
  static constexpr const TypeDesc* desc = nullptr;
};
} // namespace detail

constexpr std::uint32_t discriminant_size(std::size_t cases) { return cases <= 256 ? 1 : cases <= 65536 ? 2 : 4; }

inline std::uint32_t load_discriminant(const std::uint8_t* at, std::uint32_t size) {
  return size == 1 ? *at : size == 2 ? load_raw<std::uint16_t>(at) : load_raw<std::uint32_t>(at);
}
inline void store_discriminant(std::uint8_t* at, std::uint32_t size, std::uint32_t value) {
  std::memcpy(at, &value, size);
}

[[gnu::cold, gnu::noinline]] void trap_discriminant(LiftLowerContext& cx);

// Traits::Type, Traits::make<I>(payload?) and Traits::visit(value, f(index, payload?)).
template <class Traits, class... P> struct VariantAbi {
  using Type = typename Traits::Type;
  static constexpr std::uint32_t cases = sizeof...(P), disc_size = discriminant_size(cases);
  static constexpr std::uint32_t payload_alignment = std::max({detail::Payload<P>::alignment...});
  static constexpr std::uint32_t alignment = std::max(disc_size, payload_alignment);
  static constexpr std::uint32_t payload_offset = align_to(disc_size, payload_alignment);
  static constexpr std::uint32_t size = align_to(payload_offset + std::max({detail::Payload<P>::size...}), alignment);
  static constexpr std::uint32_t payload_flat = std::max({detail::Payload<P>::flat_count...});
  static constexpr std::uint32_t flat_count = 1 + payload_flat;
  static constexpr std::array<const TypeDesc*, cases> descs{detail::Payload<P>::desc...};

  // `Get` lifts a payload of type T from wherever it is.
  template <std::size_t I, class Get> static Type make_case(Get& get) {
    using T = std::tuple_element_t<I, std::tuple<P...>>;
    if constexpr (kIsUnit<T>) return Traits::template make<I>();
    else return Traits::template make<I>(get.template operator()<T>());
  }
  template <class Get> static Type lift_case(LiftLowerContext& cx, std::uint32_t which, Get get) {
    if (which >= cases) [[unlikely]] {
      trap_discriminant(cx);
      which = 0;
    }
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      using Maker = Type (*)(Get&);
      static constexpr Maker makers[] = {&make_case<I, Get>...};
      return makers[which](get);
    }(std::index_sequence_for<P...>());
  }
  static Type load(LiftLowerContext& cx, const std::uint8_t* at) {
    return lift_case(cx, load_discriminant(at, disc_size),
                     [&cx, at]<class T>() { return Abi<T>::load(cx, at + payload_offset); });
  }
  static Type lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) {
    return lift_case(cx, v->i32, [&cx, v]<class T>() { return Abi<T>::lift_flat(cx, v + 1); });
  }
  template <class U> static void store(LiftLowerContext& cx, std::uint8_t* at, U&& value) {
    Traits::visit(std::forward<U>(value), [&cx, at]<class... V>(std::uint32_t which, V&&... payload) {
      store_discriminant(at, disc_size, which);
      (Abi<std::remove_cvref_t<V>>::store(cx, at + payload_offset, std::forward<V>(payload)), ...);
    });
  }
  template <class U> static void lower_flat(LiftLowerContext& cx, abi::ValRaw* v, U&& value) {
    for (std::uint32_t i = 1; i <= payload_flat; ++i) v[i].i64 = 0; // the shorter payloads' rest
    Traits::visit(std::forward<U>(value), [&cx, v]<class... V>(std::uint32_t which, V&&... payload) {
      v->i64 = which;
      (Abi<std::remove_cvref_t<V>>::lower_flat(cx, v + 1, std::forward<V>(payload)), ...);
    });
  }
};

template <class T> struct OptionTraits {
  using Type = std::optional<T>;
  template <std::size_t I, class... P> static Type make(P&&... payload) { return Type{std::forward<P>(payload)...}; }
  template <class U, class F> static void visit(U&& value, F f) {
    if (value) f(1, *std::forward<U>(value));
    else f(0);
  }
};
template <class T> struct Abi<std::optional<T>> : VariantAbi<OptionTraits<T>, std::monostate, T> {
  static constexpr TypeDesc desc{component::TypeKind::Option, kListElement<T>};
};

template <class T, class E> struct ResultTraits {
  using Type = std::expected<T, E>;
  template <std::size_t I, class... P> static Type make(P&&... payload) {
    if constexpr (I == 0) return Type(std::in_place, std::forward<P>(payload)...);
    else return Type(std::unexpect, std::forward<P>(payload)...);
  }
  template <class U, class F> static void visit(U&& value, F f) {
    if (value.has_value()) {
      if constexpr (kIsUnit<T>) f(0);
      else f(0, *std::forward<U>(value));
    } else {
      if constexpr (kIsUnit<E>) f(1);
      else f(1, std::forward<U>(value).error());
    }
  }
};
template <class T, class E> struct Abi<std::expected<T, E>> : VariantAbi<ResultTraits<T, E>, T, E> {
  static constexpr TypeDesc desc{component::TypeKind::Result, VariantAbi<ResultTraits<T, E>, T, E>::descs};
};

template <class... T> struct CaseTraits {
  using Type = std::variant<T...>;
  template <std::size_t I, class... P> static Type make(P&&... payload) {
    return Type(std::in_place_index<I>, std::forward<P>(payload)...);
  }
  template <class U, class F> static void visit(U&& value, F f) {
    auto which = static_cast<std::uint32_t>(value.index());
    std::visit(
        [&](auto&& payload) {
          if constexpr (kIsUnit<std::remove_cvref_t<decltype(payload)>>) f(which);
          else f(which, std::forward<decltype(payload)>(payload));
        },
        std::forward<U>(value));
  }
};
// Cases by position; std::monostate stands for a case without payload, as often as needed (set with
// std::in_place_index).
template <class... T> struct Abi<std::variant<T...>> : VariantAbi<CaseTraits<T...>, T...> {
  static constexpr TypeDesc desc{component::TypeKind::Variant, VariantAbi<CaseTraits<T...>, T...>::descs};
};

template <DescribedEnum T> struct Abi<T> {
  static constexpr auto labels = cusp_enum_labels(static_cast<T*>(nullptr));
  static constexpr std::uint32_t size = discriminant_size(labels.size()), alignment = size, flat_count = 1;
  static constexpr TypeDesc desc{component::TypeKind::Enum, {}, labels};
  static T checked(LiftLowerContext& cx, std::uint32_t which) {
    if (which >= labels.size()) [[unlikely]] {
      trap_discriminant(cx);
      which = 0;
    }
    return static_cast<T>(which);
  }
  static T load(LiftLowerContext& cx, const std::uint8_t* at) { return checked(cx, load_discriminant(at, size)); }
  static void store(LiftLowerContext&, std::uint8_t* at, T value) {
    store_discriminant(at, size, static_cast<std::uint32_t>(value));
  }
  static T lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) { return checked(cx, v->i32); }
  static void lower_flat(LiftLowerContext&, abi::ValRaw* v, T value) { v->i64 = static_cast<std::uint32_t>(value); }
};

template <DescribedFlags T> struct Abi<T> {
  static constexpr auto labels = cusp_flags_labels(static_cast<T*>(nullptr));
  static_assert(labels.size() <= 32);
  static constexpr std::uint32_t size = labels.size() <= 8    ? 1
                                        : labels.size() <= 16 ? 2
                                                              : 4,
                                 alignment = size, flat_count = 1;
  static constexpr std::uint32_t mask =
      labels.size() == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << labels.size()) - 1;
  static constexpr TypeDesc desc{component::TypeKind::Flags, {}, labels};
  static T load(LiftLowerContext&, const std::uint8_t* at) {
    return static_cast<T>(load_discriminant(at, size) & mask);
  }
  static void store(LiftLowerContext&, std::uint8_t* at, T value) {
    store_discriminant(at, size, static_cast<std::uint32_t>(value) & mask);
  }
  static T lift_flat(LiftLowerContext&, const abi::ValRaw* v) { return static_cast<T>(v->i32 & mask); }
  static void lower_flat(LiftLowerContext&, abi::ValRaw* v, T value) {
    v->i64 = static_cast<std::uint32_t>(value) & mask;
  }
};

} // namespace cusp::canon
