// Result<T>: how every room reports failure. An Error is a small value: a code, a sentence for the user, and where.
// Errors are made by cold functions and never printed below cli/ and app/. No exception crosses a room.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace cusp::base {

enum class ErrorCode : std::uint8_t {
  Malformed,     // the bytes do not follow the binary format
  Invalid,       // well-formed, but validation fails
  Unsupported,   // valid, but needs a feature that is off or absent
  LimitExceeded, // an implementation or operator-given limit
  Unlinkable,    // an import is missing or has another type
  Trap,          // guest code trapped
  Io,            // the operating system refused
  NotFound,
  Corrupt, // an artifact or store file is damaged or foreign
  InvalidArgument,
  Compile, // the compiler failed or was stopped
  Timeout,
  Internal,
};

// The lower-case name of a code, as error output and metrics show it.
std::string_view error_code_name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;                        // a sentence without a final full stop
  std::string file;                           // empty: not known at this level
  std::optional<std::uint64_t> byte_offset{}; // from the start of the file
  std::optional<std::uint32_t> line{};        // 1-based, for manifests and text formats
  std::optional<std::uint32_t> column{};      // 1-based, in characters

  // "file:line:column: message (at offset 0x1f)", with whatever of the place is known.
  std::string to_string() const;
};

template <class T> using Result = std::expected<T, Error>;

[[gnu::cold, gnu::noinline]] std::unexpected<Error> fail(ErrorCode code, std::string message);
[[gnu::cold, gnu::noinline]] std::unexpected<Error> fail_at(ErrorCode code, std::uint64_t byte_offset,
                                                            std::string message);
// An Io error that names the operation, its object and strerror(error_number).
[[gnu::cold, gnu::noinline]] std::unexpected<Error> fail_errno(std::string_view operation, std::string_view object,
                                                               int error_number);
// The same error seen from further out: "context: message". The place is kept.
[[gnu::cold, gnu::noinline]] std::unexpected<Error> with_context(Error error, std::string_view context);

namespace detail {
template <class T, class E> T take(std::expected<T, E>& result) {
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}
} // namespace detail

} // namespace cusp::base

// The value of a Result, or of another std::expected with the same error, or return its error from the enclosing function.
#define CUSP_TRY(expression)                                                                                           \
  ({                                                                                                                   \
    auto cusp_try_result = (expression);                                                                               \
    if (!cusp_try_result) [[unlikely]]                                                                                 \
      return std::unexpected(std::move(cusp_try_result).error());                                                      \
    ::cusp::base::detail::take(cusp_try_result);                                                                       \
  })
