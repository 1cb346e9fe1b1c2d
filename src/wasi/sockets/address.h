// Addresses as wasi:sockets has them (0.2 and 0.3 alike) and as the system has them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include <sys/socket.h>

#include "canon/describe.h"

namespace cusp::wasi {

enum class AddressFamily : std::uint8_t { Ipv4, Ipv6 };
CUSP_ENUM(AddressFamily, "ipv4", "ipv6")

using Ipv4 = std::array<std::uint8_t, 4>;
using Ipv6 = std::array<std::uint16_t, 8>;
using IpAddress = std::variant<Ipv4, Ipv6>;

struct Ipv4SocketAddress {
  std::uint16_t port = 0;
  Ipv4 address{};
  bool operator==(const Ipv4SocketAddress&) const = default;
};
CUSP_RECORD(Ipv4SocketAddress, port, address)
struct Ipv6SocketAddress {
  std::uint16_t port = 0;
  std::uint32_t flow_info = 0;
  Ipv6 address{};
  std::uint32_t scope_id = 0;
  bool operator==(const Ipv6SocketAddress&) const = default;
};
CUSP_RECORD(Ipv6SocketAddress, port, flow_info, address, scope_id)
using SocketAddress = std::variant<Ipv4SocketAddress, Ipv6SocketAddress>;

inline AddressFamily family_of(const SocketAddress& address) { return static_cast<AddressFamily>(address.index()); }
std::uint16_t port_of(const SocketAddress& address);
IpAddress ip_of(const SocketAddress& address);
SocketAddress with_port(const IpAddress& address, std::uint16_t port);
SocketAddress unspecified(AddressFamily family); // port 0

bool is_unspecified(const IpAddress& address);
bool is_loopback(const IpAddress& address);
bool is_unicast(const IpAddress& address);
bool is_ipv4_mapped(const IpAddress& address);

// A literal, without brackets.
std::optional<IpAddress> parse_ip(std::string_view text);

struct SystemAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
SystemAddress to_system(const SocketAddress& address);
// nullopt: of another family.
std::optional<SocketAddress> from_system(const sockaddr* address);

} // namespace cusp::wasi
