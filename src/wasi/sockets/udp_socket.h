// A UDP socket, under both faces. Nothing here waits: would-block, and watched() says when to try again.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "wasi/sockets/ip_socket.h"
#include "wasi/sockets/policy.h"

namespace cusp::wasi {

struct Datagram {
  std::vector<std::uint8_t> data;
  SocketAddress from;
};

class UdpSocket final : public IpSocket {
public:
  static constexpr std::size_t kMaxDatagram = 65535;

  // access-denied: the guest may do nothing with UDP.
  static SocketResult<Ref<UdpSocket>> create(const NetworkAccess& network, AddressFamily family);

  bool is_bound() const { return bound_; }
  SocketResult<void> bind(const NetworkAccess& network, const SocketAddress& address);
  // From now on only this peer; an unbound socket is bound by it.
  SocketResult<void> connect(const NetworkAccess& network, const SocketAddress& peer);
  // invalid-state: not connected.
  SocketResult<void> disconnect();
  // No `to`: the peer. An unbound socket is bound by it.
  SocketResult<void> send(const NetworkAccess& network, std::span<const std::uint8_t> data,
                          const std::optional<SocketAddress>& to);
  // Only from whom the guest may hear: the peer, and who the policy names, if not anybody.
  SocketResult<Datagram> receive(const NetworkAccess& network);

  SocketResult<SocketAddress> local_address() const;
  SocketResult<SocketAddress> remote_address() const;

private:
  UdpSocket(base::UniqueFd fd, AddressFamily family) : IpSocket(std::move(fd), family) {}

  bool bound_ = false, hears_anybody_ = false;
  std::optional<SocketAddress> peer_;
  std::unique_ptr<std::uint8_t[]> room_; // for one datagram, made when first needed
};

} // namespace cusp::wasi
