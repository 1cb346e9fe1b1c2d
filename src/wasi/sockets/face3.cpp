// The 0.3 face of wasi:sockets: the sockets of 0.2, with async functions where those are started and finished, and streams where those are
// polled. A stream of connections, and each direction of one, has a fiber that carries it and keeps the socket open.
#include <poll.h>

#include "canon/bind.h"
#include "wasi/io/pump.h"
#include "wasi/open_enum.h"
#include "wasi/sockets/face.h"
#include "wasi/sockets/name_lookup.h"
#include "wasi/sockets/tcp_stream.h"
#include "wasi/sockets/udp_socket.h"

namespace cusp::wasi {

namespace {

using canon::Borrow;
using canon::CallContext;
using canon::HostResult;
using canon::Own;

using SocketCode = OpenEnum<14>;
using LookupCode = OpenEnum<5>;
template <class T> using Coded = std::expected<T, SocketCode>;

// The case of 0.3's error-code, by name: SocketError has 0.2's order.
SocketCode socket_code(SocketError error) {
  switch (error) {
  case SocketError::AccessDenied: return {0, {}};
  case SocketError::NotSupported: return {1, {}};
  case SocketError::InvalidArgument: return {2, {}};
  case SocketError::OutOfMemory: return {3, {}};
  case SocketError::Timeout: return {4, {}};
  case SocketError::ConcurrencyConflict: // two at a time is a matter of state here
  case SocketError::InvalidState: return {5, {}};
  case SocketError::AddressNotBindable: return {6, {}};
  case SocketError::AddressInUse: return {7, {}};
  case SocketError::RemoteUnreachable: return {8, {}};
  case SocketError::ConnectionRefused: return {9, {}};
  case SocketError::ConnectionBroken: return {10, {}};
  case SocketError::ConnectionReset: return {11, {}};
  case SocketError::ConnectionAborted: return {12, {}};
  case SocketError::DatagramTooLarge: return {13, {}};
  default: return {.text = std::string(socket_error_name(error))};
  }
}
std::unexpected<SocketCode> failed(SocketError error) { return std::unexpected(socket_code(error)); }

LookupCode lookup_code(SocketError error) {
  switch (error) {
  case SocketError::AccessDenied: return {0, {}};
  case SocketError::InvalidArgument: return {1, {}};
  case SocketError::NameUnresolvable: return {2, {}};
  case SocketError::TemporaryResolverFailure: return {3, {}};
  case SocketError::PermanentResolverFailure: return {4, {}};
  default: return {.text = std::string(socket_error_name(error))};
  }
}

template <class T> Coded<T> coded(SocketResult<T>&& result) {
  if (!result) return failed(result.error());
  if constexpr (std::is_void_v<T>) return {};
  else return *std::move(result);
}

template <class Handle, auto kMethod> auto get(Borrow<Handle> self) { return coded((self->socket.get()->*kMethod)()); }
template <class Handle, auto kMethod, class Value> Coded<void> set(Borrow<Handle> self, Value value) {
  return coded((self->socket.get()->*kMethod)(value));
}

// --- TCP
struct TcpHandle {
  Ref<TcpSocket> socket;
  bool sends = false, receives = false; // its stream was given away
};

Coded<Own<TcpHandle>> create_tcp(CallContext& cx, AddressFamily family) {
  auto socket = TcpSocket::create(cx.host<Context>().network(), family);
  if (!socket) return failed(socket.error());
  return canon::make_own<TcpHandle>(*std::move(socket));
}

// A socket whose last handle has just gone is closed by the fiber that still has it: that goes first.
template <class Handle> Coded<void> bind(CallContext& cx, Borrow<Handle> self, SocketAddress address) {
  auto done = self->socket->bind(cx.host<Context>().network(), address);
  if (!done && done.error() == SocketError::AddressInUse) {
    loop::Fiber::yield();
    done = self->socket->bind(cx.host<Context>().network(), address);
  }
  return coded(std::move(done));
}

HostResult<Coded<void>> connect_tcp(CallContext& cx, Borrow<TcpHandle> self, SocketAddress address) {
  Ref<TcpSocket> socket = self->socket;
  if (auto started = socket->start_connect(cx.host<Context>().network(), address); !started)
    return Coded<void>(failed(started.error()));
  TcpWait connected(socket);
  if (wait_for(connected, loop::kNever) != WaitOutcome::Ready) return canon::cancelled();
  return coded(socket->finish_connect());
}

// Whoever could not be accepted is left out; when the process has no descriptor left, that may change.
void feed_connections(const Ref<TcpSocket>& listener, canon::StreamWriter<Own<TcpHandle>>& writer) {
  constexpr auto kPause = std::chrono::milliseconds(50);
  PeerGone gone(writer);
  TcpWait connection(listener);
  Waitable* either[] = {&connection, &gone};
  for (;;) {
    auto room = writer.wanted();
    if (!room || *room == 0) return;
    if (wait_for_any(either, loop::kNever) != WaitOutcome::Ready || writer.is_closed()) return;
    auto accepted = listener->accept();
    if (!accepted && accepted.error() == SocketError::NewSocketLimit)
      loop::EventLoop::current()->sleep_until(loop::Clock::now() + kPause);
    if (!accepted) continue;
    Own<TcpHandle> one = canon::make_own<TcpHandle>(*std::move(accepted));
    auto written = writer.write(std::span(&one, 1));
    if (!written || *written == 0) return;
  }
}

Coded<canon::Stream<Own<TcpHandle>>> listen(CallContext& cx, Borrow<TcpHandle> self) {
  if (auto listening = self->socket->listen(cx.host<Context>().network(), true); !listening)
    return failed(listening.error());
  auto connections = canon::make_stream<Own<TcpHandle>>(cx);
  bool fed = cx.component().attend(
      [socket = self->socket, writer = std::move(connections.writer)]() mutable { feed_connections(socket, writer); });
  if (!fed) cx.trap("there is no memory for a stream");
  return std::move(connections.stream);
}

// All of the stream, and then the end. Nothing is told when the guest is gone first.
SocketResult<void> transmit(ByteStream& data, TcpSocket& socket) {
  std::vector<std::uint8_t> part(16 * 1024);
  for (;;) {
    auto got = data.read(part);
    if (!got) return {};
    if (*got == 0) return socket.shut_down_send();
    for (std::span<const std::uint8_t> rest = std::span(part).first(*got); !rest.empty();) {
      auto sent = socket.send(rest);
      if (sent) rest = rest.subspan(*sent);
      else if (sent.error() != SocketError::WouldBlock) return std::unexpected(sent.error());
      else if (!socket.watched()->writable().wait()) return {};
    }
  }
}

canon::Future<Outcome<SocketCode>> send_tcp(CallContext& cx, Borrow<TcpHandle> self, ByteStream data) {
  if (self->socket->state() != TcpSocket::State::Connected || std::exchange(self->sends, true))
    return settled<SocketCode>(cx, failed(SocketError::InvalidState));
  auto end = canon::make_future<Outcome<SocketCode>>(cx);
  bool sending =
      cx.component().spawn([socket = self->socket, data = std::move(data), outcome = std::move(end.writer)]() mutable {
        auto done = transmit(data, *socket);
        socket = {};
        data.close();
        (void)outcome.set(coded(std::move(done)));
      });
  if (!sending) cx.trap("there is no memory for a stream");
  return std::move(end.future);
}

Reading<SocketCode> receive_tcp(CallContext& cx, Borrow<TcpHandle> self) {
  auto bytes = canon::make_stream<std::uint8_t>(cx);
  if (self->socket->state() != TcpSocket::State::Connected || std::exchange(self->receives, true))
    return {std::move(bytes.stream), settled<SocketCode>(cx, failed(SocketError::InvalidState))};
  auto end = canon::make_future<Outcome<SocketCode>>(cx);
  bool receiving = cx.component().attend(
      [socket = self->socket, writer = std::move(bytes.writer), outcome = std::move(end.writer)]() mutable {
        TcpSource source(socket);
        StreamResult<void> done = feed(source, writer);
        if (writer.is_closed()) (void)socket->shut_down_receive(); // nobody wants the rest
        socket = {};
        writer.close();
        if (done || done.error().closed()) (void)outcome.set({});
        else (void)outcome.set(failed(done.error().error->network.value_or(SocketError::Unknown)));
      });
  if (!receiving) cx.trap("there is no memory for a stream");
  return {std::move(bytes.stream), std::move(end.future)};
}

void add_tcp_3(canon::LinkerInstance& types) {
  types.resource<TcpHandle>("tcp-socket")
      .func("[static]tcp-socket.create", &create_tcp)
      .func("[method]tcp-socket.bind", &bind<TcpHandle>)
      .func("[method]tcp-socket.connect", &connect_tcp)
      .func("[method]tcp-socket.listen", &listen)
      .func("[method]tcp-socket.send", &send_tcp)
      .func("[method]tcp-socket.receive", &receive_tcp)
      .func("[method]tcp-socket.get-local-address", &get<TcpHandle, &TcpSocket::local_address>)
      .func("[method]tcp-socket.get-remote-address", &get<TcpHandle, &TcpSocket::remote_address>)
      .func("[method]tcp-socket.get-is-listening",
            [](Borrow<TcpHandle> self) { return self->socket->state() == TcpSocket::State::Listening; })
      .func("[method]tcp-socket.get-address-family", &forward<TcpHandle, &TcpSocket::family>)
      .func("[method]tcp-socket.set-listen-backlog-size",
            &set<TcpHandle, &TcpSocket::set_listen_backlog_size, std::uint64_t>)
      .func("[method]tcp-socket.get-keep-alive-enabled", &get<TcpHandle, &TcpSocket::keep_alive_enabled>)
      .func("[method]tcp-socket.set-keep-alive-enabled", &set<TcpHandle, &TcpSocket::set_keep_alive_enabled, bool>)
      .func("[method]tcp-socket.get-keep-alive-idle-time", &get<TcpHandle, &TcpSocket::keep_alive_idle_time>)
      .func("[method]tcp-socket.set-keep-alive-idle-time",
            &set<TcpHandle, &TcpSocket::set_keep_alive_idle_time, std::uint64_t>)
      .func("[method]tcp-socket.get-keep-alive-interval", &get<TcpHandle, &TcpSocket::keep_alive_interval>)
      .func("[method]tcp-socket.set-keep-alive-interval",
            &set<TcpHandle, &TcpSocket::set_keep_alive_interval, std::uint64_t>)
      .func("[method]tcp-socket.get-keep-alive-count", &get<TcpHandle, &TcpSocket::keep_alive_count>)
      .func("[method]tcp-socket.set-keep-alive-count", &set<TcpHandle, &TcpSocket::set_keep_alive_count, std::uint32_t>)
      .func("[method]tcp-socket.get-hop-limit", &get<TcpHandle, &TcpSocket::hop_limit>)
      .func("[method]tcp-socket.set-hop-limit", &set<TcpHandle, &TcpSocket::set_hop_limit, std::uint8_t>)
      .func("[method]tcp-socket.get-receive-buffer-size", &get<TcpHandle, &TcpSocket::receive_buffer_size>)
      .func("[method]tcp-socket.set-receive-buffer-size",
            &set<TcpHandle, &TcpSocket::set_receive_buffer_size, std::uint64_t>)
      .func("[method]tcp-socket.get-send-buffer-size", &get<TcpHandle, &TcpSocket::send_buffer_size>)
      .func("[method]tcp-socket.set-send-buffer-size",
            &set<TcpHandle, &TcpSocket::set_send_buffer_size, std::uint64_t>);
}

// --- UDP
struct UdpHandle {
  Ref<UdpSocket> socket;
};

Coded<Own<UdpHandle>> create_udp(CallContext& cx, AddressFamily family) {
  auto socket = UdpSocket::create(cx.host<Context>().network(), family);
  if (!socket) return failed(socket.error());
  return canon::make_own<UdpHandle>(*std::move(socket));
}

Coded<void> connect_udp(CallContext& cx, Borrow<UdpHandle> self, SocketAddress peer) {
  return coded(self->socket->connect(cx.host<Context>().network(), peer));
}

HostResult<Coded<void>> send_udp(CallContext& cx, Borrow<UdpHandle> self, std::vector<std::uint8_t> data,
                                 std::optional<SocketAddress> to) {
  Ref<UdpSocket> socket = self->socket;
  for (;;) {
    auto sent = socket->send(cx.host<Context>().network(), data, to);
    if (sent || sent.error() != SocketError::WouldBlock) return coded(std::move(sent));
    if (!socket->watched()->writable().wait()) return canon::cancelled();
  }
}

using Received = std::tuple<std::vector<std::uint8_t>, SocketAddress>;
HostResult<Coded<Received>> receive_udp(CallContext& cx, Borrow<UdpHandle> self) {
  Ref<UdpSocket> socket = self->socket;
  for (;;) {
    auto got = socket->receive(cx.host<Context>().network());
    if (got) return Coded<Received>(Received(std::move(got->data), got->from));
    if (got.error() != SocketError::WouldBlock) return Coded<Received>(failed(got.error()));
    if (!socket->watched()->readable().wait()) return canon::cancelled();
  }
}

void add_udp_3(canon::LinkerInstance& types) {
  types.resource<UdpHandle>("udp-socket")
      .func("[static]udp-socket.create", &create_udp)
      .func("[method]udp-socket.bind", &bind<UdpHandle>)
      .func("[method]udp-socket.connect", &connect_udp)
      .func("[method]udp-socket.disconnect", &get<UdpHandle, &UdpSocket::disconnect>)
      .func("[method]udp-socket.send", &send_udp)
      .func("[method]udp-socket.receive", &receive_udp)
      .func("[method]udp-socket.get-local-address", &get<UdpHandle, &UdpSocket::local_address>)
      .func("[method]udp-socket.get-remote-address", &get<UdpHandle, &UdpSocket::remote_address>)
      .func("[method]udp-socket.get-address-family", &forward<UdpHandle, &UdpSocket::family>)
      .func("[method]udp-socket.get-unicast-hop-limit", &get<UdpHandle, &UdpSocket::hop_limit>)
      .func("[method]udp-socket.set-unicast-hop-limit", &set<UdpHandle, &UdpSocket::set_hop_limit, std::uint8_t>)
      .func("[method]udp-socket.get-receive-buffer-size", &get<UdpHandle, &UdpSocket::receive_buffer_size>)
      .func("[method]udp-socket.set-receive-buffer-size",
            &set<UdpHandle, &UdpSocket::set_receive_buffer_size, std::uint64_t>)
      .func("[method]udp-socket.get-send-buffer-size", &get<UdpHandle, &UdpSocket::send_buffer_size>)
      .func("[method]udp-socket.set-send-buffer-size",
            &set<UdpHandle, &UdpSocket::set_send_buffer_size, std::uint64_t>);
}

// --- names
using Addresses = std::expected<std::vector<IpAddress>, LookupCode>;
HostResult<Addresses> resolve_addresses(CallContext& cx, std::string name) {
  auto lookup = NameLookup::start(cx.host<Context>().config->network, name);
  if (!lookup) return Addresses(std::unexpected(lookup_code(lookup.error())));
  if (!(*lookup)->done_event().wait()) return canon::cancelled();
  const auto& found = (*lookup)->addresses();
  if (!found) return Addresses(std::unexpected(lookup_code(found.error())));
  for (const IpAddress& address : *found) cx.host<Context>().network().learn((*lookup)->name(), address);
  return Addresses(*found);
}

} // namespace

void add_sockets_3(canon::Linker& linker) {
  canon::LinkerInstance& types = linker.instance("wasi:sockets/types@0.3.0");
  add_tcp_3(types);
  add_udp_3(types);
  linker.instance("wasi:sockets/ip-name-lookup@0.3.0").func("resolve-addresses", &resolve_addresses);
}

} // namespace cusp::wasi
