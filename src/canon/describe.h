// How C++ types say which interface type they stand for. One line each, in the namespace of the type:
//   struct Datetime { std::uint64_t seconds; std::uint32_t nanoseconds; };
//   CUSP_RECORD(Datetime, seconds, nanoseconds)
//   enum class ErrorCode : std::uint8_t { Access, WouldBlock };
//   CUSP_ENUM(ErrorCode, "access", "would-block")
//   enum class PathFlags : std::uint8_t { SymlinkFollow = 1 };
//   CUSP_FLAGS(PathFlags, "symlink-follow")
// Field names are compared with the interface's at link time, '_' read as '-' and a trailing '_' ignored (default_).
// Enumerators count from 0 in the order of the labels; flags are bits in the order of the labels and have | & ~ and
// has(). A TypeDesc is the run-time form of such a type, a constant; it is compared with the component's own type when
// it is linked.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "component/types.h"

namespace cusp::canon {

struct ResourceType;

struct TypeDesc {
  component::TypeKind kind{};
  // Record, Tuple: members. Variant: payloads, null for none. List, Option: the element. Stream, Future: the element,
  // null for none. Result: ok and error, null for none.
  std::span<const TypeDesc* const> members{};
  std::span<const std::string_view> labels{}; // Record, Enum, Flags
  const ResourceType* resource = nullptr;     // Own, Borrow; null: any
};

struct FuncDesc {
  std::span<const TypeDesc* const> params{};
  const TypeDesc* result = nullptr;
};

// As WIT writes it: "result<list<u8>, enum{access, …}>".
std::string to_string(const TypeDesc& type);
std::string to_string(const FuncDesc& type);
std::string to_string(const component::TypeTable& types, component::ValType type);
std::string to_string(const component::TypeTable& types, const component::FuncType& type);

// Whether the C++ type has the structure of the component's. `resources[i]`: the resolved type of ResourceIndex i.
bool matches(const TypeDesc& desc, const component::TypeTable& types, component::ValType type,
             std::span<const ResourceType* const> resources);
bool matches(const FuncDesc& desc, const component::TypeTable& types, const component::FuncType& type,
             std::span<const ResourceType* const> resources);

template <class T>
concept DescribedRecord = requires { cusp_record_fields(static_cast<T*>(nullptr)); };
template <class T>
concept DescribedEnum = requires { cusp_enum_labels(static_cast<T*>(nullptr)); };
template <class T>
concept DescribedFlags = requires { cusp_flags_labels(static_cast<T*>(nullptr)); };

template <DescribedFlags T> constexpr T operator|(T a, T b) {
  using U = std::underlying_type_t<T>;
  return static_cast<T>(static_cast<U>(a) | static_cast<U>(b));
}
template <DescribedFlags T> constexpr T operator&(T a, T b) {
  using U = std::underlying_type_t<T>;
  return static_cast<T>(static_cast<U>(a) & static_cast<U>(b));
}
template <DescribedFlags T> constexpr bool has(T set, T bits) {
  using U = std::underlying_type_t<T>;
  return (static_cast<U>(set) & static_cast<U>(bits)) == static_cast<U>(bits);
}

} // namespace cusp::canon

#define CUSP_EXPAND(...) CUSP_EXPAND3(CUSP_EXPAND3(CUSP_EXPAND3(CUSP_EXPAND3(__VA_ARGS__))))
#define CUSP_EXPAND3(...) CUSP_EXPAND2(CUSP_EXPAND2(CUSP_EXPAND2(CUSP_EXPAND2(__VA_ARGS__))))
#define CUSP_EXPAND2(...) CUSP_EXPAND1(CUSP_EXPAND1(CUSP_EXPAND1(CUSP_EXPAND1(__VA_ARGS__))))
#define CUSP_EXPAND1(...) __VA_ARGS__
#define CUSP_PARENS ()
#define CUSP_FOR_EACH(macro, type, ...) __VA_OPT__(CUSP_EXPAND(CUSP_FOR_EACH_STEP(macro, type, __VA_ARGS__)))
#define CUSP_FOR_EACH_STEP(macro, type, first, ...)                                                                    \
  macro(type, first) __VA_OPT__(, CUSP_FOR_EACH_AGAIN CUSP_PARENS(macro, type, __VA_ARGS__))
#define CUSP_FOR_EACH_AGAIN() CUSP_FOR_EACH_STEP
#define CUSP_FIELD_POINTER(Type, field) &Type::field
#define CUSP_FIELD_NAME(Type, field) std::string_view(#field)

#define CUSP_RECORD(Type, ...)                                                                                         \
  [[maybe_unused]] constexpr auto cusp_record_fields(Type*) {                                                          \
    return std::make_tuple(CUSP_FOR_EACH(CUSP_FIELD_POINTER, Type, __VA_ARGS__));                                      \
  }                                                                                                                    \
  [[maybe_unused]] constexpr auto cusp_record_labels(Type*) {                                                          \
    return std::to_array<std::string_view>({CUSP_FOR_EACH(CUSP_FIELD_NAME, Type, __VA_ARGS__)});                       \
  }
#define CUSP_ENUM(Type, ...)                                                                                           \
  [[maybe_unused]] constexpr auto cusp_enum_labels(Type*) { return std::to_array<std::string_view>({__VA_ARGS__}); }
#define CUSP_FLAGS(Type, ...)                                                                                          \
  [[maybe_unused]] constexpr auto cusp_flags_labels(Type*) { return std::to_array<std::string_view>({__VA_ARGS__}); }  \
  using ::cusp::canon::operator|;                                                                                      \
  using ::cusp::canon::operator&;                                                                                      \
  using ::cusp::canon::has;
