// The canonical ABI of C++ types, at C++ compile time. Abi<T> knows size, alignment, flat count and description of T,
// and moves values between C++ and a guest: load/store through memory, lift_flat/lower_flat through core values. bind.h
// strings them together. Flat values sit in abi::ValRaw slots, written zero-extended to 64 bits. So the joined types of
// a variant's payloads need no conversion: reading an f32 from a slot that was widened to i64 takes its low four bytes,
// as the ABI wants. `at` pointers were checked (bounds and alignment) by whoever loads the outermost value. Borrowed
// types (string_view, span, Borrow) are parameters of host functions only: they are good until the call returns,
// suspends or calls the guest, whichever is first. Spec: CanonicalABI.md, "Loading", "Storing", "Flat Lifting", "Flat
// Lowering".
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "canon/context.h"
#include "canon/describe.h"

namespace cusp::canon {

using ByteList = std::vector<std::uint8_t>;

template <class T> struct Abi;

constexpr std::uint32_t align_to(std::uint32_t at, std::uint32_t alignment) {
  return (at + alignment - 1) & ~(alignment - 1);
}

// No payload: void, or std::monostate where void cannot stand.
template <class T> inline constexpr bool kIsUnit = std::is_void_v<T> || std::is_same_v<T, std::monostate>;

template <class T> T load_raw(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T> void store_raw(std::uint8_t* at, T value) { std::memcpy(at, &value, sizeof value); }

// --- numbers, bool, char
template <class T, component::TypeKind kKind> struct NumberAbi {
  static constexpr std::uint32_t size = sizeof(T), alignment = sizeof(T), flat_count = 1;
  static constexpr TypeDesc desc{kKind};
  static T clean(T value) { // lifted floats carry one NaN only
    if constexpr (std::is_same_v<T, float>) return value == value ? value : std::bit_cast<float>(0x7fc00000u);
    else if constexpr (std::is_same_v<T, double>)
      return value == value ? value : std::bit_cast<double>(std::uint64_t{0x7ff8} << 48);
    else return value;
  }
  static T load(LiftLowerContext&, const std::uint8_t* at) { return clean(load_raw<T>(at)); }
  static void store(LiftLowerContext&, std::uint8_t* at, T value) { store_raw(at, value); }
  static T lift_flat(LiftLowerContext&, const abi::ValRaw* v) {
    if constexpr (std::is_same_v<T, float>) return clean(v->f32);
    else if constexpr (std::is_same_v<T, double>) return clean(v->f64);
    else if constexpr (sizeof(T) == 8) return static_cast<T>(v->i64);
    else return static_cast<T>(v->i32);
  }
  static void lower_flat(LiftLowerContext&, abi::ValRaw* v, T value) {
    if constexpr (std::is_same_v<T, float>) v->i64 = std::bit_cast<std::uint32_t>(value);
    else if constexpr (std::is_same_v<T, double>) v->i64 = std::bit_cast<std::uint64_t>(value);
    else if constexpr (sizeof(T) == 8) v->i64 = static_cast<std::uint64_t>(value);
    else v->i64 = static_cast<std::uint32_t>(static_cast<std::int32_t>(value)); // sign-extended to i32
  }
};
template <> struct Abi<std::uint8_t> : NumberAbi<std::uint8_t, component::TypeKind::U8> {};
template <> struct Abi<std::int8_t> : NumberAbi<std::int8_t, component::TypeKind::S8> {};
template <> struct Abi<std::uint16_t> : NumberAbi<std::uint16_t, component::TypeKind::U16> {};
template <> struct Abi<std::int16_t> : NumberAbi<std::int16_t, component::TypeKind::S16> {};
template <> struct Abi<std::uint32_t> : NumberAbi<std::uint32_t, component::TypeKind::U32> {};
template <> struct Abi<std::int32_t> : NumberAbi<std::int32_t, component::TypeKind::S32> {};
template <> struct Abi<std::uint64_t> : NumberAbi<std::uint64_t, component::TypeKind::U64> {};
template <> struct Abi<std::int64_t> : NumberAbi<std::int64_t, component::TypeKind::S64> {};
template <> struct Abi<float> : NumberAbi<float, component::TypeKind::F32> {};
template <> struct Abi<double> : NumberAbi<double, component::TypeKind::F64> {};

template <> struct Abi<bool> {
  static constexpr std::uint32_t size = 1, alignment = 1, flat_count = 1;
  static constexpr TypeDesc desc{component::TypeKind::Bool};
  static bool load(LiftLowerContext&, const std::uint8_t* at) { return *at != 0; }
  static void store(LiftLowerContext&, std::uint8_t* at, bool value) { *at = value; }
  static bool lift_flat(LiftLowerContext&, const abi::ValRaw* v) { return v->i32 != 0; }
  static void lower_flat(LiftLowerContext&, abi::ValRaw* v, bool value) { v->i64 = value; }
};

template <> struct Abi<char32_t> {
  static constexpr std::uint32_t size = 4, alignment = 4, flat_count = 1;
  static constexpr TypeDesc desc{component::TypeKind::Char};
  static char32_t load(LiftLowerContext& cx, const std::uint8_t* at) {
    return cx.lift_char(load_raw<std::uint32_t>(at));
  }
  static void store(LiftLowerContext& cx, std::uint8_t* at, char32_t value) {
    store_raw<std::uint32_t>(at, static_cast<std::uint32_t>(cx.lift_char(value)));
  }
  static char32_t lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) { return cx.lift_char(v->i32); }
  static void lower_flat(LiftLowerContext& cx, abi::ValRaw* v, char32_t value) { v->i64 = cx.lift_char(value); }
};

// --- what is an address and a length
template <class Derived, class T> struct PairAbi {
  static constexpr std::uint32_t size = 8, alignment = 4, flat_count = 2;
  static T load(LiftLowerContext& cx, const std::uint8_t* at) {
    return Derived::lift(cx, load_raw<std::uint32_t>(at), load_raw<std::uint32_t>(at + 4));
  }
  static T lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) { return Derived::lift(cx, v[0].i32, v[1].i32); }
  template <class U> static void store(LiftLowerContext& cx, std::uint8_t* at, U&& value) {
    std::uint32_t pointer = 0, length = 0;
    Derived::lower(cx, std::forward<U>(value), pointer, length);
    store_raw(at, pointer), store_raw(at + 4, length);
  }
  template <class U> static void lower_flat(LiftLowerContext& cx, abi::ValRaw* v, U&& value) {
    std::uint32_t pointer = 0, length = 0;
    Derived::lower(cx, std::forward<U>(value), pointer, length);
    v[0].i64 = pointer, v[1].i64 = length;
  }
};

