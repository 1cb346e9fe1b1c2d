// The operator's language of network rules: what each permits, and what it does not.
#include "wasi/sockets/policy.h"

#include <gtest/gtest.h>

namespace cusp::wasi {
namespace {

SocketAddress at(std::string_view ip, std::uint16_t port) { return with_port(*parse_ip(ip), port); }

struct Guest {
  explicit Guest(std::initializer_list<std::string_view> rules) {
    for (std::string_view rule : rules) {
      auto allowed = policy.allow(rule);
      EXPECT_TRUE(allowed) << allowed.error().to_string();
    }
  }
  bool tcp(std::string_view ip, std::uint16_t port) { return may(NetworkUse::TcpConnect, ip, port); }
  bool may(NetworkUse use, std::string_view ip, std::uint16_t port) {
    return policy.permits(use, at(ip, port), resolved);
  }
  NetworkPolicy policy;
  std::vector<ResolvedName> resolved;
};

TEST(NetworkPolicy, NothingIfNotTold) {
  Guest guest({});
  EXPECT_FALSE(guest.tcp("127.0.0.1", 80));
  EXPECT_FALSE(guest.policy.permits_tcp());
  EXPECT_FALSE(guest.policy.permits_udp());
  EXPECT_FALSE(guest.policy.permits_lookup("localhost"));
}

TEST(NetworkPolicy, AddressesAndPorts) {
  Guest guest({"tcp:10.1.2.3:80", "tcp:[2001:db8::1]:8000-8099", "tcp:192.168.0.0/23:*"});
  EXPECT_TRUE(guest.tcp("10.1.2.3", 80));
  EXPECT_FALSE(guest.tcp("10.1.2.3", 81));
  EXPECT_FALSE(guest.tcp("10.1.2.4", 80));
  EXPECT_TRUE(guest.tcp("2001:db8::1", 8099));
  EXPECT_FALSE(guest.tcp("2001:db8::1", 8100));
  EXPECT_TRUE(guest.tcp("192.168.1.255", 1));
  EXPECT_FALSE(guest.tcp("192.168.2.0", 1));
  EXPECT_FALSE(guest.may(NetworkUse::UdpSend, "10.1.2.3", 80));
  EXPECT_FALSE(guest.may(NetworkUse::TcpBind, "10.1.2.3", 80));
  EXPECT_TRUE(guest.policy.permits_tcp());
  EXPECT_FALSE(guest.policy.permits_udp());
}

TEST(NetworkPolicy, NamesMeanWhatWasFound) {
  Guest guest({"tcp:db.internal:5432", "tcp:*.example.com:443"});
  EXPECT_TRUE(guest.policy.permits_lookup("DB.internal."));
  EXPECT_TRUE(guest.policy.permits_lookup("www.example.com"));
  EXPECT_FALSE(guest.policy.permits_lookup("example.com"));
  EXPECT_FALSE(guest.policy.permits_lookup("badexample.com"));
  EXPECT_FALSE(guest.tcp("10.0.0.9", 5432));
  NetworkAccess{guest.policy, guest.resolved}.learn("DB.internal", *parse_ip("10.0.0.9"));
  EXPECT_TRUE(guest.tcp("10.0.0.9", 5432));
  EXPECT_FALSE(guest.tcp("10.0.0.9", 443));
  EXPECT_FALSE(guest.tcp("10.0.0.8", 5432));
}

TEST(NetworkPolicy, LocalhostIsEveryLoopbackAddress) {
  Guest guest({"tcp:localhost:80"});
  EXPECT_TRUE(guest.tcp("127.0.0.1", 80));
  EXPECT_TRUE(guest.tcp("::1", 80));
  EXPECT_FALSE(guest.tcp("10.0.0.1", 80));
}

TEST(NetworkPolicy, LearnedNamesAreBounded) {
  Guest guest({"tcp:*.internal:80"});
  NetworkAccess access{guest.policy, guest.resolved};
  for (std::size_t i = 0; i < NetworkAccess::kMaxResolved + 5; ++i)
    access.learn("n" + std::to_string(i) + ".internal", *parse_ip("10.0.0.1"));
  access.learn("n6.internal", *parse_ip("10.0.0.1"));
  EXPECT_EQ(guest.resolved.size(), NetworkAccess::kMaxResolved);
}

TEST(NetworkPolicy, AllAndTheLastWord) {
  Guest guest({"all"});
  EXPECT_TRUE(guest.tcp("1.2.3.4", 5));
  EXPECT_TRUE(guest.may(NetworkUse::UdpBind, "::", 53));
  EXPECT_TRUE(guest.policy.permits_lookup("anything"));
  guest.policy.forbid_udp();
  guest.policy.forbid_lookup();
  EXPECT_FALSE(guest.policy.permits_udp());
  EXPECT_FALSE(guest.policy.permits_lookup("anything"));
  EXPECT_TRUE(guest.policy.permits_tcp());
  guest.policy.forbid_tcp();
  EXPECT_FALSE(guest.tcp("1.2.3.4", 5));
}

TEST(NetworkPolicy, RefusesWhatIsNoRule) {
  for (const char* rule :
       {"", "tcp:", "tcp:host", "tcp:host:", "tcp:host:70000", "tcp:host:9-8", "tcp:::1:80", "tcp:[::1]", "tcp:[::1:80",
        "tcp:10.0.0.0/33:80", "tcp:[db]:80", "tcp:a b:80", "sctp:host:80", "lookup:", "lookup:a/b", "everything"}) {
    NetworkPolicy policy;
    auto allowed = policy.allow(rule);
    ASSERT_FALSE(allowed) << rule;
    EXPECT_NE(allowed.error().message.find("tcp:HOST:PORT"), std::string::npos);
    EXPECT_FALSE(policy.permits_tcp()) << rule;
  }
}

} // namespace
} // namespace cusp::wasi
