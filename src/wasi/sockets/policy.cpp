#include "wasi/sockets/policy.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace cusp::wasi {

using base::ErrorCode;
using base::Result;

namespace {

struct Action {
  std::string_view name;
  NetworkUse use;
};
constexpr std::array<Action, 4> kActions{{{"tcp", NetworkUse::TcpConnect},
                                          {"udp", NetworkUse::UdpSend},
                                          {"tcp-bind", NetworkUse::TcpBind},
                                          {"udp-bind", NetworkUse::UdpBind}}};

std::unexpected<base::Error> bad(std::string_view rule, std::string_view why) {
  return base::fail(ErrorCode::InvalidArgument,
                    fmt::format("the network rule '{}': {}; rules are all, tcp:HOST:PORT, udp:HOST:PORT, "
                                "tcp-bind:HOST:PORT, udp-bind:HOST:PORT and lookup:NAME",
                                rule, why));
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

// "*", "*.example.com" (any name below, not itself), "db.internal". Both in lower case.
bool name_matches(std::string_view pattern, std::string_view name) {
  if (pattern == "*") return true;
  if (pattern.starts_with("*.")) return name.size() > pattern.size() - 1 && name.ends_with(pattern.substr(1));
  return pattern == name;
}

bool is_name_pattern(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c == '.' || c == '-' || c == '_' || (c >= '0' && c <= '9') ||
           (lower(static_cast<char>(c)) >= 'a' && lower(static_cast<char>(c)) <= 'z');
  });
}

template <class Number> std::optional<Number> number_of(std::string_view text) {
  Number value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::array<std::uint8_t, 16> bytes_of(const IpAddress& address) {
  std::array<std::uint8_t, 16> out{};
  if (const auto* v4 = std::get_if<Ipv4>(&address)) {
    std::copy(v4->begin(), v4->end(), out.begin());
  } else {
    const Ipv6& v6 = std::get<Ipv6>(address);
    for (std::size_t i = 0; i < v6.size(); ++i) {
      out[2 * i] = static_cast<std::uint8_t>(v6[i] >> 8);
      out[2 * i + 1] = static_cast<std::uint8_t>(v6[i]);
    }
  }
  return out;
}

bool same_prefix(const IpAddress& a, const IpAddress& b, int bits) {
  if (a.index() != b.index()) return false;
  auto left = bytes_of(a), right = bytes_of(b);
  for (std::size_t i = 0; bits > 0; ++i, bits -= 8) {
    int mask = bits >= 8 ? 0xff : 0xff << (8 - bits) & 0xff;
    if (((left[i] ^ right[i]) & mask) != 0) return false;
  }
  return true;
}

} // namespace

bool NetworkPolicy::Host::matches(const IpAddress& ip, const std::vector<ResolvedName>& resolved) const {
  if (any) return true;
  if (name.empty()) return same_prefix(address, ip, prefix);
  if (name == "localhost" && is_loopback(ip)) return true;
  return std::any_of(resolved.begin(), resolved.end(),
                     [&](const ResolvedName& known) { return known.address == ip && name_matches(name, known.name); });
}

Result<NetworkPolicy::Host> NetworkPolicy::parse_host(std::string_view rule, std::string_view text) {
  Host host;
  if (text == "*") return host;
  host.any = false;
  bool bracketed = text.starts_with('[');
  std::string_view bare = text.substr(0, text.rfind('/'));
  if (bracketed) {
    if (!bare.ends_with(']')) return bad(rule, "the ] is missing");
    bare = bare.substr(1, bare.size() - 2);
  }
  if (auto ip = parse_ip(bare)) {
    const int whole = std::holds_alternative<Ipv4>(*ip) ? 32 : 128;
    if (whole == 128 && !bracketed) return bad(rule, "an IPv6 address stands in [brackets]");
    host.address = *ip;
    host.prefix = whole;
    if (std::size_t slash = text.rfind('/'); slash != std::string_view::npos) {
      auto bits = number_of<int>(text.substr(slash + 1));
      if (!bits || *bits < 0 || *bits > whole) return bad(rule, fmt::format("after / stand 0 to {} bits", whole));
      host.prefix = *bits;
    }
    return host;
  }
  if (bracketed || !is_name_pattern(text)) return bad(rule, fmt::format("'{}' is no address and no name", text));
  host.name = lower_name(text);
  return host;
}