template <> struct Abi<std::string_view> : PairAbi<Abi<std::string_view>, std::string_view> {
  static constexpr TypeDesc desc{component::TypeKind::String};
  static std::string_view lift(LiftLowerContext& cx, std::uint32_t pointer, std::uint32_t length) {
    return cx.lift_string(pointer, length);
  }
  static void lower(LiftLowerContext& cx, std::string_view text, std::uint32_t& pointer, std::uint32_t& length) {
    cx.lower_string(text, pointer, length);
  }
};
template <> struct Abi<std::string> : PairAbi<Abi<std::string>, std::string> {
  static constexpr TypeDesc desc{component::TypeKind::String};
  static std::string lift(LiftLowerContext& cx, std::uint32_t pointer, std::uint32_t length) {
    return std::string(cx.lift_string(pointer, length));
  }
  static void lower(LiftLowerContext& cx, std::string_view text, std::uint32_t& pointer, std::uint32_t& length) {
    cx.lower_string(text, pointer, length);
  }
};

// Elements whose bytes in the guest are what C++ has, for any byte pattern.
template <class T> inline constexpr bool kIsPlain =
    std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char32_t>;

template <class E, class List>
void lower_list(LiftLowerContext& cx, List&& list, std::uint32_t& pointer, std::uint32_t& length) {
  std::uint8_t* at = cx.allocate(Abi<E>::alignment, std::uint64_t{list.size()} * Abi<E>::size, pointer);
  if (!at) return;
  length = static_cast<std::uint32_t>(list.size());
  if constexpr (kIsPlain<E>) {
    if (length) std::memcpy(at, list.data(), std::size_t{length} * sizeof(E));
  } else {
    for (auto&& element : list) {
      if (cx.trapped()) return;
      if constexpr (std::is_lvalue_reference_v<List>) Abi<E>::store(cx, at, element);
      else Abi<E>::store(cx, at, std::move(element));
      at += Abi<E>::size;
    }
  }
}

