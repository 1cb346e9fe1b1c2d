// What goes wrong, as values: a code to act on, a sentence to show, and where. Nothing in this library throws or prints.
// Thread-safety: plain values; share them as you would share a std::string.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cusp {

enum class ErrorCode : std::uint8_t {
  Malformed,       ///< the bytes do not follow the binary format
  Invalid,         ///< well-formed, but validation fails
  Unsupported,     ///< valid, but needs what is off or absent
  LimitExceeded,   ///< a limit of Limits, or of the implementation
  Unlinkable,      ///< an import is missing or has another type
  Trap,            ///< guest code trapped: Error::trap and Error::backtrace tell more
  Io,              ///< the operating system refused
  NotFound,        ///< no such file, export or compiler
  Corrupt,         ///< an artifact is damaged, or made by another version or for another CPU
  InvalidArgument, ///< what the host asked for makes no sense: a value of another type, an instance of another thread
  Compile,         ///< the compiler failed or was stopped
  Timeout,         ///< a wait of the host ended before what it waited for came
  Internal,        ///< a defect of this library
  Exit,            ///< the guest ended itself by WASI's exit: Error::exit_code
};

/// The lower-case name of a code, for messages and metrics.
std::string_view error_code_name(ErrorCode code);

/// Why guest code stopped.
enum class TrapCode : std::uint8_t {
  Unreachable,
  MemoryOutOfBounds,
  TableOutOfBounds,
  IndirectCallToNull,
  BadSignature,
  IntegerOverflow,
  IntegerDivideByZero,
  BadConversionToInteger,
  StackOverflow,
  NullReference,
  CastFailure,
  ArrayOutOfBounds,
  UnalignedAtomic,
  ExpectedSharedMemory,
  AllocationTooLarge,
  UncaughtException,
  Timeout,
  OutOfFuel,
  MemoryLimit,
  Cancelled,
  HostError, ///< a host function said so
  CannotEnter,
  CannotLeave,
  Internal,
};

/// One guest function that was active when a trap happened.
struct Frame {
  std::uint32_t module = 0;      ///< which core module of the component, by position
  std::uint32_t function = 0;    ///< index of the function in it
  std::uint32_t wasm_offset = 0; ///< of the operator, in bytes from the start of that module
  std::string name;              ///< of the function; empty: the module has no name for it
  std::string file{};            ///< of the source; empty: the module has no debug information for the operator
  std::uint32_t line = 0;        ///< 1-based; 0: not known
};

struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message{}; ///< a sentence without a final full stop

  std::string file{};                         ///< where, as far as it is known
  std::optional<std::uint64_t> byte_offset{}; ///< from the start of the file
  std::optional<std::uint32_t> line{};        ///< 1-based, of text formats

  std::optional<TrapCode> trap{}; ///< ErrorCode::Trap only
  std::vector<Frame> backtrace{}; ///< innermost first; empty when no guest code was active
  std::optional<int> exit_code{}; ///< ErrorCode::Exit only

  /// "file: message (at offset 0x1f)", and a trap's backtrace on lines of its own.
  std::string to_string() const;
};

template <class T> using Result = std::expected<T, Error>;

/// How a host function stops the guest that called it, in place of an answer. The guest's instance is of no further use
/// until it is reset. Error values of the interface itself are no traps: return a std::expected for those.
struct Trap {
  std::string message;
};
/// What a host function returns that may trap: HostResult<std::expected<std::string, FsError>>.
template <class T> using HostResult = std::expected<T, Trap>;
/// `return cusp::trap("the account is closed");` in a function that returns a HostResult.
inline std::unexpected<Trap> trap(std::string message) { return std::unexpected(Trap{std::move(message)}); }

} // namespace cusp
