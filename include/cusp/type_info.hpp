// What the library must know of a C++ type to move its values between the host and a guest: which interface type it stands for, how the
// object holds its parts. Constants, made at C++ compile time; nothing of the canonical ABI is here, that is the library's business.
// You need this file to read which C++ types stand for which interface types:
//   bool; std::int8_t … std::uint64_t; float, double; char32_t     bool, s8 … u64, f32, f64, char
//   std::string                                                    string
//   std::string_view                                               string; good until the call returns, suspends or calls a guest
//   std::vector<T>                                                 list<T>; of pairs, map<K, V>
//   std::span<const T>                                             list<T>; good as long as a std::string_view. Host functions may take
//                                                                  it of integers only: it is the guest's memory then
//   std::optional<T>, std::expected<T, E>                          option<T>, result<T, E>; void or std::monostate: no payload
//   std::variant<T…>                                               variant, cases by position; std::monostate: no payload
//   std::tuple<T…>, std::pair<A, B>, std::array<T, N>              tuple; the last also list<T, N>
//   types with CUSP_RECORD, CUSP_ENUM, CUSP_FLAGS (describe.hpp)   record, enum, flags
//   Own<T>, Borrow<T>; Resource, ResourceRef (resource.hpp)        own, borrow, of host types; of guest types
// All of them must be default-constructible.
// Thread-safety: constants.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "cusp/describe.hpp"
#include "cusp/resource.hpp"

namespace cusp {

/// The kinds of interface types.
enum class TypeKind : std::uint8_t {
  Bool,
  S8,
  U8,
  S16,
  U16,
  S32,
  U32,
  S64,
  U64,
  F32,
  F64,
  Char,
  String,
  List,
  FixedList,
  Record,
  Tuple,
  Variant,
  Enum,
  Option,
  Result,
  Flags,
  Map,
  Own,
  Borrow,
  Stream,
  Future,
  ErrorContext,
};

} // namespace cusp