template <class T> inline constexpr const TypeDesc* kListElement[1] = {&Abi<T>::desc};

template <class T> struct Abi<std::vector<T>> : PairAbi<Abi<std::vector<T>>, std::vector<T>> {
  static constexpr TypeDesc desc{component::TypeKind::List, kListElement<T>};
  static std::vector<T> lift(LiftLowerContext& cx, std::uint32_t pointer, std::uint32_t length) {
    std::vector<T> list;
    const std::uint8_t* at = cx.list_range(pointer, length, Abi<T>::size, Abi<T>::alignment);
    if (!at) return list;
    if constexpr (kIsPlain<T>) {
      list.resize(length);
      if (length) std::memcpy(list.data(), at, std::size_t{length} * sizeof(T));
    } else {
      list.reserve(std::min<std::uint32_t>(length, 65536));
      for (std::uint32_t i = 0; i < length && !cx.trapped(); ++i)
        list.push_back(Abi<T>::load(cx, at + std::size_t{i} * Abi<T>::size));
    }
    return list;
  }
  template <class List>
  static void lower(LiftLowerContext& cx, List&& list, std::uint32_t& pointer, std::uint32_t& length) {
    lower_list<T>(cx, std::forward<List>(list), pointer, length);
  }
};

// As a parameter only integers: the guest's memory as it is. As a result any element.
template <class T> struct Abi<std::span<const T>> : PairAbi<Abi<std::span<const T>>, std::span<const T>> {
  static constexpr TypeDesc desc{component::TypeKind::List, kListElement<T>};
  static std::span<const T> lift(LiftLowerContext& cx, std::uint32_t pointer, std::uint32_t length) {
    static_assert(kIsPlain<T>, "take std::vector<T>: only lists of integers can be read in place");
    const std::uint8_t* at = cx.list_range(pointer, length, sizeof(T), sizeof(T));
    return at ? std::span<const T>(reinterpret_cast<const T*>(at), length) : std::span<const T>();
  }
  static void lower(LiftLowerContext& cx, std::span<const T> list, std::uint32_t& pointer, std::uint32_t& length) {
    lower_list<T>(cx, list, pointer, length);
  }
};

template <> struct Abi<GuestBytes> : PairAbi<Abi<GuestBytes>, GuestBytes> {
  static constexpr TypeDesc desc{component::TypeKind::List, kListElement<std::uint8_t>};
  static void lower(LiftLowerContext&, const GuestBytes& bytes, std::uint32_t& pointer, std::uint32_t& length) {
    pointer = bytes.pointer, length = bytes.length;
  }
};

// --- handles
template <class T> struct HandleAbi {
  static constexpr std::uint32_t size = 4, alignment = 4, flat_count = 1;
};
template <class T> struct Abi<Own<T>> : HandleAbi<T> {
  static constexpr TypeDesc desc{component::TypeKind::Own, {}, {}, &kHostResource<T>};
  static Own<T> lift(LiftLowerContext& cx, std::uint32_t handle) {
    return std::unique_ptr<T>(reinterpret_cast<T*>(static_cast<std::uintptr_t>(cx.lift_own(handle, kHostResource<T>))));
  }
  static std::uint32_t lower(LiftLowerContext& cx, Own<T>&& object) {
    std::unique_ptr<T> pointer = object.take();
    std::uint32_t handle = cx.lower_own(reinterpret_cast<std::uintptr_t>(pointer.get()), kHostResource<T>);
    if (handle) pointer.release();
    return handle;
  }
  static Own<T> load(LiftLowerContext& cx, const std::uint8_t* at) { return lift(cx, load_raw<std::uint32_t>(at)); }
  static Own<T> lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) { return lift(cx, v->i32); }
  static void store(LiftLowerContext& cx, std::uint8_t* at, Own<T>&& object) {
    store_raw(at, lower(cx, std::move(object)));
  }
  static void lower_flat(LiftLowerContext& cx, abi::ValRaw* v, Own<T>&& object) {
    v->i64 = lower(cx, std::move(object));
  }
};
template <class T> struct Abi<Borrow<T>> : HandleAbi<T> {
  static constexpr TypeDesc desc{component::TypeKind::Borrow, {}, {}, &kHostResource<T>};
  static Borrow<T> lift(LiftLowerContext& cx, std::uint32_t handle) {
    return Borrow<T>(reinterpret_cast<T*>(static_cast<std::uintptr_t>(cx.lift_borrow(handle, kHostResource<T>))));
  }
  static std::uint32_t lower(LiftLowerContext& cx, Borrow<T> object) {
    return cx.lower_borrow(reinterpret_cast<std::uintptr_t>(object.get()), kHostResource<T>);
  }
  static Borrow<T> load(LiftLowerContext& cx, const std::uint8_t* at) { return lift(cx, load_raw<std::uint32_t>(at)); }
  static Borrow<T> lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) { return lift(cx, v->i32); }
  static void store(LiftLowerContext& cx, std::uint8_t* at, Borrow<T> object) { store_raw(at, lower(cx, object)); }
  static void lower_flat(LiftLowerContext& cx, abi::ValRaw* v, Borrow<T> object) { v->i64 = lower(cx, object); }
};

