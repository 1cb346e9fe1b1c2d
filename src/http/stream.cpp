#include "http/stream.h"

#include <array>
#include <cerrno>

#include <sys/socket.h>

namespace cusp::http {

using base::ErrorCode;

Result<void> SocketStream::open(base::UniqueFd fd, SocketStream& stream) {
  stream.fd_ = std::move(fd);
  stream.loop_ = loop::EventLoop::current();
  return stream.loop_->watch(stream.fd_.get(), stream.readable_, stream.writable_, &stream.hangup_);
}

namespace {
constexpr std::size_t kTlsRecord = 16 * 1024;
}

Result<void> SocketStream::start_tls(std::unique_ptr<TlsSession> session, loop::TimePoint deadline) {
  tls_ = std::move(session);
  std::array<std::uint8_t, 4096> in;
  for (;;) {
    Result<TlsSession::Step> step = TlsSession::Step::Done;
    loop_->run_blocking([&] { step = tls_->handshake(); });
    auto pushed = push_all_tls(deadline);
    if (!step) return std::unexpected(std::move(step).error());
    if (!pushed || *step == TlsSession::Step::Done) return pushed;
    std::size_t got = 0;
    while ((got = CUSP_TRY(receive(in))) == 0) {
      if (ended_) return base::fail(ErrorCode::Io, "the peer closed the connection in the TLS handshake");
      if (!readable_.wait(deadline)) return base::fail(ErrorCode::Timeout, "the TLS handshake took too long");
    }
    tls_->give(std::span(in).first(got));
  }
}

Result<bool> SocketStream::push_tls() {
  while (!tls_->output().empty()) {
    std::size_t sent = CUSP_TRY(transmit(tls_->output()));
    if (sent == 0) return false;
    tls_->sent(sent);
  }
  return true;
}

Result<void> SocketStream::push_all_tls(loop::TimePoint deadline) {
  while (!CUSP_TRY(push_tls()))
    if (!writable_.wait(deadline)) return base::fail(ErrorCode::Timeout, "the peer took nothing in time");
  return {};
}

Result<std::size_t> SocketStream::read_tls(std::span<std::uint8_t> into) {
  std::array<std::uint8_t, 4096> in;
  if (into.empty()) return 0;
  for (;;) {
    std::size_t plain = 0;
    auto step = tls_->read(into, plain);
    if (!step) ended_ = true;
    if (CUSP_TRY(std::move(step)) == TlsSession::Step::Done) {
      ended_ = plain == 0; // the peer has said so: nobody can have cut the stream short
      return plain;
    }
    (void)CUSP_TRY(push_tls()); // what the protocol answers by itself
    std::size_t got = CUSP_TRY(receive(in));
    if (got == 0 && ended_) return base::fail(ErrorCode::Io, "the connection was cut short under TLS");
    if (got == 0) return 0;
    tls_->give(std::span(in).first(got));
  }
}

Result<std::size_t> SocketStream::write_tls(std::string_view bytes) {
  if (!CUSP_TRY(push_tls())) return 0;
  bytes = bytes.substr(0, kTlsRecord);
  CUSP_TRY(tls_->write(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size())));
  (void)CUSP_TRY(push_tls());
  return bytes.size();
}

Result<std::size_t> SocketStream::try_read(std::span<std::uint8_t> into) {
  return tls_ ? read_tls(into) : receive(into);
}

Result<std::size_t> SocketStream::try_write(std::string_view bytes) {
  return tls_ ? write_tls(bytes) : transmit(bytes);
}

Result<std::size_t> SocketStream::receive(std::span<std::uint8_t> into) {
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

Result<std::size_t> SocketStream::transmit(std::string_view bytes) {
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
  return tls_ ? push_all_tls(deadline) : Result<void>();
}

void SocketStream::close() {
  if (!fd_) return;
  if (tls_) {
    tls_->close();
    (void)push_tls(); // if there is room: whoever closes does not wait
  }
  release();
}

void SocketStream::release() {
  loop_->forget(fd_.get());
  fd_.reset();
}

void SocketStream::reset_connection() {
  if (!fd_) return;
  linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  release(); // no farewell under TLS either
  // No edge will come any more: whoever waits tries again and finds it closed.
  readable_.set();
  writable_.set();
  hangup_.set();
}

} // namespace cusp::http
