#include "embed/errors.h"

#include <fmt/format.h>

namespace cusp {

namespace {

using base::ErrorCode;

constexpr bool same_code(ErrorCode ours, cusp::ErrorCode theirs) {
  return static_cast<unsigned>(ours) == static_cast<unsigned>(theirs);
}
static_assert(same_code(ErrorCode::Malformed, cusp::ErrorCode::Malformed) &&
              same_code(ErrorCode::Invalid, cusp::ErrorCode::Invalid) &&
              same_code(ErrorCode::Unsupported, cusp::ErrorCode::Unsupported) &&
              same_code(ErrorCode::LimitExceeded, cusp::ErrorCode::LimitExceeded) &&
              same_code(ErrorCode::Unlinkable, cusp::ErrorCode::Unlinkable) &&
              same_code(ErrorCode::Trap, cusp::ErrorCode::Trap) && same_code(ErrorCode::Io, cusp::ErrorCode::Io) &&
              same_code(ErrorCode::NotFound, cusp::ErrorCode::NotFound) &&
              same_code(ErrorCode::Corrupt, cusp::ErrorCode::Corrupt) &&
              same_code(ErrorCode::InvalidArgument, cusp::ErrorCode::InvalidArgument) &&
              same_code(ErrorCode::Compile, cusp::ErrorCode::Compile) &&
              same_code(ErrorCode::Timeout, cusp::ErrorCode::Timeout) &&
              same_code(ErrorCode::Internal, cusp::ErrorCode::Internal));

#define TRAP(Name, text) static_assert(static_cast<unsigned>(TrapCode::Name) == static_cast<unsigned>(abi::Trap::Name));
#include "abi/traps.def"
#undef TRAP

} // namespace

std::string_view error_code_name(cusp::ErrorCode code) {
  return code == cusp::ErrorCode::Exit ? "exit" : base::error_code_name(static_cast<base::ErrorCode>(code));
}

std::string Error::to_string() const {
  base::Error place{
      .code = base::ErrorCode::Internal, .message = message, .file = file, .byte_offset = byte_offset, .line = line};
  std::string text = place.to_string();
  if (backtrace.empty()) return text;
  text += "\nwasm backtrace:";
  for (std::size_t i = 0; i < backtrace.size(); ++i) {
    const Frame& frame = backtrace[i];
    text += fmt::format("\n  {:3}: {:#x} - {}", i, frame.wasm_offset, frame.name.empty() ? "<unknown>" : frame.name);
    if (frame.line != 0) text += fmt::format(" at {}:{}", frame.file, frame.line);
  }
  return text;
}

namespace embed {

Error to_public(base::Error error) {
  return Error{.code = static_cast<cusp::ErrorCode>(error.code),
               .message = std::move(error.message),
               .file = std::move(error.file),
               .byte_offset = error.byte_offset,
               .line = error.line};
}

Error to_public(base::Error error, const runtime::TrapInfo& trap) {
  Error made = to_public(std::move(error));
  made.trap = static_cast<TrapCode>(trap.trap);
  for (const runtime::BacktraceFrame& frame : trap.backtrace) {
    const artifact::SourceLine source = frame.source();
    made.backtrace.push_back({frame.frame.module, frame.frame.func, frame.frame.wasm_offset, frame.function_name,
                              std::string(source.file), source.line});
  }
  return made;
}

Error exited(int code) {
  Error made{.code = cusp::ErrorCode::Exit, .message = fmt::format("the guest exited with code {}", code)};
  made.exit_code = code;
  return made;
}

Error wrong_thread(std::string_view what) {
  return Error{.code = cusp::ErrorCode::InvalidArgument,
               .message = fmt::format("{} belongs to the thread that made it, and this is another", what)};
}

} // namespace embed
} // namespace cusp
