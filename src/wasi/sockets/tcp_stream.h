// A connection's two directions as streams of wasi:io. What a socket does with its state (shut down, broken) shows here as the end of the
// stream; an error is told once. After it the stream is closed.
#pragma once

#include <vector>

#include "wasi/io/streams.h"
#include "wasi/sockets/tcp_socket.h"

namespace cusp::wasi {

// For what a socket waits for in the state that it is in.
class TcpWait final : public Waitable {
public:
  explicit TcpWait(Ref<TcpSocket> socket) : socket_(std::move(socket)) {}
  bool ready() override { return socket_->ready(); }
  loop::Event* event() override { return &socket_->event(); }

private:
  Ref<TcpSocket> socket_;
};

class TcpSource final : public InputSource {
public:
  explicit TcpSource(Ref<TcpSocket> socket) : socket_(std::move(socket)) {}
  bool ready() override;
  loop::Event* event() override { return &socket_->watched()->readable(); }
  StreamResult<std::span<const std::uint8_t>> peek(std::size_t limit) override;
  void consume(std::size_t count) override { at_ += count; }

private:
  bool fill(); // whether there is something to tell: bytes, the end, an error
  Ref<TcpSocket> socket_;
  std::vector<std::uint8_t> buffer_;
  std::size_t at_ = 0, filled_ = 0;
  std::optional<SocketError> error_;
  bool ended_ = false;
};

class TcpSink final : public OutputSink {
public:
  explicit TcpSink(Ref<TcpSocket> socket) : socket_(std::move(socket)) {}
  bool ready() override { return socket_->send_pending() == 0; }
  loop::Event* event() override { return &socket_->sent(); }
  StreamResult<std::uint64_t> check_write() override;
  StreamResult<void> write(std::span<const std::uint8_t> bytes) override;
  StreamResult<void> flush() override;

private:
  StreamResult<void> outcome(SocketResult<void> result);
  Ref<TcpSocket> socket_;
};

} // namespace cusp::wasi
