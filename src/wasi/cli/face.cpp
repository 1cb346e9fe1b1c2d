#include "wasi/context.h"
#include "wasi/io/pump.h"
#include "wasi/linker.h"

namespace cusp::wasi {

namespace {

using canon::CallContext;
using canon::Own;

// Terminals have no methods yet: that there is one is all they say.
struct TerminalInput {};
struct TerminalOutput {};

// Ends the instance: the trap unwinds the guest, and whoever called it finds the code. What the guest has written comes out first.
void leave(CallContext& cx, std::uint8_t code) {
  cx.component().settle();
  cx.host<Context>().exit_code = code;
  cx.trap("the guest exited", abi::Trap::Cancelled);
}

using Variable = std::pair<std::string, std::string>;
std::span<const Variable> get_environment(CallContext& cx) { return cx.host<Context>().config->environment; }
std::span<const std::string> get_arguments(CallContext& cx) { return cx.host<Context>().config->arguments; }

std::optional<std::string> initial_cwd(CallContext& cx) { return cx.host<Context>().config->initial_cwd; }

template <class Terminal, int kFd> std::optional<Own<Terminal>> get_terminal(CallContext& cx) {
  std::optional<Own<Terminal>> terminal;
  if (cx.host<Context>().stdio->is_terminal(kFd)) terminal = canon::make_own<Terminal>();
  return terminal;
}

// What both versions have, word for word.
void add_shared(canon::Linker& linker, const std::string& version) {
  linker.instance("wasi:cli/environment" + version)
      .func("get-environment", &get_environment)
      .func("get-arguments", &get_arguments);
  linker.instance("wasi:cli/exit" + version)
      .func("exit", [](CallContext& cx, std::expected<void, std::monostate> status) { leave(cx, status ? 0 : 1); })
      .func("exit-with-code", [](CallContext& cx, std::uint8_t code) { leave(cx, code); });
  linker.instance("wasi:cli/terminal-input" + version).resource<TerminalInput>("terminal-input");
  linker.instance("wasi:cli/terminal-output" + version).resource<TerminalOutput>("terminal-output");
  linker.instance("wasi:cli/terminal-stdin" + version)
      .resource<TerminalInput>("terminal-input")
      .func("get-terminal-stdin", &get_terminal<TerminalInput, 0>);
  linker.instance("wasi:cli/terminal-stdout" + version)
      .resource<TerminalOutput>("terminal-output")
      .func("get-terminal-stdout", &get_terminal<TerminalOutput, 1>);
  linker.instance("wasi:cli/terminal-stderr" + version)
      .resource<TerminalOutput>("terminal-output")
      .func("get-terminal-stderr", &get_terminal<TerminalOutput, 2>);
}

void add_cli_2(canon::Linker& linker) {
  linker.instance("wasi:cli/environment@0.2.12").func("initial-cwd", &initial_cwd);
  linker.instance("wasi:cli/stdin@0.2.12").resource<InputStream>("input-stream").func("get-stdin", [](CallContext& cx) {
    return canon::make_own<InputStream>(cx.host<Context>().stdio->stdin_source());
  });
  linker.instance("wasi:cli/stdout@0.2.12")
      .resource<OutputStream>("output-stream")
      .func("get-stdout",
            [](CallContext& cx) { return canon::make_own<OutputStream>(cx.host<Context>().stdio->stdout_sink()); });
  linker.instance("wasi:cli/stderr@0.2.12")
      .resource<OutputStream>("output-stream")
      .func("get-stderr",
            [](CallContext& cx) { return canon::make_own<OutputStream>(cx.host<Context>().stdio->stderr_sink()); });
}

enum class StdioError : std::uint8_t { Io, IllegalByteSequence, Pipe };
CUSP_ENUM(StdioError, "io", "illegal-byte-sequence", "pipe")

StdioError stdio_error(const IoError& error) {
  if (error.file == FileError::Pipe) return StdioError::Pipe;
  return error.file == FileError::IllegalByteSequence ? StdioError::IllegalByteSequence : StdioError::Io;
}

void add_cli_3(canon::Linker& linker) {
  linker.instance("wasi:cli/environment@0.3.0").func("get-initial-cwd", &initial_cwd);
  linker.instance("wasi:cli/stdin@0.3.0").func("read-via-stream", [](CallContext& cx) {
    return read_via_stream<StdioError>(cx, cx.host<Context>().stdio->stdin_source(), &stdio_error);
  });
  linker.instance("wasi:cli/stdout@0.3.0").func("write-via-stream", [](CallContext& cx, ByteStream data) {
    return write_via_stream<StdioError>(cx, std::move(data), cx.host<Context>().stdio->stdout_sink(), &stdio_error);
  });
  linker.instance("wasi:cli/stderr@0.3.0").func("write-via-stream", [](CallContext& cx, ByteStream data) {
    return write_via_stream<StdioError>(cx, std::move(data), cx.host<Context>().stdio->stderr_sink(), &stdio_error);
  });
}

} // namespace

void add_cli(canon::Linker& linker) {
  add_shared(linker, "@0.2.12");
  add_shared(linker, "@0.3.0");
  add_cli_2(linker);
  add_cli_3(linker);
}

} // namespace cusp::wasi
