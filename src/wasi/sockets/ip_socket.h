// What TCP and UDP sockets have in common: a descriptor that the loop watches, and its options. The descriptor lives as long as any handle,
// stream or pollable that stands for it. Loop thread only. Numbers that the system cannot have are clamped, zero is an error: wasi:sockets.
#pragma once

#include <cstdint>

#include "base/unique_fd.h"
#include "wasi/io/poll.h"
#include "wasi/sockets/address.h"
#include "wasi/sockets/error.h"

namespace cusp::wasi {

// A non-blocking socket and the events of its readiness. Outlives the socket object where a fiber still uses it: close() wakes that.
class WatchedSocket final : public Counted {
public:
  explicit WatchedSocket(base::UniqueFd fd) : fd_(std::move(fd)) {}
  ~WatchedSocket() override { close(); }

  int fd() const { return fd_.get(); }
  bool is_open() const { return static_cast<bool>(fd_); }
  // Events come from now on. Before a TCP socket connects or listens it has nothing to tell. Once is enough.
  SocketResult<void> watch();
  void close();
  // Whether `events` (POLLIN, POLLOUT) or an error are there. When not, the event of that direction will be set.
  bool ready(short events);
  loop::Event& readable() { return readable_; }
  loop::Event& writable() { return writable_; }

private:
  base::UniqueFd fd_;
  bool watched_ = false;
  loop::Event readable_, writable_;
};

class IpSocket : public Counted {
public:
  ~IpSocket() override { socket_->close(); }
  AddressFamily family() const { return family_; }
  const Ref<WatchedSocket>& watched() const { return socket_; }

  SocketResult<std::uint8_t> hop_limit() const;
  SocketResult<void> set_hop_limit(std::uint8_t value);
  SocketResult<std::uint64_t> receive_buffer_size() const;
  SocketResult<void> set_receive_buffer_size(std::uint64_t value);
  SocketResult<std::uint64_t> send_buffer_size() const;
  SocketResult<void> set_send_buffer_size(std::uint64_t value);

protected:
  IpSocket(base::UniqueFd fd, AddressFamily family)
      : socket_(make_ref<WatchedSocket>(std::move(fd))), family_(family) {}
  static SocketResult<base::UniqueFd> open(AddressFamily family, int type);

  int fd() const { return socket_->fd(); }
  // invalid-argument: of the other family, or an IPv4 address in the clothes of an IPv6 one.
  SocketResult<void> check_family(const SocketAddress& address) const;
  // Also: nothing that can be a peer.
  SocketResult<void> check_remote(const SocketAddress& address) const;
  SocketResult<SocketAddress> system_local_address() const;
  SocketResult<SocketAddress> system_remote_address() const;
  SocketResult<int> option(int level, int name) const;
  SocketResult<void> set_option(int level, int name, int value);

private:
  SocketResult<std::uint64_t> buffer_size(int name) const;
  SocketResult<void> set_buffer_size(int name, std::uint64_t value);

  Ref<WatchedSocket> socket_;
  AddressFamily family_;
};

} // namespace cusp::wasi
