// wasi:logging: one line per message on the guest's standard error.
#include "wasi/context.h"
#include "wasi/linker.h"

namespace cusp::wasi {

namespace {

using canon::CallContext;

enum class Level : std::uint8_t { Trace, Debug, Info, Warn, Error, Critical };
CUSP_ENUM(Level, "trace", "debug", "info", "warn", "error", "critical")

// A message may hold anything: whoever reads the log must not take its lines for another's.
void add_in_one_line(std::string& line, std::string_view text) {
  for (char c : text) {
    if (c == '\n') line += "\\n";
    else if (c == '\r') line += "\\r";
    else line += c;
  }
}

void log(CallContext& cx, Level level, std::string context, std::string message) {
  std::string line(cusp_enum_labels(static_cast<Level*>(nullptr))[static_cast<std::size_t>(level)]);
  line += ' ';
  if (!context.empty()) {
    add_in_one_line(line, context);
    line += ": ";
  }
  add_in_one_line(line, message);
  line += '\n';
  Ref<OutputSink> sink = cx.host<Context>().stdio->stderr_sink();
  std::span<const std::uint8_t> rest(reinterpret_cast<const std::uint8_t*>(line.data()), line.size());
  while (!rest.empty()) {
    auto room = sink->check_write();
    if (!room) return; // nobody reads it any more
    if (*room == 0) {
      if (!block(cx, *sink)) return;
      continue;
    }
    std::size_t part = std::min<std::uint64_t>(*room, rest.size());
    if (!sink->write(rest.first(part))) return;
    rest = rest.subspan(part);
  }
}

} // namespace

void add_logging(canon::Linker& linker) {
  for (const char* name : {"wasi:logging/logging@0.1.0-draft", "wasi:logging/logging"})
    linker.instance(name).func("log", &log);
}

} // namespace cusp::wasi
