#include "base/result.h"

#include <cstring>

#include <fmt/format.h>

namespace cusp::base {

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
  case ErrorCode::Malformed: return "malformed";
  case ErrorCode::Invalid: return "invalid";
  case ErrorCode::Unsupported: return "unsupported";
  case ErrorCode::LimitExceeded: return "limit-exceeded";
  case ErrorCode::Unlinkable: return "unlinkable";
  case ErrorCode::Trap: return "trap";
  case ErrorCode::Io: return "io";
  case ErrorCode::NotFound: return "not-found";
  case ErrorCode::Corrupt: return "corrupt";
  case ErrorCode::InvalidArgument: return "invalid-argument";
  case ErrorCode::Compile: return "compile";
  case ErrorCode::Timeout: return "timeout";
  case ErrorCode::Internal: return "internal";
  }
  return "unknown";
}

std::string Error::to_string() const {
  std::string text;
  if (!file.empty()) text += file + ":";
  if (line) text += fmt::format("{}:", *line);
  if (line && column) text += fmt::format("{}:", *column);
  if (!text.empty()) text += " ";
  text += message;
  if (byte_offset) text += fmt::format(" (at offset {:#x})", *byte_offset);
  return text;
}

std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{.code = code, .message = std::move(message), .file = {}});
}

std::unexpected<Error> fail_at(ErrorCode code, std::uint64_t byte_offset, std::string message) {
  return std::unexpected(Error{.code = code, .message = std::move(message), .file = {}, .byte_offset = byte_offset});
}

std::unexpected<Error> fail_errno(std::string_view operation, std::string_view object, int error_number) {
  ErrorCode code = error_number == ENOENT ? ErrorCode::NotFound : ErrorCode::Io;
  return fail(code, fmt::format("cannot {} {}: {}", operation, object, std::strerror(error_number)));
}

std::unexpected<Error> with_context(Error error, std::string_view context) {
  error.message = fmt::format("{}: {}", context, error.message);
  return std::unexpected(std::move(error));
}

} // namespace cusp::base
