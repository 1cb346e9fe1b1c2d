#include "observe/log_writer.h"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace cusp::observe {

namespace {
constexpr std::size_t kMostPending = 16 << 20; // bytes waiting for the writer thread
constexpr std::size_t kHandOver = 32 * 1024;

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t done = write(fd, text.data(), text.size());
    if (done > 0) text.remove_prefix(static_cast<std::size_t>(done));
    else if (errno == EAGAIN) usleep(1000); // somebody made the terminal non-blocking
    else if (errno != EINTR) return;
  }
}
} // namespace

struct LogWriter::State {
  int fds[2];
  std::mutex mutex;
  std::condition_variable changed;
  std::string pending[2];
  bool stopping = false;
  std::atomic<std::uint64_t> dropped{0};
  std::thread thread;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stopping || !pending[0].empty() || !pending[1].empty(); });
      if (pending[0].empty() && pending[1].empty()) return;
      std::string out = std::exchange(pending[0], {}), err = std::exchange(pending[1], {});
      lock.unlock();
      write_all(fds[0], out);
      write_all(fds[1], err);
      lock.lock();
    }
  }
};

LogWriter::LogWriter(int out_fd, int err_fd) : state_(std::make_unique<State>()) {
  state_->fds[0] = out_fd;
  state_->fds[1] = err_fd;
}

LogWriter::~LogWriter() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

void LogWriter::submit(LogStream stream, std::string text) {
  {
    std::lock_guard lock(state_->mutex);
    std::string& pending = state_->pending[static_cast<std::size_t>(stream)];
    if (pending.size() + text.size() > kMostPending) {
      state_->dropped.fetch_add(text.size(), std::memory_order_relaxed);
      return;
    }
    if (pending.empty()) pending = std::move(text);
    else pending += text;
    if (!state_->thread.joinable()) state_->thread = std::thread([state = state_.get()] { state->run(); });
  }
  state_->changed.notify_one();
}

std::uint64_t LogWriter::dropped_bytes() const { return state_->dropped.load(std::memory_order_relaxed); }

void LogBuffer::line(LogStream stream, std::string_view text) {
  std::string& buffer = stream == LogStream::Out ? out_ : err_;
  buffer.append(text).append(1, '\n');
  if (buffer.size() >= kHandOver) hand_over();
}

void LogBuffer::hand_over() {
  if (!out_.empty()) writer_.submit(LogStream::Out, std::exchange(out_, {}));
  if (!err_.empty()) writer_.submit(LogStream::Err, std::exchange(err_, {}));
}

namespace {
// Bytes of the UTF-8 sequence at the start of `text`, which begins with a byte above 0x7f; 0: it is none (RFC 3629, 4).
std::size_t sequence_size(std::string_view text) {
  auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto within = [&](std::size_t i, unsigned low, unsigned high) { return byte(i) >= low && byte(i) <= high; };
  unsigned lead = byte(0);
  if (lead >= 0xc2 && lead < 0xe0) return within(1, 0x80, 0xbf) ? 2 : 0;
  if (lead >= 0xe0 && lead < 0xf0) // neither overlong nor surrogates
    return within(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf) && within(2, 0x80, 0xbf) ? 3 : 0;
  if (lead >= 0xf0 && lead < 0xf5) // neither overlong nor beyond U+10FFFF
    return within(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf) && within(2, 0x80, 0xbf) &&
                   within(3, 0x80, 0xbf)
               ? 4
               : 0;
  return 0;
}
} // namespace

void append_json(std::string& to, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      to.append(1, '\\').append(1, text[i]);
    } else if (c == '\n') {
      to += "\\n";
    } else if (c < 0x20 || c == 0x7f) {
      to += fmt::format("\\u{:04x}", c);
    } else if (c < 0x80) {
      to += text[i];
    } else {
      if (std::size_t size = sequence_size(text.substr(i))) {
        to += text.substr(i, size);
        i += size - 1;
      } else {
        to += "\xef\xbf\xbd";
      }
    }
  }
}

} // namespace cusp::observe
