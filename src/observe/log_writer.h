// Log output off the hot path: a worker gathers lines in its own LogBuffer and hands them over now and then; one thread writes them to the
// standard streams, started with the first line. Where a reader is too slow, lines are dropped and counted, never waited for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace cusp::observe {

enum class LogStream : std::uint8_t { Out, Err };

class LogWriter {
public:
  LogWriter(int out_fd, int err_fd);
  ~LogWriter(); // writes what is left
  LogWriter(const LogWriter&) = delete;
  void submit(LogStream stream, std::string text); // thread-safe
  std::uint64_t dropped_bytes() const;             // thread-safe

private:
  struct State;
  std::unique_ptr<State> state_;
};

// Lines of one worker. One thread.
class LogBuffer {
public:
  explicit LogBuffer(LogWriter& writer) : writer_(writer) {}
  ~LogBuffer() { hand_over(); }
  void line(LogStream stream, std::string_view text);
  bool empty() const { return out_.empty() && err_.empty(); }
  void hand_over();

private:
  LogWriter& writer_;
  std::string out_, err_;
};

// `text` as the inside of a JSON string; bytes that are not UTF-8 become U+FFFD.
void append_json(std::string& to, std::string_view text);

} // namespace cusp::observe
