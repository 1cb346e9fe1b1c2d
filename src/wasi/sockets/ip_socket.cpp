#include "wasi/sockets/ip_socket.h"

#include <algorithm>
#include <cerrno>
#include <limits>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace cusp::wasi {

SocketResult<void> WatchedSocket::watch() {
  if (watched_) return {};
  if (!loop::EventLoop::current()->watch(fd(), readable_, writable_)) return std::unexpected(SocketError::OutOfMemory);
  watched_ = true;
  return {};
}

void WatchedSocket::close() {
  if (!fd_) return;
  if (watched_) loop::EventLoop::current()->forget(fd());
  fd_.reset();
  readable_.set();
  writable_.set();
}

bool WatchedSocket::ready(short events) {
  // First the event, then the question: what comes between them sets it again.
  (events == POLLIN ? readable_ : writable_).reset();
  pollfd one{fd(), events, 0};
  while (::poll(&one, 1, 0) < 0 && errno == EINTR) {
  }
  return one.revents != 0;
}

SocketResult<base::UniqueFd> IpSocket::open(AddressFamily family, int type) {
  const bool v6 = family == AddressFamily::Ipv6;
  base::UniqueFd fd(socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(socket_error(errno == EAFNOSUPPORT ? EOPNOTSUPP : errno));
  const int one = 1;
  if (v6 && setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0)
    return std::unexpected(socket_error(errno));
  return fd;
}

SocketResult<void> IpSocket::check_family(const SocketAddress& address) const {
  if (family_of(address) != family_ || is_ipv4_mapped(ip_of(address)))
    return std::unexpected(SocketError::InvalidArgument);
  return {};
}

SocketResult<void> IpSocket::check_remote(const SocketAddress& address) const {
  if (auto family = check_family(address); !family) return family;
  if (is_unspecified(ip_of(address)) || port_of(address) == 0) return std::unexpected(SocketError::InvalidArgument);
  return {};
}

SocketResult<SocketAddress> IpSocket::system_local_address() const {
  SystemAddress address;
  if (getsockname(fd(), address.get(), &address.size) != 0) return std::unexpected(socket_error(errno));
  return from_system(address.get()).value_or(unspecified(family_));
}

SocketResult<SocketAddress> IpSocket::system_remote_address() const {
  SystemAddress address;
  if (getpeername(fd(), address.get(), &address.size) != 0) return std::unexpected(socket_error(errno));
  return from_system(address.get()).value_or(unspecified(family_));
}

SocketResult<int> IpSocket::option(int level, int name) const {
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(fd(), level, name, &value, &size) != 0) return std::unexpected(socket_error(errno));
  return value;
}

SocketResult<void> IpSocket::set_option(int level, int name, int value) {
  if (setsockopt(fd(), level, name, &value, sizeof value) != 0) return std::unexpected(socket_error(errno));
  return {};
}

SocketResult<std::uint8_t> IpSocket::hop_limit() const {
  const bool v6 = family_ == AddressFamily::Ipv6;
  auto value = option(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL);
  if (!value) return std::unexpected(value.error());
  return static_cast<std::uint8_t>(*value);
}

SocketResult<void> IpSocket::set_hop_limit(std::uint8_t value) {
  if (value == 0) return std::unexpected(SocketError::InvalidArgument);
  const bool v6 = family_ == AddressFamily::Ipv6;
  return set_option(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, value);
}

// Linux keeps, and tells, twice what was asked for: room for its own bookkeeping.
SocketResult<std::uint64_t> IpSocket::buffer_size(int name) const {
  auto value = option(SOL_SOCKET, name);
  if (!value) return std::unexpected(value.error());
  return static_cast<std::uint64_t>(*value) / 2;
}

SocketResult<void> IpSocket::set_buffer_size(int name, std::uint64_t value) {
  if (value == 0) return std::unexpected(SocketError::InvalidArgument);
  return set_option(SOL_SOCKET, name,
                    static_cast<int>(std::min<std::uint64_t>(value, std::numeric_limits<int>::max() / 2)));
}

SocketResult<std::uint64_t> IpSocket::receive_buffer_size() const { return buffer_size(SO_RCVBUF); }
SocketResult<void> IpSocket::set_receive_buffer_size(std::uint64_t value) { return set_buffer_size(SO_RCVBUF, value); }
SocketResult<std::uint64_t> IpSocket::send_buffer_size() const { return buffer_size(SO_SNDBUF); }
SocketResult<void> IpSocket::set_send_buffer_size(std::uint64_t value) { return set_buffer_size(SO_SNDBUF, value); }

} // namespace cusp::wasi
