// What the user's terminal gets: errors with a place, colours only where a person looks, progress on one line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cusp::cli {

// Exit codes of the command itself; a guest's own code passes through where there is one.
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitTrap = 134; // as a shell sees SIGABRT, and as other runtimes answer

bool stdout_is_terminal();
bool stderr_is_terminal();

// "error: sentence" on stderr, with `hint` on a line of its own when there is one.
void print_error(const base::Error& error, std::string_view hint = {});
void print_error(std::string_view message, std::string_view hint = {});

// A progress line on stderr ("compiling app.wasm  [####....] 812/5120 functions"), redrawn in place; silent when stderr is not a
// terminal. Thread-compatible: one thread at a time.
class ProgressLine {
public:
  explicit ProgressLine(std::string label);
  ~ProgressLine();
  void update(std::uint32_t done, std::uint32_t total);

private:
  std::string label_;
  std::int64_t last_drawn_ns_ = 0;
  bool shown_ = false;
};

// "64MiB", "64M", "1g", "65536": bytes. Suffixes k, m, g (with or without i and b) are powers of 1024.
base::Result<std::uint64_t> parse_size(std::string_view text);
// "2s", "500ms", "1.5s", "1m", a bare number is seconds: nanoseconds.
base::Result<std::uint64_t> parse_duration(std::string_view text);

} // namespace cusp::cli
