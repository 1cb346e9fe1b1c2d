#include "wasi/sockets/tcp_socket.h"

#include <algorithm>
#include <cerrno>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace cusp::wasi {

namespace {
constexpr int kMaxKeepAliveSeconds = 32767, kMaxKeepAliveProbes = 127; // Linux's MAX_TCP_KEEPIDLE, …CNT
constexpr std::uint64_t kSecond = 1'000'000'000;

std::unexpected<SocketError> system_error() { return std::unexpected(socket_error(errno)); }
std::unexpected<SocketError> invalid_state() { return std::unexpected(SocketError::InvalidState); }
} // namespace

// What is still to be sent when the guest has gone on. Shared with the fiber that sends it.
struct TcpSocket::Backlog final : Counted {
  std::string bytes;
  std::size_t at = 0;
  SocketError error{};
  bool failed = false, shut_down_behind = false;
  loop::Event empty;
};

TcpSocket::TcpSocket(base::UniqueFd fd, AddressFamily family) : IpSocket(std::move(fd), family) {}
TcpSocket::~TcpSocket() = default;

SocketResult<Ref<TcpSocket>> TcpSocket::create(const NetworkAccess& network, AddressFamily family) {
  if (!network.policy.permits_tcp()) return std::unexpected(SocketError::AccessDenied);
  auto fd = open(family, SOCK_STREAM);
  if (!fd) return std::unexpected(fd.error());
  return Ref<TcpSocket>(new TcpSocket(*std::move(fd), family));
}

SocketResult<void> TcpSocket::bind(const NetworkAccess& network, const SocketAddress& address) {
  if (state_ != State::Unbound) return invalid_state();
  if (auto family = check_family(address); !family) return family;
  if (!is_unicast(ip_of(address))) return std::unexpected(SocketError::InvalidArgument);
  // Whichever port is free tells nobody anything until the socket listens.
  if (port_of(address) != 0 && !network.permits(NetworkUse::TcpBind, address))
    return std::unexpected(SocketError::AccessDenied);
  // A port of the guest's choice is free again at once, whatever a connection's TIME_WAIT says. Spec: start-bind, implementors note.
  // The connections of this one must allow it too, so that it is set for every port.
  if (auto reuse = set_option(SOL_SOCKET, SO_REUSEADDR, 1); !reuse) return reuse;
  SystemAddress system = to_system(address);
  if (::bind(fd(), system.get(), system.size) != 0) return system_error();
  requested_ = address;
  state_ = State::Bound;
  return {};
}

SocketResult<void> TcpSocket::listen(const NetworkAccess& network, bool listen_unbound) {
  if (state_ != State::Bound && !(listen_unbound && state_ == State::Unbound)) return invalid_state();
  if (!network.permits(NetworkUse::TcpBind, state_ == State::Bound ? requested_ : unspecified(family())))
    return std::unexpected(SocketError::AccessDenied);
  if (::listen(fd(), listen_backlog_) != 0) return system_error();
  if (auto watching = watched()->watch(); !watching) return watching;
  state_ = State::Listening;
  return {};
}

