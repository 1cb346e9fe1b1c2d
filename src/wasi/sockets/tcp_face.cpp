// The 0.2 face of TCP sockets. Binding and listening are done when they are started; finishing them only tells it.
#include "wasi/sockets/face.h"
#include "wasi/sockets/tcp_stream.h"

namespace cusp::wasi {

namespace {

using canon::Borrow;
using canon::CallContext;
using canon::Own;

enum class Shutdown : std::uint8_t { Receive, Send, Both };
CUSP_ENUM(Shutdown, "receive", "send", "both")

struct TcpHandle {
  enum class Pending : std::uint8_t { None, Bind, Listen }; // started and not finished
  Ref<TcpSocket> socket;
  Pending pending = Pending::None;
};
using Pending = TcpHandle::Pending;
using State = TcpSocket::State;

using Streams = std::tuple<Own<InputStream>, Own<OutputStream>>;
using Accepted = std::tuple<Own<TcpHandle>, Own<InputStream>, Own<OutputStream>>;

std::unexpected<SocketError> fail(SocketError error) { return std::unexpected(error); }

SocketResult<Own<TcpHandle>> create(CallContext& cx, AddressFamily family) {
  auto socket = TcpSocket::create(cx.host<Context>().network(), family);
  if (!socket) return fail(socket.error());
  return canon::make_own<TcpHandle>(*std::move(socket));
}

SocketResult<void> started(TcpHandle& handle, Pending what, SocketResult<void> done) {
  if (done) handle.pending = what;
  return done;
}
SocketResult<void> finish(TcpHandle& handle, Pending what) {
  if (handle.pending != what) return fail(SocketError::NotInProgress);
  handle.pending = Pending::None;
  return {};
}

SocketResult<void> start_bind(CallContext& cx, Borrow<TcpHandle> self, Borrow<Network>, SocketAddress address) {
  if (self->pending != Pending::None) return fail(SocketError::ConcurrencyConflict);
  return started(*self, Pending::Bind, self->socket->bind(cx.host<Context>().network(), address));
}
SocketResult<void> finish_bind(Borrow<TcpHandle> self) { return finish(*self, Pending::Bind); }

SocketResult<void> start_listen(CallContext& cx, Borrow<TcpHandle> self) {
  if (self->pending != Pending::None) return fail(SocketError::ConcurrencyConflict);
  return started(*self, Pending::Listen, self->socket->listen(cx.host<Context>().network(), false));
}
SocketResult<void> finish_listen(Borrow<TcpHandle> self) { return finish(*self, Pending::Listen); }

SocketResult<void> start_connect(CallContext& cx, Borrow<TcpHandle> self, Borrow<Network>, SocketAddress address) {
  if (self->pending != Pending::None) return fail(SocketError::ConcurrencyConflict);
  return self->socket->start_connect(cx.host<Context>().network(), address);
}

Streams streams_of(const Ref<TcpSocket>& socket) {
  return {canon::make_own<InputStream>(make_ref<TcpSource>(socket)),
          canon::make_own<OutputStream>(make_ref<TcpSink>(socket))};
}

SocketResult<Streams> finish_connect(Borrow<TcpHandle> self) {
  if (self->socket->state() != State::Connecting) return fail(SocketError::NotInProgress);
  if (auto done = self->socket->finish_connect(); !done) return fail(done.error());
  return streams_of(self->socket);
}

SocketResult<Accepted> accept(Borrow<TcpHandle> self) {
  if (self->pending != Pending::None) return fail(SocketError::InvalidState);
  auto connection = self->socket->accept();
  if (!connection) return fail(connection.error());
  auto [in, out] = streams_of(*connection);
  return Accepted(canon::make_own<TcpHandle>(*std::move(connection)), std::move(in), std::move(out));
}

SocketResult<SocketAddress> local_address(Borrow<TcpHandle> self) {
  if (self->pending == Pending::Bind) return fail(SocketError::InvalidState);
  return self->socket->local_address();
}

bool is_listening(Borrow<TcpHandle> self) {
  return self->socket->state() == State::Listening && self->pending == Pending::None;
}

SocketResult<void> shut_down(Borrow<TcpHandle> self, Shutdown how) {
  if (how != Shutdown::Send)
    if (auto done = self->socket->shut_down_receive(); !done) return done;
  return how == Shutdown::Receive ? SocketResult<void>() : self->socket->shut_down_send();
}

} // namespace

void add_tcp_sockets(canon::Linker& linker) {
  linker.instance("wasi:sockets/tcp-create-socket@0.2.12")
      .resource<TcpHandle>("tcp-socket")
      .func("create-tcp-socket", &create);
  canon::LinkerInstance& tcp = linker.instance("wasi:sockets/tcp@0.2.12");
  tcp.resource<TcpHandle>("tcp-socket").resource<Network>("network").resource<Pollable>("pollable");
  tcp.resource<InputStream>("input-stream").resource<OutputStream>("output-stream");
  tcp.func("[method]tcp-socket.start-bind", &start_bind)
      .func("[method]tcp-socket.finish-bind", &finish_bind)
      .func("[method]tcp-socket.start-connect", &start_connect)
      .func("[method]tcp-socket.finish-connect", &finish_connect)
      .func("[method]tcp-socket.start-listen", &start_listen)
      .func("[method]tcp-socket.finish-listen", &finish_listen)
      .func("[method]tcp-socket.accept", &accept)
      .func("[method]tcp-socket.local-address", &local_address)
      .func("[method]tcp-socket.remote-address", &forward<TcpHandle, &TcpSocket::remote_address>)
      .func("[method]tcp-socket.is-listening", &is_listening)
      .func("[method]tcp-socket.address-family", &forward<TcpHandle, &TcpSocket::family>)
      .func("[method]tcp-socket.set-listen-backlog-size",
            &forward_set<TcpHandle, &TcpSocket::set_listen_backlog_size, std::uint64_t>)
      .func("[method]tcp-socket.keep-alive-enabled", &forward<TcpHandle, &TcpSocket::keep_alive_enabled>)
      .func("[method]tcp-socket.set-keep-alive-enabled",
            &forward_set<TcpHandle, &TcpSocket::set_keep_alive_enabled, bool>)
      .func("[method]tcp-socket.keep-alive-idle-time", &forward<TcpHandle, &TcpSocket::keep_alive_idle_time>)
      .func("[method]tcp-socket.set-keep-alive-idle-time",
            &forward_set<TcpHandle, &TcpSocket::set_keep_alive_idle_time, std::uint64_t>)
      .func("[method]tcp-socket.keep-alive-interval", &forward<TcpHandle, &TcpSocket::keep_alive_interval>)
      .func("[method]tcp-socket.set-keep-alive-interval",
            &forward_set<TcpHandle, &TcpSocket::set_keep_alive_interval, std::uint64_t>)
      .func("[method]tcp-socket.keep-alive-count", &forward<TcpHandle, &TcpSocket::keep_alive_count>)
      .func("[method]tcp-socket.set-keep-alive-count",
            &forward_set<TcpHandle, &TcpSocket::set_keep_alive_count, std::uint32_t>)
      .func("[method]tcp-socket.hop-limit", &forward<TcpHandle, &TcpSocket::hop_limit>)
      .func("[method]tcp-socket.set-hop-limit", &forward_set<TcpHandle, &TcpSocket::set_hop_limit, std::uint8_t>)
      .func("[method]tcp-socket.receive-buffer-size", &forward<TcpHandle, &TcpSocket::receive_buffer_size>)
      .func("[method]tcp-socket.set-receive-buffer-size",
            &forward_set<TcpHandle, &TcpSocket::set_receive_buffer_size, std::uint64_t>)
      .func("[method]tcp-socket.send-buffer-size", &forward<TcpHandle, &TcpSocket::send_buffer_size>)
      .func("[method]tcp-socket.set-send-buffer-size",
            &forward_set<TcpHandle, &TcpSocket::set_send_buffer_size, std::uint64_t>)
      .func("[method]tcp-socket.subscribe",
            [](Borrow<TcpHandle> self) { return canon::make_own<Pollable>(make_ref<TcpWait>(self->socket)); })
      .func("[method]tcp-socket.shutdown", &shut_down);
}

} // namespace cusp::wasi
