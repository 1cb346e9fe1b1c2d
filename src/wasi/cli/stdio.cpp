#include "wasi/cli/stdio.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

#include <poll.h>

namespace cusp::wasi {

FdSource::FdSource(int fd) : fd_(fd) {
  // A regular file cannot be watched; it is always ready.
  if (loop::EventLoop* loop = loop::EventLoop::current()) watched_ = loop->watch(fd_, readable_, writable_).has_value();
}

FdSource::~FdSource() {
  if (watched_) loop::EventLoop::current()->forget(fd_);
}

bool FdSource::has_input() {
  pollfd what{fd_, POLLIN, 0};
  return ::poll(&what, 1, 0) != 0; // hang-ups and errors count: read() tells them
}

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
      return stream_failed(
          IoError(std::string("reading standard input failed: ") + std::strerror(error), file_error(error)));
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

StreamResult<std::uint64_t> FdSink::check_write() {
  if (closed_) return stream_closed();
  return kStreamChunk;
}

StreamResult<void> FdSink::write(std::span<const std::uint8_t> bytes) {
  if (closed_) return stream_closed();
  std::uint8_t copy[4096]; // the kernel is never given guest memory
  while (!bytes.empty()) {
    std::size_t part = std::min(bytes.size(), sizeof copy);
    std::memcpy(copy, bytes.data(), part);
    ssize_t done = ::write(fd_, copy, part);
    if (done > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    } else if (errno == EAGAIN) {
      pollfd what{fd_, POLLOUT, 0};
      ::poll(&what, 1, -1);
    } else if (errno != EINTR) {
      int error = errno;
      closed_ = true;
      return stream_failed(IoError(std::string("writing failed: ") + std::strerror(error), file_error(error)));
    }
  }
  return {};
}

Ref<InputSource> ProcessStdio::stdin_source() {
  if (!stdin_) stdin_ = Ref<InputSource>(new FdSource(0));
  return stdin_;
}

bool ProcessStdio::is_terminal(int fd) const { return isatty(fd) != 0; }

} // namespace cusp::wasi
