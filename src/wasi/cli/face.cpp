#include "wasi/context.h"
#include "wasi/linker.h"

namespace cusp::wasi {

namespace {

using canon::CallContext;
using canon::Own;

// Terminals have no methods yet: that there is one is all they say.
struct TerminalInput {};
struct TerminalOutput {};

// Ends the instance: the trap unwinds the guest, and whoever called it finds the code.
void leave(CallContext& cx, std::uint8_t code) {
  cx.host<Context>().exit_code = code;
  cx.trap("the guest exited", abi::Trap::Cancelled);
}

} // namespace

void add_cli(canon::Linker& linker) {
  using Variable = std::pair<std::string, std::string>;
  linker.instance("wasi:cli/environment@0.2.12")
      .func("get-environment",
            [](CallContext& cx) { return std::span<const Variable>(cx.host<Context>().config->environment); })
      .func("get-arguments",
            [](CallContext& cx) { return std::span<const std::string>(cx.host<Context>().config->arguments); })
      .func("initial-cwd", [] { return std::optional<std::string>(); });

  linker.instance("wasi:cli/exit@0.2.12")
      .func("exit", [](CallContext& cx, std::expected<void, std::monostate> status) { leave(cx, status ? 0 : 1); })
      .func("exit-with-code", [](CallContext& cx, std::uint8_t code) { leave(cx, code); });

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

  linker.instance("wasi:cli/terminal-input@0.2.12").resource<TerminalInput>("terminal-input");
  linker.instance("wasi:cli/terminal-output@0.2.12").resource<TerminalOutput>("terminal-output");
  auto output = [](CallContext& cx, int fd) {
    std::optional<Own<TerminalOutput>> terminal;
    if (cx.host<Context>().stdio->is_terminal(fd)) terminal = canon::make_own<TerminalOutput>();
    return terminal;
  };
  linker.instance("wasi:cli/terminal-stdin@0.2.12")
      .resource<TerminalInput>("terminal-input")
      .func("get-terminal-stdin", [](CallContext& cx) {
        std::optional<Own<TerminalInput>> terminal;
        if (cx.host<Context>().stdio->is_terminal(0)) terminal = canon::make_own<TerminalInput>();
        return terminal;
      });
  linker.instance("wasi:cli/terminal-stdout@0.2.12")
      .resource<TerminalOutput>("terminal-output")
      .func("get-terminal-stdout", [output](CallContext& cx) { return output(cx, 1); });
  linker.instance("wasi:cli/terminal-stderr@0.2.12")
      .resource<TerminalOutput>("terminal-output")
      .func("get-terminal-stderr", [output](CallContext& cx) { return output(cx, 2); });
}

} // namespace cusp::wasi
