#include "http/stream.h"

#include <cerrno>

#include <sys/socket.h>

namespace cusp::http {

using base::ErrorCode;

Result<void> SocketStream::open(base::UniqueFd fd, SocketStream& stream) {
  stream.fd_ = std::move(fd);
  stream.loop_ = loop::EventLoop::current();
  return stream.loop_->watch(stream.fd_.get(), stream.readable_, stream.writable_, &stream.hangup_);
}

Result<std::size_t> SocketStream::try_read(std::span<std::uint8_t> into) {
  for (;;) {
    ssize_t got = recv(fd_.get(), into.data(), into.size(), 0);
    if (got > 0) {
      // A short read has drained the socket: the next byte makes a new edge. After a hang-up there is no further edge.
      if (static_cast<std::size_t>(got) < into.size() && !hangup_.is_set()) readable_.reset();
      return static_cast<std::size_t>(got);
    }
    if (got == 0) {
      ended_ = true;
      return 0;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      readable_.reset();
      return 0;
    }
    ended_ = true;
    return base::fail_errno("read from", "the connection", errno);
  }
}

Result<std::size_t> SocketStream::read(std::span<std::uint8_t> into, loop::TimePoint deadline) {
  for (;;) {
    std::size_t got = CUSP_TRY(try_read(into));
    if (got != 0 || ended_) return got;
    if (!readable_.wait(deadline)) return base::fail(ErrorCode::Timeout, "the peer sent nothing in time");
  }
}

Result<std::size_t> SocketStream::try_write(std::string_view bytes) {
  for (;;) {
    ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      writable_.reset();
      return 0;
    }
    return base::fail_errno("write to", "the connection", errno);
  }
}

Result<void> SocketStream::write_all(std::string_view bytes, loop::TimePoint deadline) {
  while (!bytes.empty()) {
    std::size_t sent = CUSP_TRY(try_write(bytes));
    bytes.remove_prefix(sent);
    if (!bytes.empty() && sent == 0 && !writable_.wait(deadline))
      return base::fail(ErrorCode::Timeout, "the peer took nothing in time");
  }
  return {};
}

void SocketStream::close() {
  if (!fd_) return;
  loop_->forget(fd_.get());
  fd_.reset();
}

void SocketStream::reset_connection() {
  if (!fd_) return;
  linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
  // No edge will come any more: whoever waits tries again and finds it closed.
  readable_.set();
  writable_.set();
  hangup_.set();
}

} // namespace cusp::http
