#include "wasi/sockets/tcp_stream.h"

#include <algorithm>

namespace cusp::wasi {

namespace {
std::unexpected<StreamFailure> stream_failed(SocketError error) {
  return wasi::stream_failed(IoError("the connection failed: " + std::string(socket_error_name(error)), error));
}
} // namespace

bool TcpSource::fill() {
  if (at_ < filled_ || ended_ || error_) return true;
  if (buffer_.empty()) buffer_.resize(kStreamChunk);
  auto got = socket_->receive(buffer_);
  if (!got && got.error() == SocketError::WouldBlock) return false;
  at_ = 0;
  filled_ = got.value_or(0);
  if (!got) error_ = got.error();
  ended_ = filled_ == 0;
  return true;
}

bool TcpSource::ready() { return socket_->receive_shut() || fill(); }

StreamResult<std::span<const std::uint8_t>> TcpSource::peek(std::size_t limit) {
  if (socket_->receive_shut()) return stream_closed();
  if (limit != 0) fill();
  if (at_ < filled_) return std::span<const std::uint8_t>(buffer_).subspan(at_, std::min(limit, filled_ - at_));
  if (error_) return stream_failed(*std::exchange(error_, std::nullopt));
  if (ended_) return stream_closed();
  return std::span<const std::uint8_t>();
}

StreamResult<void> TcpSink::outcome(SocketResult<void> result) {
  if (result) return {};
  if (result.error() == SocketError::ConnectionBroken) return stream_closed();
  return stream_failed(result.error());
}

StreamResult<std::uint64_t> TcpSink::check_write() {
  if (auto done = outcome(socket_->send_outcome()); !done) return std::unexpected(std::move(done).error());
  if (socket_->send_shut()) return stream_closed();
  return socket_->send_pending() == 0 ? kStreamChunk : 0;
}

StreamResult<void> TcpSink::write(std::span<const std::uint8_t> bytes) {
  if (socket_->send_shut()) return stream_closed();
  return outcome(socket_->send_all(bytes));
}

StreamResult<void> TcpSink::flush() {
  if (auto done = outcome(socket_->send_outcome()); !done) return done;
  if (socket_->send_shut()) return stream_closed();
  return {};
}

} // namespace cusp::wasi
