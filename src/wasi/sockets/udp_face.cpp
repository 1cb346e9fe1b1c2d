// The 0.2 face of UDP sockets. Binding is done when it is started; finishing it only tells it.
#include <algorithm>

#include <poll.h>

#include "wasi/sockets/face.h"
#include "wasi/sockets/udp_socket.h"

namespace cusp::wasi {

namespace {

using canon::Borrow;
using canon::CallContext;
using canon::Own;

constexpr std::uint64_t kMaxDatagrams = 16; // of one call

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

// What one call of `stream` made: only the newest pair of a socket's streams works.
struct Association final : Counted {
  explicit Association(Ref<UdpSocket> socket) : socket(std::move(socket)) {}
  Ref<UdpSocket> socket;
  bool current = true;
};

struct UdpHandle {
  Ref<UdpSocket> socket;
  bool bind_pending = false;
  Ref<Association> association{};
};
struct IncomingDatagramStream {
  Ref<Association> association;
};
struct OutgoingDatagramStream {
  Ref<Association> association;
  std::uint64_t permit = 0;
};
using Streams = std::tuple<Own<IncomingDatagramStream>, Own<OutgoingDatagramStream>>;

class UdpWait final : public Waitable {
public:
  UdpWait(Ref<UdpSocket> socket, short events) : socket_(std::move(socket)), events_(events) {}
  bool ready() override { return socket_->watched()->ready(events_); }
  loop::Event* event() override {
    return events_ == POLLIN ? &socket_->watched()->readable() : &socket_->watched()->writable();
  }

private:
  Ref<UdpSocket> socket_;
  short events_;
};

std::unexpected<SocketError> fail(SocketError error) { return std::unexpected(error); }

SocketResult<Own<UdpHandle>> create(CallContext& cx, AddressFamily family) {
  auto socket = UdpSocket::create(cx.host<Context>().network(), family);
  if (!socket) return fail(socket.error());
  return canon::make_own<UdpHandle>(*std::move(socket));
}

SocketResult<void> start_bind(CallContext& cx, Borrow<UdpHandle> self, Borrow<Network>, SocketAddress address) {
  if (self->bind_pending) return fail(SocketError::ConcurrencyConflict);
  auto done = self->socket->bind(cx.host<Context>().network(), address);
  self->bind_pending = done.has_value();
  return done;
}
SocketResult<void> finish_bind(Borrow<UdpHandle> self) {
  if (!std::exchange(self->bind_pending, false)) return fail(SocketError::NotInProgress);
  return {};
}

SocketResult<Streams> stream(CallContext& cx, Borrow<UdpHandle> self, std::optional<SocketAddress> peer) {
  UdpSocket& socket = *self->socket;
  if (!socket.is_bound() || self->bind_pending) return fail(SocketError::InvalidState);
  SocketResult<void> done;
  if (peer) done = socket.connect(cx.host<Context>().network(), *peer);
  else if (socket.remote_address()) done = socket.disconnect();
  if (!done) return fail(done.error());
  if (self->association) self->association->current = false;
  self->association = make_ref<Association>(self->socket);
  return Streams(canon::make_own<IncomingDatagramStream>(self->association),
                 canon::make_own<OutgoingDatagramStream>(self->association));
}

SocketResult<SocketAddress> local_address(Borrow<UdpHandle> self) {
  if (self->bind_pending) return fail(SocketError::InvalidState);
  return self->socket->local_address();
}

SocketResult<std::vector<IncomingDatagram>> receive(CallContext& cx, Borrow<IncomingDatagramStream> self,
                                                    std::uint64_t max_results) {
  if (!self->association->current) return fail(SocketError::InvalidState);
  std::vector<IncomingDatagram> received;
  while (received.size() < std::min(max_results, kMaxDatagrams)) {
    auto one = self->association->socket->receive(cx.host<Context>().network());
    if (!one && one.error() != SocketError::WouldBlock && received.empty()) return fail(one.error());
    if (!one) break;
    received.push_back({std::move(one->data), one->from});
  }
  return received;
}

SocketResult<std::uint64_t> check_send(Borrow<OutgoingDatagramStream> self) {
  if (!self->association->current) return fail(SocketError::InvalidState);
  self->permit = self->association->socket->watched()->ready(POLLOUT) ? kMaxDatagrams : 0;
  return self->permit;
}

SocketResult<std::uint64_t> send(CallContext& cx, Borrow<OutgoingDatagramStream> self,
                                 std::vector<OutgoingDatagram> datagrams) {
  if (!self->association->current) return fail(SocketError::InvalidState);
  if (datagrams.size() > self->permit) {
    cx.trap("send of more datagrams than check-send permitted");
    return 0;
  }
  self->permit -= datagrams.size();
  std::uint64_t sent = 0;
  for (const OutgoingDatagram& one : datagrams) {
    auto done = self->association->socket->send(cx.host<Context>().network(), one.data, one.remote_address);
    if (!done && done.error() != SocketError::WouldBlock && sent == 0) return fail(done.error());
    if (!done) break;
    ++sent;
  }
  return sent;
}

template <class Stream, short kEvents> Own<Pollable> subscribe(Borrow<Stream> self) {
  return canon::make_own<Pollable>(make_ref<UdpWait>(self->association->socket, kEvents));
}

} // namespace

void add_udp_sockets(canon::Linker& linker) {
  linker.instance("wasi:sockets/udp-create-socket@0.2.12")
      .resource<UdpHandle>("udp-socket")
      .func("create-udp-socket", &create);
  canon::LinkerInstance& udp = linker.instance("wasi:sockets/udp@0.2.12");
  udp.resource<UdpHandle>("udp-socket").resource<Network>("network").resource<Pollable>("pollable");
  udp.resource<IncomingDatagramStream>("incoming-datagram-stream")
      .resource<OutgoingDatagramStream>("outgoing-datagram-stream");
  udp.func("[method]udp-socket.start-bind", &start_bind)
      .func("[method]udp-socket.finish-bind", &finish_bind)
      .func("[method]udp-socket.stream", &stream)
      .func("[method]udp-socket.local-address", &local_address)
      .func("[method]udp-socket.remote-address", &forward<UdpHandle, &UdpSocket::remote_address>)
      .func("[method]udp-socket.address-family", &forward<UdpHandle, &UdpSocket::family>)
      .func("[method]udp-socket.unicast-hop-limit", &forward<UdpHandle, &UdpSocket::hop_limit>)
      .func("[method]udp-socket.set-unicast-hop-limit",
            &forward_set<UdpHandle, &UdpSocket::set_hop_limit, std::uint8_t>)
      .func("[method]udp-socket.receive-buffer-size", &forward<UdpHandle, &UdpSocket::receive_buffer_size>)
      .func("[method]udp-socket.set-receive-buffer-size",
            &forward_set<UdpHandle, &UdpSocket::set_receive_buffer_size, std::uint64_t>)
      .func("[method]udp-socket.send-buffer-size", &forward<UdpHandle, &UdpSocket::send_buffer_size>)
      .func("[method]udp-socket.set-send-buffer-size",
            &forward_set<UdpHandle, &UdpSocket::set_send_buffer_size, std::uint64_t>)
      .func("[method]udp-socket.subscribe",
            [](Borrow<UdpHandle>) { return canon::make_own<Pollable>(make_ref<AlwaysReady>()); })
      .func("[method]incoming-datagram-stream.receive", &receive)
      .func("[method]incoming-datagram-stream.subscribe", &subscribe<IncomingDatagramStream, POLLIN>)
      .func("[method]outgoing-datagram-stream.check-send", &check_send)
      .func("[method]outgoing-datagram-stream.send", &send)
      .func("[method]outgoing-datagram-stream.subscribe", &subscribe<OutgoingDatagramStream, POLLOUT>);
}

} // namespace cusp::wasi
