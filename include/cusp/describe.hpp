// How C++ types say which interface type they stand for. One line each, in the namespace of the type:
//   struct Datetime { std::uint64_t seconds; std::uint32_t nanoseconds; };
//   CUSP_RECORD(Datetime, seconds, nanoseconds)
//   enum class ErrorCode : std::uint8_t { Access, WouldBlock };
//   CUSP_ENUM(ErrorCode, "access", "would-block")
//   enum class PathFlags : std::uint8_t { SymlinkFollow = 1 };
//   CUSP_FLAGS(PathFlags, "symlink-follow")
// Field names are compared with the interface's when a component is linked, '_' read as '-' and a trailing '_' ignored (default_).
// Enumerators count from 0 in the order of the labels; flags are bits in the order of the labels and have | & and has().
// Nothing here is state: it may be used from any thread.
#pragma once

#include <array>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace cusp {

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

} // namespace cusp

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
  using ::cusp::operator|;                                                                                             \
  using ::cusp::operator&;                                                                                             \
  using ::cusp::has;
