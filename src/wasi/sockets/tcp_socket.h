// A TCP socket and its states, under both faces. Nothing here waits: what cannot be done yet is would-block, and watched() says when to try
// again. Spec: wasi:sockets, TcpSocketOperationalSemantics.
#pragma once

#include <span>
#include <string>

#include "wasi/sockets/ip_socket.h"
#include "wasi/sockets/policy.h"

namespace cusp::wasi {

class TcpSocket final : public IpSocket {
public:
  enum class State : std::uint8_t { Unbound, Bound, Listening, Connecting, Connected, Closed };

  // access-denied: the guest may do nothing with TCP.
  static SocketResult<Ref<TcpSocket>> create(const NetworkAccess& network, AddressFamily family);
  ~TcpSocket() override;

  State state() const { return state_; }

  SocketResult<void> bind(const NetworkAccess& network, const SocketAddress& address);
  // Bound, or (listen_unbound) at any free port of every interface.
  SocketResult<void> listen(const NetworkAccess& network, bool listen_unbound);
  // A connection that waits. would-block: none.
  SocketResult<Ref<TcpSocket>> accept();
  // Begins; an error that the network tells comes with finish_connect().
  SocketResult<void> start_connect(const NetworkAccess& network, const SocketAddress& address);
  // REQUIRES: Connecting. would-block: still under way. Other errors: the socket is closed.
  SocketResult<void> finish_connect();
  // Whether what it waits for, in the state that it is in, has come; event() is set then.
  bool ready();
  loop::Event& event() { return state_ == State::Listening ? watched()->readable() : watched()->writable(); }

  // 0: the peer sends no more, or receiving was shut down.
  SocketResult<std::size_t> receive(std::span<std::uint8_t> into);
  // What the system takes now.
  SocketResult<std::size_t> send(std::span<const std::uint8_t> bytes);
  // Takes all of it; what the system does not take now is sent behind the guest's back. REQUIRES: send_pending() == 0.
  SocketResult<void> send_all(std::span<const std::uint8_t> bytes);
  std::size_t send_pending() const;
  loop::Event& sent(); // set when nothing is pending any more
  // An error of what was pending, told once.
  SocketResult<void> send_outcome();

  SocketResult<void> shut_down_receive();
  SocketResult<void> shut_down_send(); // behind what is pending
  bool receive_shut() const { return receive_shut_; }
  bool send_shut() const { return send_shut_; }

  SocketResult<SocketAddress> local_address() const;
  SocketResult<SocketAddress> remote_address() const;
  SocketResult<void> set_listen_backlog_size(std::uint64_t value);
  SocketResult<bool> keep_alive_enabled() const;
  SocketResult<void> set_keep_alive_enabled(bool value);
  SocketResult<std::uint64_t> keep_alive_idle_time() const; // nanoseconds
  SocketResult<void> set_keep_alive_idle_time(std::uint64_t value);
  SocketResult<std::uint64_t> keep_alive_interval() const;
  SocketResult<void> set_keep_alive_interval(std::uint64_t value);
  SocketResult<std::uint32_t> keep_alive_count() const;
  SocketResult<void> set_keep_alive_count(std::uint32_t value);

private:
  struct Backlog; // of bytes to send
  TcpSocket(base::UniqueFd fd, AddressFamily family);
  SocketResult<std::uint64_t> seconds_option(int name) const;
  SocketResult<void> set_seconds_option(int name, std::uint64_t nanoseconds);
  static void drain(WatchedSocket& socket, Backlog& backlog);

  State state_ = State::Unbound;
  int listen_backlog_ = 128;
  int connect_error_ = 0;
  SocketAddress requested_{}; // what bind() asked for: its port may be 0
  bool receive_shut_ = false, send_shut_ = false;
  Ref<Backlog> backlog_; // made when first needed
};

} // namespace cusp::wasi
