#include "wasi/sockets/address.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace cusp::wasi {

namespace {
Ipv6 from_bytes(const in6_addr& bytes) {
  Ipv6 address;
  for (std::size_t i = 0; i < address.size(); ++i)
    address[i] = static_cast<std::uint16_t>(bytes.s6_addr[2 * i] << 8 | bytes.s6_addr[2 * i + 1]);
  return address;
}
} // namespace

std::uint16_t port_of(const SocketAddress& address) {
  return std::visit([](const auto& one) { return one.port; }, address);
}

IpAddress ip_of(const SocketAddress& address) {
  return std::visit([](const auto& one) { return IpAddress(one.address); }, address);
}

SocketAddress with_port(const IpAddress& address, std::uint16_t port) {
  if (const auto* v4 = std::get_if<Ipv4>(&address)) return Ipv4SocketAddress{port, *v4};
  return Ipv6SocketAddress{port, 0, std::get<Ipv6>(address), 0};
}

SocketAddress unspecified(AddressFamily family) {
  if (family == AddressFamily::Ipv4) return Ipv4SocketAddress{};
  return Ipv6SocketAddress{};
}

bool is_unspecified(const IpAddress& address) { return address == IpAddress(Ipv4{}) || address == IpAddress(Ipv6{}); }

bool is_loopback(const IpAddress& address) {
  if (const auto* v4 = std::get_if<Ipv4>(&address)) return (*v4)[0] == 127;
  return std::get<Ipv6>(address) == Ipv6{0, 0, 0, 0, 0, 0, 0, 1};
}

bool is_unicast(const IpAddress& address) {
  if (const auto* v4 = std::get_if<Ipv4>(&address)) return ((*v4)[0] & 0xf0) != 0xe0 && *v4 != Ipv4{255, 255, 255, 255};
  return std::get<Ipv6>(address)[0] >> 8 != 0xff;
}

bool is_ipv4_mapped(const IpAddress& address) {
  const auto* v6 = std::get_if<Ipv6>(&address);
  return v6 && std::all_of(v6->begin(), v6->begin() + 5, [](auto part) { return part == 0; }) && (*v6)[5] == 0xffff;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  if (Ipv4 v4; inet_pton(AF_INET, terminated.c_str(), v4.data()) == 1) return v4;
  if (in6_addr v6; inet_pton(AF_INET6, terminated.c_str(), &v6) == 1) return from_bytes(v6);
  return std::nullopt;
}

SystemAddress to_system(const SocketAddress& address) {
  SystemAddress out;
  if (const auto* v4 = std::get_if<Ipv4SocketAddress>(&address)) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(v4->port);
    std::memcpy(&in.sin_addr, v4->address.data(), sizeof in.sin_addr);
    std::memcpy(&out.storage, &in, out.size = sizeof in);
  } else {
    const auto& v6 = std::get<Ipv6SocketAddress>(address);
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(v6.port);
    in.sin6_flowinfo = htonl(v6.flow_info);
    in.sin6_scope_id = v6.scope_id;
    for (std::size_t i = 0; i < v6.address.size(); ++i) {
      in.sin6_addr.s6_addr[2 * i] = static_cast<std::uint8_t>(v6.address[i] >> 8);
      in.sin6_addr.s6_addr[2 * i + 1] = static_cast<std::uint8_t>(v6.address[i]);
    }
    std::memcpy(&out.storage, &in, out.size = sizeof in);
  }
  return out;
}

std::optional<SocketAddress> from_system(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    Ipv4SocketAddress out{ntohs(in.sin_port), {}};
    std::memcpy(out.address.data(), &in.sin_addr, sizeof in.sin_addr);
    return out;
  }
  if (address->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 in;
  std::memcpy(&in, address, sizeof in);
  return Ipv6SocketAddress{ntohs(in.sin6_port), ntohl(in.sin6_flowinfo), from_bytes(in.sin6_addr), in.sin6_scope_id};
}

} // namespace cusp::wasi