// --- records and tuples: Fields<T...> is the layout, the Abi of a type says how to reach its members
template <class... T> struct Fields {
  static constexpr std::size_t count = sizeof...(T);
  static constexpr std::uint32_t alignment = std::max({std::uint32_t{1}, Abi<T>::alignment...});
  static constexpr std::uint32_t flat_count = (std::uint32_t{0} + ... + Abi<T>::flat_count);
  struct Layout {
    std::uint32_t offset[count + 1]{}, flat[count + 1]{}, size = 0;
  };
  static constexpr Layout make_layout() {
    Layout layout;
    std::uint32_t at = 0;
    [[maybe_unused]] std::uint32_t flat = 0;
    [[maybe_unused]] std::size_t i = 0;
    ((at = align_to(at, Abi<T>::alignment), layout.offset[i] = at, layout.flat[i] = flat, at += Abi<T>::size,
      flat += Abi<T>::flat_count, ++i),
     ...);
    layout.size = align_to(at, alignment);
    return layout;
  }
  static constexpr Layout layout = make_layout();
  static constexpr std::uint32_t size = layout.size;
  static constexpr std::array<const TypeDesc*, count> descs{&Abi<T>::desc...};

  using Tuple = std::tuple<T...>;
  template <std::size_t... I>
  static Tuple load(LiftLowerContext& cx, [[maybe_unused]] const std::uint8_t* at, std::index_sequence<I...>) {
    (void)cx;
    return Tuple{Abi<T>::load(cx, at + layout.offset[I])...}; // braces: in order
  }
  template <std::size_t... I>
  static Tuple lift_flat(LiftLowerContext& cx, [[maybe_unused]] const abi::ValRaw* v, std::index_sequence<I...>) {
    (void)cx;
    return Tuple{Abi<T>::lift_flat(cx, v + layout.flat[I])...};
  }
};