namespace cusp::detail {

// A core value in a slot of its own, written zero-extended to 64 bits.
union [[gnu::may_alias]] alignas(16) Slot {
  std::uint32_t i32;
  std::uint64_t i64;
  float f32;
  double f64;
  std::uint8_t v128[16];
};

// A string's or list's elements. Views have no resize, owners no point; std::vector<bool> has pack and unpack alone.
struct ListOps {
  std::size_t (*size)(const void* list);
  const void* (*data)(const void* list);
  void* (*resize)(void* list, std::size_t size); // → data
  void (*point)(void* list, const void* data, std::size_t size);
  void (*pack)(void* list, const std::uint8_t* bytes, std::size_t size);
  void (*unpack)(const void* list, std::uint8_t* bytes);
};

struct CaseOps {
  std::uint32_t (*which)(const void* value);
  void* (*payload)(void* value);                      // of the active case; any address when it has none
  void* (*emplace)(void* value, std::uint32_t which); // → payload
};

struct TypeInfo {
  TypeKind kind{};
  std::uint32_t size = 0; // of the C++ object
  // Record, Tuple: members. Variant, Option, Result: payloads by case, null for none. List: the element.
  std::span<const TypeInfo* const> members{};
  std::span<const std::string_view> labels{}; // Record, Enum, Flags
  void (*offsets)(std::uint32_t* out) = nullptr;
  const ListOps* list = nullptr;
  const CaseOps* cases = nullptr;
  const HostResource* resource = nullptr; // Own, Borrow; null: a guest's, as Resource and ResourceRef
};

struct FuncInfo {
  std::span<const TypeInfo* const> params{};
  const TypeInfo* result = nullptr;
};

template <class T> struct Describe;
template <class T> inline constexpr bool kIsUnit = std::is_void_v<T> || std::is_same_v<T, std::monostate>;
template <class T> constexpr const TypeInfo* type_info() {
  if constexpr (kIsUnit<T>) return nullptr;
  else return &Describe<T>::info;
}
template <class... T> inline constexpr std::array<const TypeInfo*, sizeof...(T)> kInfos{type_info<T>()...};

// --- numbers
template <class T>
concept Integer =
    std::integral<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char> && !std::is_same_v<T, wchar_t> &&
    !std::is_same_v<T, char8_t> && !std::is_same_v<T, char16_t> && !std::is_same_v<T, char32_t>;
template <class T> constexpr TypeKind integer_kind() {
  constexpr std::uint32_t log2 = std::countr_zero(sizeof(T));
  return static_cast<TypeKind>(static_cast<std::uint32_t>(TypeKind::S8) + 2 * log2 + (std::is_signed_v<T> ? 0 : 1));
}
template <Integer T> struct Describe<T> {
  static constexpr TypeInfo info{.kind = integer_kind<T>(), .size = sizeof(T)};
};
template <class T, TypeKind kKind> struct DescribePlain {
  static constexpr TypeInfo info{.kind = kKind, .size = sizeof(T)};
};
template <> struct Describe<bool> : DescribePlain<bool, TypeKind::Bool> {};
template <> struct Describe<float> : DescribePlain<float, TypeKind::F32> {};
template <> struct Describe<double> : DescribePlain<double, TypeKind::F64> {};
template <> struct Describe<char32_t> : DescribePlain<char32_t, TypeKind::Char> {};

// Scalars: one core value each, whatever it is. Functions of scalars alone pass their values in registers of the header's own.
template <class T>
concept Scalar = Integer<T> || std::is_same_v<T, bool> || std::is_same_v<T, float> || std::is_same_v<T, double>;
template <Scalar T> T from_slot(const Slot& slot) {
  if constexpr (std::is_same_v<T, bool>) return slot.i32 != 0;
  else if constexpr (std::is_same_v<T, float>)
    return slot.f32 == slot.f32 ? slot.f32 : std::bit_cast<float>(0x7fc00000u);
  else if constexpr (std::is_same_v<T, double>)
    return slot.f64 == slot.f64 ? slot.f64 : std::bit_cast<double>(std::uint64_t{0x7ff8} << 48);
  else if constexpr (sizeof(T) == 8) return static_cast<T>(slot.i64);
  else return static_cast<T>(slot.i32);
}
template <Scalar T> void to_slot(Slot& slot, T value) {
  if constexpr (std::is_same_v<T, float>) slot.i64 = std::bit_cast<std::uint32_t>(value);
  else if constexpr (std::is_same_v<T, double>) slot.i64 = std::bit_cast<std::uint64_t>(value);
  else if constexpr (sizeof(T) == 8) slot.i64 = static_cast<std::uint64_t>(value);
  else slot.i64 = static_cast<std::uint32_t>(static_cast<std::int32_t>(value)); // sign-extended to i32
}

// --- strings and lists
template <class List> std::size_t list_size(const void* list) { return static_cast<const List*>(list)->size(); }
template <class List> const void* list_data(const void* list) { return static_cast<const List*>(list)->data(); }
template <class List> void* list_resize(void* list, std::size_t size) {
  auto& owner = *static_cast<List*>(list);
  owner.resize(size);
  return owner.data();
}
template <class View> void list_point(void* list, const void* data, std::size_t size) {
  using Element = std::remove_pointer_t<decltype(std::declval<View&>().data())>;
  *static_cast<View*>(list) = View(static_cast<Element*>(data), size);
}
template <class List>
inline constexpr ListOps kOwner{&list_size<List>, &list_data<List>, &list_resize<List>, nullptr, nullptr, nullptr};
template <class View>
inline constexpr ListOps kView{&list_size<View>, &list_data<View>, nullptr, &list_point<View>, nullptr, nullptr};

inline void pack_bits(void* list, const std::uint8_t* bytes, std::size_t size) {
  auto& bits = *static_cast<std::vector<bool>*>(list);
  bits.resize(size);
  for (std::size_t i = 0; i < size; ++i) bits[i] = bytes[i] != 0;
}
inline void unpack_bits(const void* list, std::uint8_t* bytes) {
  for (bool bit : *static_cast<const std::vector<bool>*>(list)) *bytes++ = bit;
}
inline constexpr ListOps kBits{&list_size<std::vector<bool>>, nullptr, nullptr, nullptr, &pack_bits, &unpack_bits};

template <> struct Describe<std::string> {
  static constexpr TypeInfo info{.kind = TypeKind::String, .size = sizeof(std::string), .list = &kOwner<std::string>};
};
template <> struct Describe<std::string_view> {
  static constexpr TypeInfo info{
      .kind = TypeKind::String, .size = sizeof(std::string_view), .list = &kView<std::string_view>};
};
template <class T> struct Describe<std::vector<T>> {
  static constexpr TypeInfo info{
      .kind = TypeKind::List, .size = sizeof(std::vector<T>), .members = kInfos<T>, .list = [] {
        if constexpr (std::is_same_v<T, bool>) return &kBits;
        else return &kOwner<std::vector<T>>;
      }()};
};
template <class T> struct Describe<std::span<const T>> {
  static constexpr TypeInfo info{.kind = TypeKind::List,
                                 .size = sizeof(std::span<const T>),
                                 .members = kInfos<T>,
                                 .list = &kView<std::span<const T>>};
};

// --- records and tuples
template <class T, class... Part> void note_offsets(const T& whole, std::uint32_t* out, const Part&... parts) {
  ((*out++ = static_cast<std::uint32_t>(reinterpret_cast<const char*>(&parts) - reinterpret_cast<const char*>(&whole))),
   ...);
}
template <class Tuple> void tuple_offsets(std::uint32_t* out) {
  const Tuple whole{};
  std::apply([&](const auto&... parts) { note_offsets(whole, out, parts...); }, whole);
}
template <class Tuple, class... T> struct DescribeTuple {
  static constexpr TypeInfo info{
      .kind = TypeKind::Tuple, .size = sizeof(Tuple), .members = kInfos<T...>, .offsets = &tuple_offsets<Tuple>};
};
template <class... T> struct Describe<std::tuple<T...>> : DescribeTuple<std::tuple<T...>, T...> {};
template <class A, class B> struct Describe<std::pair<A, B>> : DescribeTuple<std::pair<A, B>, A, B> {};

template <class T, std::size_t N> struct Describe<std::array<T, N>> {
  static constexpr std::array<const TypeInfo*, N> members = [] {
    std::array<const TypeInfo*, N> all{};
    all.fill(type_info<T>());
    return all;
  }();
  static constexpr TypeInfo info{.kind = TypeKind::Tuple,
                                 .size = sizeof(std::array<T, N>),
                                 .members = members,
                                 .offsets = &tuple_offsets<std::array<T, N>>};
};

template <class T, class Pointers> struct RecordInfos;
template <class T, class... M> struct RecordInfos<T, std::tuple<M T::*...>> {
  static constexpr std::span<const TypeInfo* const> members = kInfos<M...>;
};
template <class T> void record_offsets(std::uint32_t* out) {
  const T whole{};
  std::apply([&](auto... fields) { note_offsets(whole, out, whole.*fields...); },
             cusp_record_fields(static_cast<T*>(nullptr)));
}
template <DescribedRecord T> struct Describe<T> {
  static constexpr auto labels = cusp_record_labels(static_cast<T*>(nullptr));
  static constexpr TypeInfo info{.kind = TypeKind::Record,
                                 .size = sizeof(T),
                                 .members =
                                     RecordInfos<T, decltype(cusp_record_fields(static_cast<T*>(nullptr)))>::members,
                                 .labels = labels,
                                 .offsets = &record_offsets<T>};
};

// --- what has cases
template <DescribedEnum T> struct Describe<T> {
  static constexpr auto labels = cusp_enum_labels(static_cast<T*>(nullptr));
  static_assert(labels.size() - 1 <= std::numeric_limits<std::make_unsigned_t<std::underlying_type_t<T>>>::max());
  static constexpr TypeInfo info{.kind = TypeKind::Enum, .size = sizeof(T), .labels = labels};
};
template <DescribedFlags T> struct Describe<T> {
  static constexpr auto labels = cusp_flags_labels(static_cast<T*>(nullptr));
  static_assert(labels.size() <= 32 && labels.size() <= 8 * sizeof(T));
  static constexpr TypeInfo info{.kind = TypeKind::Flags, .size = sizeof(T), .labels = labels};
};

template <class T> void* renew(T& value, auto&&... how) {
  std::destroy_at(&value);
  std::construct_at(&value, how...);
  return &value;
}

template <class T> struct Describe<std::optional<T>> {
  using Value = std::optional<T>;
  static std::uint32_t which(const void* value) { return static_cast<const Value*>(value)->has_value(); }
  static void* payload(void* value) { return &**static_cast<Value*>(value); }
  static void* emplace(void* value, std::uint32_t which) {
    auto& option = *static_cast<Value*>(value);
    if (which) return &option.emplace();
    option.reset();
    return value;
  }
  static constexpr CaseOps ops{&which, &payload, &emplace};
  static constexpr TypeInfo info{
      .kind = TypeKind::Option, .size = sizeof(Value), .members = kInfos<void, T>, .cases = &ops};
};

template <class T, class E> struct Describe<std::expected<T, E>> {
  using Value = std::expected<T, E>;
  static std::uint32_t which(const void* value) { return !static_cast<const Value*>(value)->has_value(); }
  static void* payload(void* value) {
    auto& result = *static_cast<Value*>(value);
    if (!result.has_value()) return &result.error();
    if constexpr (std::is_void_v<T>) return value;
    else return &*result;
  }
  static void* emplace(void* value, std::uint32_t which) {
    auto& result = *static_cast<Value*>(value);
    if (which) renew(result, std::unexpect);
    else renew(result, std::in_place);
    return payload(value);
  }
  static constexpr CaseOps ops{&which, &payload, &emplace};
  static constexpr TypeInfo info{
      .kind = TypeKind::Result, .size = sizeof(Value), .members = kInfos<T, E>, .cases = &ops};
};

template <class... T> struct Describe<std::variant<T...>> {
  using Value = std::variant<T...>;
  static std::uint32_t which(const void* value) {
    return static_cast<std::uint32_t>(static_cast<const Value*>(value)->index());
  }
  static void* payload(void* value) {
    return std::visit([](auto& active) -> void* { return &active; }, *static_cast<Value*>(value));
  }
  template <std::size_t I> static void* emplace_one(Value& value) { return &value.template emplace<I>(); }
  static void* emplace(void* value, std::uint32_t which) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      using Maker = void* (*)(Value&);
      static constexpr Maker makers[] = {&emplace_one<I>...};
      return makers[which](*static_cast<Value*>(value));
    }(std::index_sequence_for<T...>());
  }
  static constexpr CaseOps ops{&which, &payload, &emplace};
  static constexpr TypeInfo info{
      .kind = TypeKind::Variant, .size = sizeof(Value), .members = kInfos<T...>, .cases = &ops};
};

