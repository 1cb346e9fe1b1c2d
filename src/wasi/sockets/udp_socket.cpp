#include "wasi/sockets/udp_socket.h"

#include <cerrno>

#include <sys/socket.h>

namespace cusp::wasi {

namespace {
std::unexpected<SocketError> system_error() { return std::unexpected(socket_error(errno)); }
} // namespace

SocketResult<Ref<UdpSocket>> UdpSocket::create(const NetworkAccess& network, AddressFamily family) {
  if (!network.policy.permits_udp()) return std::unexpected(SocketError::AccessDenied);
  auto fd = open(family, SOCK_DGRAM);
  if (!fd) return std::unexpected(fd.error());
  Ref<UdpSocket> socket(new UdpSocket(*std::move(fd), family));
  if (auto watching = socket->watched()->watch(); !watching) return std::unexpected(watching.error());
  return socket;
}

SocketResult<void> UdpSocket::bind(const NetworkAccess& network, const SocketAddress& address) {
  if (bound_) return std::unexpected(SocketError::InvalidState);
  if (auto family = check_family(address); !family) return family;
  const bool may_bind = network.permits(NetworkUse::UdpBind, address);
  // Whichever port is free serves for what comes back from those that the guest may write to.
  if (port_of(address) != 0 && !may_bind) return std::unexpected(SocketError::AccessDenied);
  SystemAddress system = to_system(address);
  if (::bind(fd(), system.get(), system.size) != 0) return system_error();
  bound_ = true;
  hears_anybody_ = may_bind;
  return {};
}

SocketResult<void> UdpSocket::connect(const NetworkAccess& network, const SocketAddress& peer) {
  if (auto remote = check_remote(peer); !remote) return remote;
  if (!hears_anybody_ && !network.permits(NetworkUse::UdpSend, peer)) return std::unexpected(SocketError::AccessDenied);
  if (peer_)
    if (auto done = disconnect(); !done) return done;
  SystemAddress system = to_system(peer);
  if (::connect(fd(), system.get(), system.size) != 0)
    return std::unexpected(errno == EADDRNOTAVAIL ? SocketError::AddressInUse : socket_error(errno));
  peer_ = peer;
  bound_ = true;
  return {};
}

SocketResult<void> UdpSocket::disconnect() {
  if (!peer_) return std::unexpected(SocketError::InvalidState);
  auto before = system_local_address();
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  if (::connect(fd(), &nobody, sizeof nobody) != 0) return system_error();
  peer_.reset();
  // Linux lets go of a port that it had chosen itself. The guest keeps what it was bound to.
  auto after = system_local_address();
  if (before && after && port_of(*after) == 0) {
    SystemAddress system = to_system(with_port(ip_of(*after), port_of(*before)));
    if (::bind(fd(), system.get(), system.size) != 0) return system_error();
  }
  return {};
}

SocketResult<void> UdpSocket::send(const NetworkAccess& network, std::span<const std::uint8_t> data,
                                   const std::optional<SocketAddress>& to) {
  if (!to && !peer_) return std::unexpected(SocketError::InvalidArgument);
  const SocketAddress& remote = to ? *to : *peer_;
  if (auto valid = check_remote(remote); !valid) return valid;
  if (peer_ && remote != *peer_) return std::unexpected(SocketError::InvalidArgument);
  if (!network.permits(NetworkUse::UdpSend, remote)) return std::unexpected(SocketError::AccessDenied);
  if (data.size() > kMaxDatagram) return std::unexpected(SocketError::DatagramTooLarge);
  SystemAddress system = to_system(remote);
  for (;;) {
    watched()->writable().reset();
    ssize_t sent = peer_ ? ::send(fd(), data.data(), data.size(), MSG_NOSIGNAL)
                         : sendto(fd(), data.data(), data.size(), MSG_NOSIGNAL, system.get(), system.size);
    if (sent >= 0) break;
    if (errno != EINTR) return system_error();
  }
  watched()->writable().set();
  bound_ = true;
  return {};
}

SocketResult<Datagram> UdpSocket::receive(const NetworkAccess& network) {
  if (!bound_) return std::unexpected(SocketError::InvalidState);
  if (!room_) room_ = std::make_unique<std::uint8_t[]>(kMaxDatagram);
  for (;;) {
    watched()->readable().reset();
    SystemAddress system;
    ssize_t got = recvfrom(fd(), room_.get(), kMaxDatagram, 0, system.get(), &system.size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error();
    watched()->readable().set();
    auto from = from_system(system.get());
    // What came before connecting is still there.
    if (!from || (peer_ && *from != *peer_)) continue;
    if (!hears_anybody_ && !network.permits(NetworkUse::UdpSend, *from)) continue;
    return Datagram{{room_.get(), room_.get() + got}, *from};
  }
}

SocketResult<SocketAddress> UdpSocket::local_address() const {
  if (!bound_) return std::unexpected(SocketError::InvalidState);
  return system_local_address();
}

SocketResult<SocketAddress> UdpSocket::remote_address() const {
  if (!peer_) return std::unexpected(SocketError::InvalidState);
  return *peer_;
}

} // namespace cusp::wasi