template <class... T> struct Abi<std::tuple<T...>> {
  using F = Fields<T...>;
  using Indices = std::index_sequence_for<T...>;
  static constexpr std::uint32_t size = F::size, alignment = F::alignment, flat_count = F::flat_count;
  static constexpr TypeDesc desc{component::TypeKind::Tuple, F::descs};
  static std::tuple<T...> load(LiftLowerContext& cx, const std::uint8_t* at) { return F::load(cx, at, Indices()); }
  static std::tuple<T...> lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) {
    return F::lift_flat(cx, v, Indices());
  }
  template <class U> static void store(LiftLowerContext& cx, std::uint8_t* at, U&& value) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (Abi<T>::store(cx, at + F::layout.offset[I], std::get<I>(std::forward<U>(value))), ...);
    }(Indices());
  }
  template <class U> static void lower_flat(LiftLowerContext& cx, abi::ValRaw* v, U&& value) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (Abi<T>::lower_flat(cx, v + F::layout.flat[I], std::get<I>(std::forward<U>(value))), ...);
    }(Indices());
  }
};
template <class A, class B> struct Abi<std::pair<A, B>> : Abi<std::tuple<A, B>> {
  using Base = Abi<std::tuple<A, B>>;
  static std::pair<A, B> load(LiftLowerContext& cx, const std::uint8_t* at) {
    return std::make_from_tuple<std::pair<A, B>>(Base::load(cx, at));
  }
  static std::pair<A, B> lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) {
    return std::make_from_tuple<std::pair<A, B>>(Base::lift_flat(cx, v));
  }
};
// tuple<T, T, …>, or a list of fixed length: they have one layout.
template <class T, std::size_t N> struct Abi<std::array<T, N>> {
  static constexpr std::uint32_t size = Abi<T>::size * N, alignment = Abi<T>::alignment,
                                 flat_count = Abi<T>::flat_count * N;
  static constexpr std::array<const TypeDesc*, N> descs = [] {
    std::array<const TypeDesc*, N> all{};
    for (auto& one : all) one = &Abi<T>::desc;
    return all;
  }();
  static constexpr TypeDesc desc{component::TypeKind::Tuple, descs};
  static std::array<T, N> load(LiftLowerContext& cx, const std::uint8_t* at) {
    std::array<T, N> value{};
    for (std::size_t i = 0; i < N; ++i) value[i] = Abi<T>::load(cx, at + i * Abi<T>::size);
    return value;
  }
  static std::array<T, N> lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) {
    std::array<T, N> value{};
    for (std::size_t i = 0; i < N; ++i) value[i] = Abi<T>::lift_flat(cx, v + i * Abi<T>::flat_count);
    return value;
  }
  static void store(LiftLowerContext& cx, std::uint8_t* at, const std::array<T, N>& value) {
    for (std::size_t i = 0; i < N; ++i) Abi<T>::store(cx, at + i * Abi<T>::size, value[i]);
  }
  static void lower_flat(LiftLowerContext& cx, abi::ValRaw* v, const std::array<T, N>& value) {
    for (std::size_t i = 0; i < N; ++i) Abi<T>::lower_flat(cx, v + i * Abi<T>::flat_count, value[i]);
  }
};

namespace detail {
template <class T, class M> M member_type(M T::*);
template <class T, class Pointers> struct RecordOf;
template <class T, class... M> struct RecordOf<T, std::tuple<M T::*...>> {
  using Tuple = std::tuple<M...>;
};
} // namespace detail

template <DescribedRecord T> struct Abi<T> {
  static constexpr auto pointers = cusp_record_fields(static_cast<T*>(nullptr));
  static constexpr auto labels = cusp_record_labels(static_cast<T*>(nullptr));
  using Tuple = typename detail::RecordOf<T, std::remove_const_t<decltype(pointers)>>::Tuple;
  using Inner = Abi<Tuple>;
  using F = typename Inner::F;
  using Indices = typename Inner::Indices;
  static constexpr std::uint32_t size = F::size, alignment = F::alignment, flat_count = F::flat_count;
  static constexpr TypeDesc desc{component::TypeKind::Record, F::descs, labels};
  static T from(Tuple&& tuple) {
    T value{};
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((value.*std::get<I>(pointers) = std::move(std::get<I>(tuple))), ...);
    }(Indices());
    return value;
  }
  static T load(LiftLowerContext& cx, const std::uint8_t* at) { return from(Inner::load(cx, at)); }
  static T lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) { return from(Inner::lift_flat(cx, v)); }
  template <class U> static void store(LiftLowerContext& cx, std::uint8_t* at, U&& value) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (Abi<std::tuple_element_t<I, Tuple>>::store(cx, at + F::layout.offset[I],
                                                  std::forward<U>(value).*std::get<I>(pointers)),
       ...);
    }(Indices());
  }
  template <class U> static void lower_flat(LiftLowerContext& cx, abi::ValRaw* v, U&& value) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (Abi<std::tuple_element_t<I, Tuple>>::lower_flat(cx, v + F::layout.flat[I],
                                                       std::forward<U>(value).*std::get<I>(pointers)),
       ...);
    }(Indices());
  }
};

} // namespace cusp::canon

#include "canon/abi_variant.h"