// --- handles
template <class T> struct Describe<Own<T>> {
  static_assert(sizeof(Own<T>) == sizeof(HandleSlot));
  static constexpr TypeInfo info{.kind = TypeKind::Own, .size = sizeof(Own<T>), .resource = &kHostResource<T>};
};
template <class T> struct Describe<Borrow<T>> {
  static_assert(sizeof(Borrow<T>) == sizeof(HandleSlot));
  static constexpr TypeInfo info{.kind = TypeKind::Borrow, .size = sizeof(Borrow<T>), .resource = &kHostResource<T>};
};
template <> struct Describe<Resource> : DescribePlain<Resource, TypeKind::Own> {};
template <> struct Describe<ResourceRef> : DescribePlain<ResourceRef, TypeKind::Borrow> {};

// What only points at values of somebody else's: no result of a call may be or hold one.
template <class T> inline constexpr bool kIsView = false;
template <> inline constexpr bool kIsView<std::string_view> = true;
template <class T> inline constexpr bool kIsView<std::span<T>> = true;
template <class T> inline constexpr bool kIsView<Borrow<T>> = true;
template <> inline constexpr bool kIsView<ResourceRef> = true;
template <class T> inline constexpr bool kIsView<std::vector<T>> = kIsView<T>;
template <class T> inline constexpr bool kIsView<std::optional<T>> = kIsView<T>;
template <class T, class E> inline constexpr bool kIsView<std::expected<T, E>> = kIsView<T> || kIsView<E>;
template <class... T> inline constexpr bool kIsView<std::variant<T...>> = (kIsView<T> || ...);
template <class... T> inline constexpr bool kIsView<std::tuple<T...>> = (kIsView<T> || ...);
template <class A, class B> inline constexpr bool kIsView<std::pair<A, B>> = kIsView<A> || kIsView<B>;

} // namespace cusp::detail
