// The log facade: rooms hand over what happened, whoever wires the program decides where it goes. Interfaces only.
// Thread-safe: a sink's write() may be called from any thread and must be async with respect to request work.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace cusp::base {

enum class LogLevel : std::uint8_t { Debug, Info, Warn, Error };

struct LogField {
  std::string_view key;
  std::string_view value;
};

class LogSink {
public:
  virtual ~LogSink() = default;
  virtual void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) = 0;
};

} // namespace cusp::base
