// wasi:sockets, present so that components which import it link: every attempt to make a socket or to look up a name is answered with
// not-supported. No socket ever exists, so what would be done with one answers invalid-state.
#include "canon/bind.h"
#include "wasi/context.h"
#include "wasi/linker.h"

namespace cusp::wasi {

namespace {

using canon::Borrow;
using canon::Own;

enum class SocketError : std::uint8_t {
  Unknown,
  AccessDenied,
  NotSupported,
  InvalidArgument,
  OutOfMemory,
  Timeout,
  ConcurrencyConflict,
  NotInProgress,
  WouldBlock,
  InvalidState
};
CUSP_ENUM(SocketError, "unknown", "access-denied", "not-supported", "invalid-argument", "out-of-memory", "timeout",
          "concurrency-conflict", "not-in-progress", "would-block", "invalid-state", "new-socket-limit",
          "address-not-bindable", "address-in-use", "remote-unreachable", "connection-refused", "connection-reset",
          "connection-aborted", "datagram-too-large", "name-unresolvable", "temporary-resolver-failure",
          "permanent-resolver-failure")

enum class AddressFamily : std::uint8_t { Ipv4, Ipv6 };
CUSP_ENUM(AddressFamily, "ipv4", "ipv6")
enum class Shutdown : std::uint8_t { Receive, Send, Both };
CUSP_ENUM(Shutdown, "receive", "send", "both")

using Ipv4 = std::array<std::uint8_t, 4>;
using Ipv6 = std::array<std::uint16_t, 8>;
using IpAddress = std::variant<Ipv4, Ipv6>;
struct Ipv4SocketAddress {
  std::uint16_t port = 0;
  Ipv4 address{};
};
CUSP_RECORD(Ipv4SocketAddress, port, address)
struct Ipv6SocketAddress {
  std::uint16_t port = 0;
  std::uint32_t flow_info = 0;
  Ipv6 address{};
  std::uint32_t scope_id = 0;
};
CUSP_RECORD(Ipv6SocketAddress, port, flow_info, address, scope_id)
using SocketAddress = std::variant<Ipv4SocketAddress, Ipv6SocketAddress>;

struct IncomingDatagram {
  std::vector<std::uint8_t> data;
  SocketAddress remote_address;
};
CUSP_RECORD(IncomingDatagram, data, remote_address)
struct OutgoingDatagram {
  std::vector<std::uint8_t> data;
  std::optional<SocketAddress> remote_address;
};
CUSP_RECORD(OutgoingDatagram, data, remote_address)

struct Network {};
struct ResolveAddressStream {};
struct TcpSocket {};
struct UdpSocket {};
struct IncomingDatagramStream {};
struct OutgoingDatagramStream {};

template <class T> using SocketResult = std::expected<T, SocketError>;

// A method of an object that never exists.
template <class Self, class R, class... A> SocketResult<R> no_object(Borrow<Self>, A...) {
  return std::unexpected(SocketError::InvalidState);
}
template <class Self> Own<Pollable> ready_at_once(Borrow<Self>) {
  return canon::make_own<Pollable>(make_ref<AlwaysReady>());
}

void add_tcp(canon::LinkerInstance& tcp) {
  using Streams = std::tuple<Own<InputStream>, Own<OutputStream>>;
  using Accepted = std::tuple<Own<TcpSocket>, Own<InputStream>, Own<OutputStream>>;
  tcp.resource<TcpSocket>("tcp-socket").resource<Network>("network").resource<Pollable>("pollable");
  tcp.resource<InputStream>("input-stream").resource<OutputStream>("output-stream");
  tcp.func("[method]tcp-socket.start-bind", &no_object<TcpSocket, void, Borrow<Network>, SocketAddress>)
      .func("[method]tcp-socket.finish-bind", &no_object<TcpSocket, void>)
      .func("[method]tcp-socket.start-connect", &no_object<TcpSocket, void, Borrow<Network>, SocketAddress>)
      .func("[method]tcp-socket.finish-connect", &no_object<TcpSocket, Streams>)
      .func("[method]tcp-socket.start-listen", &no_object<TcpSocket, void>)
      .func("[method]tcp-socket.finish-listen", &no_object<TcpSocket, void>)
      .func("[method]tcp-socket.accept", &no_object<TcpSocket, Accepted>)
      .func("[method]tcp-socket.local-address", &no_object<TcpSocket, SocketAddress>)
      .func("[method]tcp-socket.remote-address", &no_object<TcpSocket, SocketAddress>)
      .func("[method]tcp-socket.is-listening", [](Borrow<TcpSocket>) { return false; })
      .func("[method]tcp-socket.address-family", [](Borrow<TcpSocket>) { return AddressFamily::Ipv4; })
      .func("[method]tcp-socket.set-listen-backlog-size", &no_object<TcpSocket, void, std::uint64_t>)
      .func("[method]tcp-socket.keep-alive-enabled", &no_object<TcpSocket, bool>)
      .func("[method]tcp-socket.set-keep-alive-enabled", &no_object<TcpSocket, void, bool>)
      .func("[method]tcp-socket.keep-alive-idle-time", &no_object<TcpSocket, std::uint64_t>)
      .func("[method]tcp-socket.set-keep-alive-idle-time", &no_object<TcpSocket, void, std::uint64_t>)
      .func("[method]tcp-socket.keep-alive-interval", &no_object<TcpSocket, std::uint64_t>)
      .func("[method]tcp-socket.set-keep-alive-interval", &no_object<TcpSocket, void, std::uint64_t>)
      .func("[method]tcp-socket.keep-alive-count", &no_object<TcpSocket, std::uint32_t>)
      .func("[method]tcp-socket.set-keep-alive-count", &no_object<TcpSocket, void, std::uint32_t>)
      .func("[method]tcp-socket.hop-limit", &no_object<TcpSocket, std::uint8_t>)
      .func("[method]tcp-socket.set-hop-limit", &no_object<TcpSocket, void, std::uint8_t>)
      .func("[method]tcp-socket.receive-buffer-size", &no_object<TcpSocket, std::uint64_t>)
      .func("[method]tcp-socket.set-receive-buffer-size", &no_object<TcpSocket, void, std::uint64_t>)
      .func("[method]tcp-socket.send-buffer-size", &no_object<TcpSocket, std::uint64_t>)
      .func("[method]tcp-socket.set-send-buffer-size", &no_object<TcpSocket, void, std::uint64_t>)
      .func("[method]tcp-socket.subscribe", &ready_at_once<TcpSocket>)
      .func("[method]tcp-socket.shutdown", &no_object<TcpSocket, void, Shutdown>);
}

void add_udp(canon::LinkerInstance& udp) {
  using Streams = std::tuple<Own<IncomingDatagramStream>, Own<OutgoingDatagramStream>>;
  udp.resource<UdpSocket>("udp-socket").resource<Network>("network").resource<Pollable>("pollable");
  udp.resource<IncomingDatagramStream>("incoming-datagram-stream")
      .resource<OutgoingDatagramStream>("outgoing-datagram-stream");
  udp.func("[method]udp-socket.start-bind", &no_object<UdpSocket, void, Borrow<Network>, SocketAddress>)
      .func("[method]udp-socket.finish-bind", &no_object<UdpSocket, void>)
      .func("[method]udp-socket.stream", &no_object<UdpSocket, Streams, std::optional<SocketAddress>>)
      .func("[method]udp-socket.local-address", &no_object<UdpSocket, SocketAddress>)
      .func("[method]udp-socket.remote-address", &no_object<UdpSocket, SocketAddress>)
      .func("[method]udp-socket.address-family", [](Borrow<UdpSocket>) { return AddressFamily::Ipv4; })
      .func("[method]udp-socket.unicast-hop-limit", &no_object<UdpSocket, std::uint8_t>)
      .func("[method]udp-socket.set-unicast-hop-limit", &no_object<UdpSocket, void, std::uint8_t>)
      .func("[method]udp-socket.receive-buffer-size", &no_object<UdpSocket, std::uint64_t>)
      .func("[method]udp-socket.set-receive-buffer-size", &no_object<UdpSocket, void, std::uint64_t>)
      .func("[method]udp-socket.send-buffer-size", &no_object<UdpSocket, std::uint64_t>)
      .func("[method]udp-socket.set-send-buffer-size", &no_object<UdpSocket, void, std::uint64_t>)
      .func("[method]udp-socket.subscribe", &ready_at_once<UdpSocket>)
      .func("[method]incoming-datagram-stream.receive",
            &no_object<IncomingDatagramStream, std::vector<IncomingDatagram>, std::uint64_t>)
      .func("[method]incoming-datagram-stream.subscribe", &ready_at_once<IncomingDatagramStream>)
      .func("[method]outgoing-datagram-stream.check-send", &no_object<OutgoingDatagramStream, std::uint64_t>)
      .func("[method]outgoing-datagram-stream.send",
            &no_object<OutgoingDatagramStream, std::uint64_t, std::vector<OutgoingDatagram>>)
      .func("[method]outgoing-datagram-stream.subscribe", &ready_at_once<OutgoingDatagramStream>);
}

} // namespace

void add_sockets(canon::Linker& linker) {
  linker.instance("wasi:sockets/network@0.2.12")
      .resource<Network>("network")
      .resource<IoError>("error")
      .func("network-error-code", [](Borrow<IoError>) { return std::optional<SocketError>(); });
  linker.instance("wasi:sockets/instance-network@0.2.12").resource<Network>("network").func("instance-network", [] {
    return canon::make_own<Network>();
  });
  add_tcp(linker.instance("wasi:sockets/tcp@0.2.12"));
  add_udp(linker.instance("wasi:sockets/udp@0.2.12"));
  linker.instance("wasi:sockets/tcp-create-socket@0.2.12")
      .resource<TcpSocket>("tcp-socket")
      .func("create-tcp-socket",
            [](AddressFamily) { return SocketResult<Own<TcpSocket>>(std::unexpected(SocketError::NotSupported)); });
  linker.instance("wasi:sockets/udp-create-socket@0.2.12")
      .resource<UdpSocket>("udp-socket")
      .func("create-udp-socket",
            [](AddressFamily) { return SocketResult<Own<UdpSocket>>(std::unexpected(SocketError::NotSupported)); });
  linker.instance("wasi:sockets/ip-name-lookup@0.2.12")
      .resource<ResolveAddressStream>("resolve-address-stream")
      .resource<Network>("network")
      .resource<Pollable>("pollable")
      .func("resolve-addresses",
            [](Borrow<Network>, std::string) {
              return SocketResult<Own<ResolveAddressStream>>(std::unexpected(SocketError::NotSupported));
            })
      .func("[method]resolve-address-stream.resolve-next-address",
            &no_object<ResolveAddressStream, std::optional<IpAddress>>)
      .func("[method]resolve-address-stream.subscribe", &ready_at_once<ResolveAddressStream>);
}

} // namespace cusp::wasi
