#include "wasi/sockets/name_lookup.h"

#include <algorithm>
#include <clocale>

#include <netdb.h>
#include <netinet/in.h>

namespace cusp::wasi {

namespace {

constexpr std::size_t kMaxName = 253, kMaxLabel = 63; // RFC 1035, 2.3.4

bool is_ascii_label_char(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

// Of a name that may hold other letters than ASCII's, which the resolver encodes (IDNA); those are checked there.
bool is_host_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kMaxName) return false;
  std::string_view label;
  while (!name.empty()) {
    std::size_t dot = std::min(name.find('.'), name.size());
    label = name.substr(0, dot);
    if (label.empty() || label.size() > kMaxLabel) return false;
    for (unsigned char c : label)
      if (c < 0x80 && !is_ascii_label_char(c)) return false;
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  // A number at the end would be an address in one of its old spellings.
  return !std::all_of(label.begin(), label.end(), [](unsigned char c) { return c >= '0' && c <= '9'; });
}

SocketError resolver_error(int error) {
  switch (error) {
  case EAI_NONAME:
  case EAI_NODATA:
  case EAI_ADDRFAMILY: return SocketError::NameUnresolvable;
  case EAI_AGAIN: return SocketError::TemporaryResolverFailure;
  case EAI_IDN_ENCODE: return SocketError::InvalidArgument;
  case EAI_MEMORY: return SocketError::OutOfMemory;
  default: return SocketError::PermanentResolverFailure;
  }
}

SocketResult<std::vector<IpAddress>> resolve(const std::string& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM; // once each, not once per protocol
  hints.ai_flags = AI_IDN;
  // AI_IDN reads the name in the thread's locale.
  locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  locale_t before = utf8 ? uselocale(utf8) : nullptr;
  addrinfo* list = nullptr;
  int error = getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (utf8) {
    uselocale(before);
    freelocale(utf8);
  }
  if (error != 0) return std::unexpected(resolver_error(error));
  std::vector<IpAddress> found;
  for (const addrinfo* one = list; one; one = one->ai_next) {
    auto address = from_system(one->ai_addr);
    if (!address || is_ipv4_mapped(ip_of(*address))) continue;
    if (std::find(found.begin(), found.end(), ip_of(*address)) == found.end()) found.push_back(ip_of(*address));
  }
  freeaddrinfo(list);
  if (found.empty()) return std::unexpected(SocketError::NameUnresolvable);
  return found;
}

} // namespace

SocketResult<Ref<NameLookup>> NameLookup::start(const NetworkPolicy& policy, std::string_view name) {
  auto lookup = make_ref<NameLookup>();
  bool bracketed = name.size() > 2 && name.starts_with('[') && name.ends_with(']');
  if (auto address = parse_ip(bracketed ? name.substr(1, name.size() - 2) : name)) {
    if (bracketed && std::holds_alternative<Ipv4>(*address)) return std::unexpected(SocketError::InvalidArgument);
    lookup->addresses_ = std::vector{*address};
    lookup->done_.set();
    return lookup;
  }
  if (!is_host_name(name)) return std::unexpected(SocketError::InvalidArgument);
  if (!policy.permits_lookup(name)) return std::unexpected(SocketError::AccessDenied);
  lookup->name_ = name;
  if (!loop::EventLoop::current()->spawn([lookup] { lookup->run(); })) return std::unexpected(SocketError::OutOfMemory);
  return lookup;
}

void NameLookup::run() {
  loop::EventLoop::current()->run_blocking([this] { addresses_ = resolve(name_); });
  done_.set();
}

} // namespace cusp::wasi