Result<NetworkPolicy::Rule> NetworkPolicy::parse_rule(std::string_view rule, NetworkUse use, std::string_view place) {
  Rule parsed;
  parsed.use = use;
  std::size_t colon = place.rfind(':');
  if (colon == std::string_view::npos || place.ends_with(']')) return bad(rule, "the port is missing");
  parsed.host = CUSP_TRY(parse_host(rule, place.substr(0, colon)));
  std::string_view port = place.substr(colon + 1);
  if (port == "*") return parsed;
  std::size_t dash = port.find('-');
  auto first = number_of<std::uint16_t>(port.substr(0, dash));
  auto last = dash == std::string_view::npos ? first : number_of<std::uint16_t>(port.substr(dash + 1));
  if (!first || !last || *last < *first) return bad(rule, fmt::format("'{}' is no port and no range", port));
  parsed.first_port = *first;
  parsed.last_port = *last;
  return parsed;
}

Result<void> NetworkPolicy::allow(std::string_view rule) {
  if (rule == "all") {
    for (const Action& action : kActions) CUSP_TRY(allow(action.name));
    return allow("lookup");
  }
  std::size_t colon = rule.find(':');
  std::string_view name = rule.substr(0, colon);
  bool everywhere = colon == std::string_view::npos;
  std::string_view place = everywhere ? std::string_view() : rule.substr(colon + 1);
  if (name == "lookup") {
    if (!everywhere && place != "*" && !is_name_pattern(place)) return bad(rule, fmt::format("'{}' is no name", place));
    names_.push_back(everywhere ? "*" : lower_name(place));
    return {};
  }
  const Action* action =
      std::find_if(kActions.begin(), kActions.end(), [&](const Action& a) { return a.name == name; });
  if (action == kActions.end()) return bad(rule, fmt::format("there is no '{}'", name));
  Rule parsed;
  parsed.use = action->use;
  if (!everywhere) parsed = CUSP_TRY(parse_rule(rule, action->use, place));
  if (!parsed.host.name.empty()) names_.push_back(parsed.host.name);
  rules_.push_back(std::move(parsed));
  return {};
}

bool NetworkPolicy::is_forbidden(NetworkUse use) const {
  return use == NetworkUse::TcpConnect || use == NetworkUse::TcpBind ? tcp_forbidden_ : udp_forbidden_;
}
bool NetworkPolicy::has(NetworkUse use) const {
  return !is_forbidden(use) &&
         std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) { return rule.use == use; });
}
bool NetworkPolicy::permits_tcp() const { return has(NetworkUse::TcpConnect) || has(NetworkUse::TcpBind); }
bool NetworkPolicy::permits_udp() const { return has(NetworkUse::UdpSend) || has(NetworkUse::UdpBind); }

bool NetworkPolicy::permits(NetworkUse use, const SocketAddress& address,
                            const std::vector<ResolvedName>& resolved) const {
  const std::uint16_t port = port_of(address);
  const IpAddress ip = ip_of(address);
  return !is_forbidden(use) && std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return rule.use == use && port >= rule.first_port && port <= rule.last_port && rule.host.matches(ip, resolved);
  });
}

bool NetworkPolicy::permits_lookup(std::string_view name) const {
  const std::string wanted = lower_name(name);
  return !lookup_forbidden_ &&
         std::any_of(names_.begin(), names_.end(), [&](const auto& pattern) { return name_matches(pattern, wanted); });
}

void NetworkAccess::learn(std::string_view name, const IpAddress& address) const {
  std::string known = lower_name(name);
  for (const ResolvedName& one : resolved)
    if (one.name == known && one.address == address) return;
  if (resolved.size() == kMaxResolved) resolved.erase(resolved.begin());
  resolved.push_back({std::move(known), address});
}

} // namespace cusp::wasi
