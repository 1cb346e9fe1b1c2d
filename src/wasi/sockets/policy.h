// What a guest may do on the network: a list of rules that the operator grants; with none, nothing. The language:
//   all                   everything
//   tcp:HOST:PORT         connect there                      tcp         anywhere
//   udp:HOST:PORT         exchange datagrams with it         udp         with anybody
//   tcp-bind:HOST:PORT    listen at this own address         tcp-bind    at any
//   udp-bind:HOST:PORT    receive there, from anybody        udp-bind    at any
//   lookup:NAME           look this name up                  lookup      any name
// HOST: an address ([…] around IPv6), addresses (10.0.0.0/8), a name (db.internal, *.example.com, localhost), or *. PORT: a number, a
// range (8000-8099), 0 (of one's own: whichever is free), or *. A rule with a name also permits to look that name up, and means the
// addresses that the guest found in doing so. A port of one's own that nobody is told (port 0, not listening) needs no bind rule.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wasi/sockets/address.h"

namespace cusp::wasi {

enum class NetworkUse : std::uint8_t { TcpConnect, UdpSend, TcpBind, UdpBind };

// A name that the guest has looked up, and one of the addresses that it has.
struct ResolvedName {
  std::string name;
  IpAddress address;
};

class NetworkPolicy {
public:
  // Error: InvalidArgument, with what a rule looks like.
  base::Result<void> allow(std::string_view rule);
  // The last word, whatever rules say.
  void forbid_tcp() { tcp_forbidden_ = true; }
  void forbid_udp() { udp_forbidden_ = true; }
  void forbid_lookup() { lookup_forbidden_ = true; }

  bool permits(NetworkUse use, const SocketAddress& address, const std::vector<ResolvedName>& resolved) const;
  bool permits_tcp() const; // anything at all
  bool permits_udp() const;
  bool permits_lookup(std::string_view name) const;

private:
  struct Host {
    std::string name;          // a pattern; or
    IpAddress address{Ipv4{}}; // the first `prefix` bits; or
    int prefix = 0;
    bool any = true; // anything
    bool matches(const IpAddress& ip, const std::vector<ResolvedName>& resolved) const;
  };
  struct Rule {
    NetworkUse use{};
    Host host;
    std::uint16_t first_port = 0, last_port = 65535;
  };
  bool is_forbidden(NetworkUse use) const;
  bool has(NetworkUse use) const;
  static base::Result<Rule> parse_rule(std::string_view rule, NetworkUse use, std::string_view place);
  static base::Result<Host> parse_host(std::string_view rule, std::string_view text);

  std::vector<Rule> rules_;
  std::vector<std::string> names_; // patterns that may be looked up
  bool tcp_forbidden_ = false, udp_forbidden_ = false, lookup_forbidden_ = false;
};

// A policy in the hands of one guest, with what it has learned.
struct NetworkAccess {
  static constexpr std::size_t kMaxResolved = 1024; // older ones are forgotten

  const NetworkPolicy& policy;
  std::vector<ResolvedName>& resolved;

  bool permits(NetworkUse use, const SocketAddress& address) const { return policy.permits(use, address, resolved); }
  void learn(std::string_view name, const IpAddress& address) const;
};

} // namespace cusp::wasi
