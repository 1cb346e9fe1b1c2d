#include "wasi/cli/stdio.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

#include <poll.h>

namespace cusp::wasi {

namespace {

// Hang-ups and errors count: reading or writing tells them.
bool poll_now(int fd, short events) {
  pollfd what{fd, events, 0};
  return ::poll(&what, 1, 0) != 0;
}

// What a pipe takes without blocking once it says that it takes anything.
constexpr std::size_t kSinkPart = 4096;

} // namespace

FdSource::FdSource(int fd) : fd_(fd) {
  if (loop::EventLoop* loop = loop::EventLoop::current()) watched_ = loop->watch(fd_, readable_, writable_).has_value();
}

FdSource::~FdSource() {
  if (watched_) loop::EventLoop::current()->forget(fd_);
}

bool FdSource::has_input() { return poll_now(fd_, POLLIN); }

bool FdSource::ready() {
  if (at_ != filled_ || ended_ || !watched_) return true;
  readable_.reset(); // first: an edge between the question and the wait is not lost
  return has_input();
}

StreamResult<std::span<const std::uint8_t>> FdSource::peek(std::size_t limit) {
  if (at_ == filled_) {
    if (ended_) return stream_closed();
    if (limit == 0 || (watched_ && !has_input())) return std::span<const std::uint8_t>();
    buffer_.resize(kStreamChunk);
    ssize_t got;
    do got = ::read(fd_, buffer_.data(), buffer_.size());
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) return std::span<const std::uint8_t>();
    if (got < 0) {
      int error = errno;
      ended_ = true;
      return stream_failed(IoError(std::string("reading failed: ") + std::strerror(error), file_error(error)));
    }
    at_ = 0;
    filled_ = static_cast<std::size_t>(got);
    if (got == 0) {
      ended_ = true;
      return stream_closed();
    }
  }
  return std::span<const std::uint8_t>(buffer_).subspan(at_, std::min(limit, filled_ - at_));
}

FdSink::FdSink(int fd) : fd_(fd) {
  if (loop::EventLoop* loop = loop::EventLoop::current()) watched_ = loop->watch(fd_, readable_, writable_).has_value();
}

FdSink::~FdSink() {
  if (watched_) loop::EventLoop::current()->forget(fd_);
}

bool FdSink::has_room() { return poll_now(fd_, POLLOUT); }

bool FdSink::ready() {
  if (closed_ || !watched_) return true;
  writable_.reset(); // first: an edge between the question and the wait is not lost
  return has_room();
}

StreamResult<std::uint64_t> FdSink::check_write() {
  if (closed_) return stream_closed();
  if (!watched_) return kStreamChunk;
  return has_room() ? kSinkPart : 0;
}

StreamResult<void> FdSink::write(std::span<const std::uint8_t> bytes) {
  if (closed_) return stream_closed();
  std::uint8_t copy[kSinkPart]; // the kernel is never given guest memory
  while (!bytes.empty()) {
    std::size_t part = std::min(bytes.size(), sizeof copy);
    std::memcpy(copy, bytes.data(), part);
    bytes = bytes.subspan(part);
    if (auto done = write_part(std::span<const std::uint8_t>(copy, part)); !done) return done;
  }
  return {};
}

StreamResult<void> FdSink::write_part(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t done = ::write(fd_, bytes.data(), bytes.size());
    if (done > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    } else if (errno == EAGAIN) {
      wait_for_room();
    } else if (errno != EINTR) {
      int error = errno;
      closed_ = true;
      return stream_failed(IoError(std::string("writing failed: ") + std::strerror(error), file_error(error)));
    }
  }
  return {};
}

// Somebody else made the descriptor non-blocking, and filled it.
void FdSink::wait_for_room() {
  if (watched_) {
    while (!ready()) writable_.wait();
  } else {
    pollfd what{fd_, POLLOUT, 0};
    ::poll(&what, 1, -1);
  }
}

Ref<InputSource> ProcessStdio::stdin_source() {
  if (!stdin_) stdin_ = Ref<InputSource>(new FdSource(0));
  return stdin_;
}

Ref<OutputSink> ProcessStdio::stdout_sink() {
  if (!stdout_) stdout_ = Ref<OutputSink>(new FdSink(1));
  return stdout_;
}
Ref<OutputSink> ProcessStdio::stderr_sink() {
  if (!stderr_) stderr_ = Ref<OutputSink>(new FdSink(2));
  return stderr_;
}

bool ProcessStdio::is_terminal(int fd) const { return isatty(fd) != 0; }

} // namespace cusp::wasi
