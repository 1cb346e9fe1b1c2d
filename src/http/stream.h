// A connected socket on an event loop, plain or under TLS: reads and writes that suspend the fiber, and events for those who wait on several things.
// Owned by one connection; loop thread only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "http/tls.h"
#include "loop/event_loop.h"

namespace cusp::http {

using base::Result;

class SocketStream {
public:
  static Result<void> open(base::UniqueFd fd, SocketStream& stream); // REQUIRES: a connected, non-blocking socket
  SocketStream() = default;
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;
  ~SocketStream() { close(); }

  // From now on everything goes through `session`: shakes hands, on the pool. Error: as TlsSession::handshake(); Io; Timeout.
  Result<void> start_tls(std::unique_ptr<TlsSession> session, loop::TimePoint deadline);

  // What is there now: 0 and `ended` at the end of the stream, 0 alone when nothing has come yet. Error: Io.
  Result<std::size_t> try_read(std::span<std::uint8_t> into);
  // At least one byte, waiting for it; 0 at the end of the stream. Error: Io; Timeout.
  Result<std::size_t> read(std::span<std::uint8_t> into, loop::TimePoint deadline);
  // As much as the socket takes now. Error: Io.
  Result<std::size_t> try_write(std::string_view bytes);
  // All of it. Error: Io; Timeout.
  Result<void> write_all(std::string_view bytes, loop::TimePoint deadline);

  bool ended() const { return ended_; }
  loop::Event& readable() { return readable_; }
  loop::Event& writable() { return writable_; }
  loop::Event& hangup() { return hangup_; } // the peer has closed its side, or the connection is broken
  void close();
  // Closes with a reset, so that the peer cannot take what it got for a complete message.
  void reset_connection();
  bool is_open() const { return static_cast<bool>(fd_); }

private:
  Result<std::size_t> receive(std::span<std::uint8_t> into); // from the socket, as try_read
  Result<std::size_t> transmit(std::string_view bytes);      // to the socket, as try_write
  Result<std::size_t> read_tls(std::span<std::uint8_t> into);
  Result<std::size_t> write_tls(std::string_view bytes);
  Result<bool> push_tls(); // what the session has to send; false: the socket takes no more now
  Result<void> push_all_tls(loop::TimePoint deadline);
  void release();

  base::UniqueFd fd_;
  std::unique_ptr<TlsSession> tls_;
  loop::EventLoop* loop_ = nullptr;
  loop::Event readable_, writable_, hangup_;
  bool ended_ = false;
};

} // namespace cusp::http
