// Sockets as both faces use them, over loopback: the states that the specification draws, and what the policy keeps from a guest.
#include "wasi/sockets/name_lookup.h"
#include "wasi/sockets/tcp_stream.h"
#include "wasi/sockets/udp_socket.h"

#include <poll.h>

#include "wasi/scratch.h"

namespace cusp::wasi {
namespace {

using State = TcpSocket::State;

struct Network {
  explicit Network(std::initializer_list<std::string_view> rules) {
    for (std::string_view rule : rules) EXPECT_TRUE(policy.allow(rule));
  }
  NetworkPolicy policy;
  std::vector<ResolvedName> resolved;
  NetworkAccess access{policy, resolved};
};

const SocketAddress kAnyPort = with_port(Ipv4{127, 0, 0, 1}, 0);

std::span<const std::uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

template <class T> SocketError error(const SocketResult<T>& result) {
  EXPECT_FALSE(result) << "it succeeded";
  return result ? SocketError::Unknown : result.error();
}

void wait(Waitable& what) {
  ASSERT_EQ(wait_for(what, loop::Clock::now() + std::chrono::seconds(10)), WaitOutcome::Ready);
}
void wait(TcpSocket& socket) {
  while (!socket.ready()) ASSERT_TRUE(socket.event().wait(loop::Clock::now() + std::chrono::seconds(10)));
}

std::string read_all(TcpSource& source) {
  std::string text;
  for (;;) {
    wait(source);
    auto part = source.peek(kStreamChunk);
    if (!part) return text;
    text.append(part->begin(), part->end());
    source.consume(part->size());
  }
}

struct Pair {
  explicit Pair(const NetworkAccess& network) {
    Ref<TcpSocket> listener = *TcpSocket::create(network, AddressFamily::Ipv4);
    EXPECT_TRUE(listener->bind(network, kAnyPort));
    EXPECT_TRUE(listener->listen(network, false));
    client = *TcpSocket::create(network, AddressFamily::Ipv4);
    EXPECT_TRUE(client->start_connect(network, *listener->local_address()));
    wait(*client);
    EXPECT_TRUE(client->finish_connect());
    wait(*listener);
    server = *listener->accept();
  }
  Ref<TcpSocket> client, server;
};

TEST(TcpSocket, WalksThroughItsStates) {
  Network network({"all"});
  on_loop([&] {
    auto socket = *TcpSocket::create(network.access, AddressFamily::Ipv4);
    EXPECT_EQ(error(socket->local_address()), SocketError::InvalidState);
    EXPECT_EQ(error(socket->listen(network.access, false)), SocketError::InvalidState);
    EXPECT_EQ(error(socket->accept()), SocketError::InvalidState);
    EXPECT_EQ(error(socket->shut_down_send()), SocketError::InvalidState);
    ASSERT_TRUE(socket->bind(network.access, kAnyPort));
    EXPECT_EQ(error(socket->bind(network.access, kAnyPort)), SocketError::InvalidState);
    EXPECT_NE(port_of(*socket->local_address()), 0);
    ASSERT_TRUE(socket->listen(network.access, false));
    EXPECT_EQ(socket->state(), State::Listening);
    EXPECT_EQ(error(socket->accept()), SocketError::WouldBlock);
    EXPECT_EQ(error(socket->start_connect(network.access, kAnyPort)), SocketError::InvalidState);

    auto second = *TcpSocket::create(network.access, AddressFamily::Ipv4);
    EXPECT_EQ(error(second->bind(network.access, *socket->local_address())), SocketError::AddressInUse);
  });
}

TEST(TcpSocket, RefusesAddressesThatAreNone) {
  Network network({"all"});
  on_loop([&] {
    auto v4 = *TcpSocket::create(network.access, AddressFamily::Ipv4);
    for (const char* ip : {"::1", "224.0.0.1", "255.255.255.255"})
      EXPECT_EQ(error(v4->bind(network.access, with_port(*parse_ip(ip), 0))), SocketError::InvalidArgument) << ip;
    EXPECT_EQ(error(v4->bind(network.access, with_port(*parse_ip("192.0.2.1"), 0))), SocketError::AddressNotBindable);
    EXPECT_EQ(error(v4->start_connect(network.access, with_port(Ipv4{}, 80))), SocketError::InvalidArgument);
    EXPECT_EQ(error(v4->start_connect(network.access, kAnyPort)), SocketError::InvalidArgument);
    EXPECT_EQ(v4->state(), State::Unbound);
    auto v6 = TcpSocket::create(network.access, AddressFamily::Ipv6);
    if (!v6) GTEST_SKIP() << "no IPv6";
    EXPECT_EQ(error((*v6)->bind(network.access, with_port(*parse_ip("::ffff:127.0.0.1"), 0))),
              SocketError::InvalidArgument);
  });
}

TEST(TcpSocket, CarriesBytesBothWays) {
  Network network({"all"});
  on_loop([&] {
    Pair pair(network.access);
    EXPECT_EQ(*pair.client->remote_address(), *pair.server->local_address());
    TcpSource in(pair.server), back(pair.client);
    TcpSink out(pair.client), answer(pair.server);
    EXPECT_FALSE(in.ready());
    ASSERT_TRUE(out.write(bytes("ping")));
    ASSERT_TRUE(pair.client->shut_down_send());
    EXPECT_TRUE(out.write(bytes("more")).error().closed());
    EXPECT_EQ(read_all(in), "ping");
    EXPECT_TRUE(in.peek(0).error().closed());
    ASSERT_TRUE(answer.write(bytes("pong")));
    wait(back);
    ASSERT_TRUE(pair.client->shut_down_receive());
    EXPECT_TRUE(back.peek(10).error().closed()); // what lay there is gone
  });
}

TEST(TcpSocket, WhatWasWrittenIsSentBeforeTheEnd) {
  Network network({"all"});
  on_loop([&] {
    Pair pair(network.access);
    ASSERT_TRUE(pair.client->set_send_buffer_size(1024));
    TcpSink out(pair.client);
    TcpSource in(pair.server);
    std::string sent;
    for (char letter : {'a', 'b', 'c'}) {
      wait(out);
      ASSERT_EQ(*out.check_write(), kStreamChunk);
      std::string part(kStreamChunk, letter);
      ASSERT_TRUE(out.write(bytes(part)));
      sent += part;
      if (letter != 'c') {
        // Room comes back when the peer reads.
        while (pair.client->send_pending() != 0) {
          wait(in);
          auto got = in.peek(kStreamChunk);
          ASSERT_TRUE(got);
          sent.erase(0, got->size());
          in.consume(got->size());
          loop::Fiber::yield();
        }
      }
    }
    ASSERT_TRUE(pair.client->shut_down_send());
    EXPECT_EQ(read_all(in), sent);
  });
}

// The fiber that sends what is left ends with the socket: else the loop would not.
TEST(TcpSocket, NothingIsLeftBehindBySocketsThatGo) {
  Network network({"all"});
  on_loop([&] {
    Pair pair(network.access);
    ASSERT_TRUE(pair.client->set_send_buffer_size(1024));
    TcpSink out(pair.client);
    while (pair.client->send_pending() == 0) ASSERT_TRUE(out.write(bytes(std::string(kStreamChunk, 'x'))));
  });
}

TEST(TcpSocket, AReset) {
  Network network({"all"});
  on_loop([&] {
    Pair pair(network.access);
    TcpSource in(pair.client);
    ASSERT_TRUE(TcpSink(pair.client).write(bytes("unread")));
    while (!pair.server->watched()->ready(POLLIN)) loop::Fiber::yield();
    pair.server = {}; // closing with bytes unread resets
    wait(in);
    auto got = in.peek(10);
    ASSERT_FALSE(got);
    ASSERT_FALSE(got.error().closed());
    EXPECT_EQ(got.error().error->network, SocketError::ConnectionReset);
    EXPECT_TRUE(in.peek(10).error().closed());
  });
}

TEST(TcpSocket, OptionsAreClampedAndZeroIsAnError) {
  Network network({"tcp"});
  on_loop([&] {
    auto socket = *TcpSocket::create(network.access, AddressFamily::Ipv4);
    EXPECT_EQ(error(socket->set_hop_limit(0)), SocketError::InvalidArgument);
    ASSERT_TRUE(socket->set_hop_limit(42));
    EXPECT_EQ(*socket->hop_limit(), 42);
    EXPECT_EQ(error(socket->set_keep_alive_idle_time(0)), SocketError::InvalidArgument);
    ASSERT_TRUE(socket->set_keep_alive_idle_time(1));
    EXPECT_EQ(*socket->keep_alive_idle_time(), 1'000'000'000u);
    EXPECT_TRUE(socket->set_keep_alive_interval(~std::uint64_t{0}));
    EXPECT_TRUE(socket->set_keep_alive_count(~std::uint32_t{0}));
    ASSERT_TRUE(socket->set_receive_buffer_size(0x10000));
    EXPECT_EQ(*socket->receive_buffer_size(), 0x10000u);
    EXPECT_TRUE(socket->set_send_buffer_size(~std::uint64_t{0}));
    EXPECT_EQ(error(socket->set_listen_backlog_size(0)), SocketError::InvalidArgument);
    EXPECT_TRUE(socket->set_listen_backlog_size(~std::uint64_t{0}));
  });
}

TEST(TcpSocket, ThePolicyDecides) {
  Network nothing({}), out({"tcp:127.0.0.1:9"}), in({"tcp-bind:127.0.0.1:0"});
  on_loop([&] {
    EXPECT_EQ(error(TcpSocket::create(nothing.access, AddressFamily::Ipv4)), SocketError::AccessDenied);
    auto client = *TcpSocket::create(out.access, AddressFamily::Ipv4);
    EXPECT_EQ(error(client->start_connect(out.access, with_port(Ipv4{127, 0, 0, 1}, 10))), SocketError::AccessDenied);
    EXPECT_EQ(error(client->bind(out.access, with_port(Ipv4{127, 0, 0, 1}, 9))), SocketError::AccessDenied);
    ASSERT_TRUE(client->bind(out.access, kAnyPort)); // tells nobody anything
    EXPECT_EQ(error(client->listen(out.access, false)), SocketError::AccessDenied);
    auto server = *TcpSocket::create(in.access, AddressFamily::Ipv4);
    EXPECT_EQ(error(server->listen(in.access, true)), SocketError::AccessDenied); // 0.0.0.0
    ASSERT_TRUE(server->bind(in.access, kAnyPort));
    EXPECT_TRUE(server->listen(in.access, false));
    EXPECT_EQ(
        error((*TcpSocket::create(in.access, AddressFamily::Ipv4))->start_connect(in.access, *server->local_address())),
        SocketError::AccessDenied);
  });
}

struct UdpEnd {
  UdpEnd(const NetworkAccess& network) : network(network), socket(*UdpSocket::create(network, AddressFamily::Ipv4)) {
    EXPECT_TRUE(socket->bind(network, kAnyPort));
  }
  std::string receive() {
    for (;;) {
      auto got = socket->receive(network);
      if (got) return {got->data.begin(), got->data.end()};
      if (got.error() != SocketError::WouldBlock) return "error";
      if (!socket->watched()->readable().wait(loop::Clock::now() + std::chrono::seconds(10))) return "timeout";
    }
  }
  SocketResult<void> send(std::string_view text, std::optional<SocketAddress> to = {}) {
    return socket->send(network, bytes(text), to);
  }
  NetworkAccess network;
  Ref<UdpSocket> socket;
};

TEST(UdpSocket, OnlyThePeerIsHeard) {
  Network network({"all"});
  on_loop([&] {
    UdpEnd a(network.access), b(network.access), here(network.access);
    const SocketAddress address = *here.socket->local_address();
    ASSERT_TRUE(a.send("from a", address));
    ASSERT_TRUE(b.send("from b", address));
    ASSERT_TRUE(here.socket->connect(network.access, *b.socket->local_address()));
    EXPECT_EQ(here.receive(), "from b");
    EXPECT_EQ(error(here.send("x", *a.socket->local_address())), SocketError::InvalidArgument);
    ASSERT_TRUE(here.send("to b"));
    EXPECT_EQ(b.receive(), "to b");
    ASSERT_TRUE(here.socket->disconnect());
    EXPECT_EQ(error(here.socket->disconnect()), SocketError::InvalidState);
    EXPECT_EQ(error(here.send("x")), SocketError::InvalidArgument);
    EXPECT_EQ(port_of(*here.socket->local_address()), port_of(address)); // kept
    ASSERT_TRUE(a.send("again", address));
    EXPECT_EQ(here.receive(), "again");
    EXPECT_EQ(error(here.send(std::string(70000, 'x'), *a.socket->local_address())), SocketError::DatagramTooLarge);
  });
}

TEST(UdpSocket, ThePolicyDecidesWhoIsHeard) {
  Network all({"all"});
  on_loop([&] {
    UdpEnd friendly(all.access), stranger(all.access);
    const auto port = std::to_string(port_of(*friendly.socket->local_address()));
    const std::string rule = "udp:127.0.0.1:" + port;
    Network one({rule});
    UdpEnd here(one.access);
    const SocketAddress address = *here.socket->local_address();
    EXPECT_EQ(error(here.send("x", *stranger.socket->local_address())), SocketError::AccessDenied);
    EXPECT_EQ(error(here.socket->connect(one.access, *stranger.socket->local_address())), SocketError::AccessDenied);
    ASSERT_TRUE(stranger.send("unheard", address));
    ASSERT_TRUE(friendly.send("heard", address));
    EXPECT_EQ(here.receive(), "heard");
  });
}

TEST(NameLookup, AddressesAreTheirOwnAnswer) {
  Network nothing({});
  on_loop([&] {
    for (const char* text : {"127.0.0.1", "::", "[::1]", "DEAD:BEEF::0"}) {
      auto lookup = NameLookup::start(nothing.policy, text);
      ASSERT_TRUE(lookup) << text;
      EXPECT_TRUE((*lookup)->done());
    }
    for (const char* text : {"", " ", ".", "a..b", "a.b<&>", "127.0.0.1:80", "[::]:80", "[127.0.0.1]",
                             "http://example.com/", "1.2.3", "256.1.1.1"})
      EXPECT_EQ(error(NameLookup::start(nothing.policy, text)), SocketError::InvalidArgument) << text;
    EXPECT_EQ(error(NameLookup::start(nothing.policy, std::string(64, 'a'))), SocketError::InvalidArgument);
    EXPECT_EQ(error(NameLookup::start(nothing.policy, "localhost")), SocketError::AccessDenied);
  });
}

TEST(NameLookup, AsksTheSystem) {
  Network network({"lookup:localhost"});
  on_loop([&] {
    auto lookup = *NameLookup::start(network.policy, "localhost");
    ASSERT_TRUE(lookup->done_event().wait(loop::Clock::now() + std::chrono::seconds(30)));
    ASSERT_TRUE(lookup->addresses());
    for (const IpAddress& address : *lookup->addresses()) EXPECT_TRUE(is_loopback(address));
  });
}

} // namespace
} // namespace cusp::wasi