SocketResult<Ref<TcpSocket>> TcpSocket::accept() {
  if (state_ != State::Listening) return invalid_state();
  for (;;) {
    base::UniqueFd accepted(accept4(fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted) {
      if (errno == EINTR) continue;
      return system_error();
    }
    Ref<TcpSocket> connection(new TcpSocket(std::move(accepted), family()));
    connection->state_ = State::Connected;
    (void)connection->set_option(IPPROTO_TCP, TCP_NODELAY, 1);
    if (auto watching = connection->watched()->watch(); !watching) return std::unexpected(watching.error());
    return connection;
  }
}

SocketResult<void> TcpSocket::start_connect(const NetworkAccess& network, const SocketAddress& address) {
  if (state_ == State::Connecting) return std::unexpected(SocketError::ConcurrencyConflict);
  if (state_ != State::Unbound && state_ != State::Bound) return invalid_state();
  if (auto remote = check_remote(address); !remote) return remote;
  if (!is_unicast(ip_of(address))) return std::unexpected(SocketError::InvalidArgument);
  if (!network.permits(NetworkUse::TcpConnect, address)) return std::unexpected(SocketError::AccessDenied);
  // wasi:sockets has no such option, and what writes by the stream has no use for waiting.
  (void)set_option(IPPROTO_TCP, TCP_NODELAY, 1);
  SystemAddress system = to_system(address);
  connect_error_ = ::connect(fd(), system.get(), system.size) == 0 ? 0 : errno;
  state_ = State::Connecting;
  if (auto watching = watched()->watch(); !watching) return watching;
  return {};
}

SocketResult<void> TcpSocket::finish_connect() {
  if (connect_error_ == EINPROGRESS || connect_error_ == EINTR) {
    if (!watched()->ready(POLLOUT)) return std::unexpected(SocketError::WouldBlock);
    connect_error_ = option(SOL_SOCKET, SO_ERROR).value_or(EINVAL);
  }
  state_ = connect_error_ == 0 ? State::Connected : State::Closed;
  if (connect_error_ == 0) return {};
  // No port of one's own was left; the address was not the guest's choice.
  return std::unexpected(connect_error_ == EADDRNOTAVAIL ? SocketError::AddressInUse : socket_error(connect_error_));
}

bool TcpSocket::ready() {
  switch (state_) {
  case State::Connecting:
    return (connect_error_ != EINPROGRESS && connect_error_ != EINTR) || watched()->ready(POLLOUT);
  case State::Listening: return watched()->ready(POLLIN);
  default: return true;
  }
}

SocketResult<std::size_t> TcpSocket::receive(std::span<std::uint8_t> into) {
  if (receive_shut_) return 0;
  for (;;) {
    watched()->readable().reset();
    ssize_t got = recv(fd(), into.data(), into.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error();
    // Whatever is left behind makes no new edge.
    if (got > 0) watched()->readable().set();
    return static_cast<std::size_t>(got);
  }
}

SocketResult<std::size_t> TcpSocket::send(std::span<const std::uint8_t> bytes) {
  if (send_shut_) return std::unexpected(SocketError::ConnectionBroken);
  for (;;) {
    watched()->writable().reset();
    ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return system_error();
    return static_cast<std::size_t>(sent);
  }
}

SocketResult<void> TcpSocket::send_all(std::span<const std::uint8_t> bytes) {
  auto sent = send(bytes);
  if (!sent && sent.error() != SocketError::WouldBlock) return std::unexpected(sent.error());
  bytes = bytes.subspan(sent.value_or(0));
  if (bytes.empty()) return {};
  if (!backlog_) backlog_ = make_ref<Backlog>();
  backlog_->bytes.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  backlog_->at = 0;
  backlog_->empty.reset();
  // The fiber keeps no socket alive: it ends when the last handle has gone.
  auto* fiber =
      loop::EventLoop::current()->spawn([socket = watched(), backlog = backlog_] { drain(*socket, *backlog); });
  if (fiber) return {};
  backlog_->bytes.clear();
  return std::unexpected(SocketError::OutOfMemory);
}

void TcpSocket::drain(WatchedSocket& socket, Backlog& backlog) {
  while (socket.is_open() && backlog.at < backlog.bytes.size()) {
    socket.writable().reset();
    ssize_t sent =
        ::send(socket.fd(), backlog.bytes.data() + backlog.at, backlog.bytes.size() - backlog.at, MSG_NOSIGNAL);
    if (sent >= 0) backlog.at += static_cast<std::size_t>(sent);
    else if (errno == EAGAIN) socket.writable().wait();
    else if (errno != EINTR) {
      backlog.error = socket_error(errno);
      backlog.failed = true;
      break;
    }
  }
  backlog.bytes.clear();
  backlog.at = 0;
  if (backlog.shut_down_behind && socket.is_open()) ::shutdown(socket.fd(), SHUT_WR);
  backlog.empty.set();
}

std::size_t TcpSocket::send_pending() const { return backlog_ ? backlog_->bytes.size() - backlog_->at : 0; }
loop::Event& TcpSocket::sent() { return backlog_ ? backlog_->empty : watched()->writable(); }

SocketResult<void> TcpSocket::send_outcome() {
  if (!backlog_ || !backlog_->failed) return {};
  backlog_->failed = false;
  send_shut_ = true;
  return std::unexpected(backlog_->error);
}

SocketResult<void> TcpSocket::shut_down_receive() {
  if (state_ != State::Connected) return invalid_state();
  // Linux would go on handing out what comes after it.
  receive_shut_ = true;
  watched()->readable().set();
  if (::shutdown(fd(), SHUT_RD) != 0 && errno != ENOTCONN) return system_error();
  return {};
}

SocketResult<void> TcpSocket::shut_down_send() {
  if (state_ != State::Connected) return invalid_state();
  send_shut_ = true;
  if (send_pending() != 0) {
    backlog_->shut_down_behind = true;
    return {};
  }
  if (::shutdown(fd(), SHUT_WR) != 0 && errno != ENOTCONN) return system_error();
  return {};
}

SocketResult<SocketAddress> TcpSocket::local_address() const {
  if (state_ == State::Unbound || state_ == State::Closed) return invalid_state();
  return system_local_address();
}

SocketResult<SocketAddress> TcpSocket::remote_address() const {
  if (state_ != State::Connected) return invalid_state();
  return system_remote_address();
}

SocketResult<void> TcpSocket::set_listen_backlog_size(std::uint64_t value) {
  if (value == 0) return std::unexpected(SocketError::InvalidArgument);
  if (state_ != State::Unbound && state_ != State::Bound && state_ != State::Listening) return invalid_state();
  listen_backlog_ = static_cast<int>(std::min<std::uint64_t>(value, SOMAXCONN));
  if (state_ == State::Listening && ::listen(fd(), listen_backlog_) != 0) return system_error();
  return {};
}

SocketResult<bool> TcpSocket::keep_alive_enabled() const {
  auto value = option(SOL_SOCKET, SO_KEEPALIVE);
  if (!value) return std::unexpected(value.error());
  return *value != 0;
}

SocketResult<void> TcpSocket::set_keep_alive_enabled(bool value) {
  return set_option(SOL_SOCKET, SO_KEEPALIVE, value ? 1 : 0);
}

SocketResult<std::uint64_t> TcpSocket::seconds_option(int name) const {
  auto value = option(IPPROTO_TCP, name);
  if (!value) return std::unexpected(value.error());
  return static_cast<std::uint64_t>(*value) * kSecond;
}

SocketResult<void> TcpSocket::set_seconds_option(int name, std::uint64_t nanoseconds) {
  if (nanoseconds == 0) return std::unexpected(SocketError::InvalidArgument);
  std::uint64_t seconds = nanoseconds / kSecond + (nanoseconds % kSecond != 0);
  return set_option(IPPROTO_TCP, name, static_cast<int>(std::min<std::uint64_t>(seconds, kMaxKeepAliveSeconds)));
}

SocketResult<std::uint64_t> TcpSocket::keep_alive_idle_time() const { return seconds_option(TCP_KEEPIDLE); }
SocketResult<void> TcpSocket::set_keep_alive_idle_time(std::uint64_t value) {
  return set_seconds_option(TCP_KEEPIDLE, value);
}
SocketResult<std::uint64_t> TcpSocket::keep_alive_interval() const { return seconds_option(TCP_KEEPINTVL); }
SocketResult<void> TcpSocket::set_keep_alive_interval(std::uint64_t value) {
  return set_seconds_option(TCP_KEEPINTVL, value);
}

SocketResult<std::uint32_t> TcpSocket::keep_alive_count() const {
  auto value = option(IPPROTO_TCP, TCP_KEEPCNT);
  if (!value) return std::unexpected(value.error());
  return static_cast<std::uint32_t>(*value);
}

SocketResult<void> TcpSocket::set_keep_alive_count(std::uint32_t value) {
  if (value == 0) return std::unexpected(SocketError::InvalidArgument);
  return set_option(IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(std::min<std::uint32_t>(value, kMaxKeepAliveProbes)));
}

} // namespace cusp::wasi
