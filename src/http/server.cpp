#include "http/server.h"

#include <cerrno>
#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "http/connection.h"

namespace cusp::http {

using base::ErrorCode;

namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Result<Address> parse_address(const std::string& text) {
  auto wrong = [&] {
    return base::fail(ErrorCode::InvalidArgument,
                      fmt::format("'{}' is not an address; write for example 127.0.0.1:8080 or [::1]:8080", text));
  };
  std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return wrong();
  std::string host = text.substr(0, colon);
  unsigned port = 0;
  const char* end = text.data() + text.size();
  auto [last, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc() || last != end || port > 65535) return wrong();
  Address address;
  if (host == "localhost") host = "127.0.0.1";
  if (host.empty() || host == "*") host = "0.0.0.0";
  if (host.starts_with('[') && host.ends_with(']')) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(static_cast<std::uint16_t>(port));
    if (inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &in6->sin6_addr) != 1) return wrong();
    address.size = sizeof *in6;
  } else {
    auto* in4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    in4->sin_family = AF_INET;
    in4->sin_port = htons(static_cast<std::uint16_t>(port));
    if (inet_pton(AF_INET, host.c_str(), &in4->sin_addr) != 1) return wrong();
    address.size = sizeof *in4;
  }
  return address;
}

std::string peer_name(const sockaddr_storage& from) {
  char text[INET6_ADDRSTRLEN] = "";
  if (from.ss_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&from)->sin_addr, text, sizeof text);
  else inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&from)->sin6_addr, text, sizeof text);
  return text;
}

void run_connection(Server::State& server, base::UniqueFd fd, std::string peer);

// Takes connections until the server drains. A failure to accept (no descriptors left, say) is waited out, never the end of the server.
void accept_connections(Server::State& server) {
  while (!server.draining.is_set()) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    int fd = accept4(server.listener.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      base::UniqueFd owned(fd);
      if (server.connections >= server.options.max_connections) continue; // closed at once
      int one = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      ++server.connections;
      auto shared = std::make_shared<base::UniqueFd>(std::move(owned));
      auto* fiber = server.loop->spawn(
          [&server, shared, peer = peer_name(from)] { run_connection(server, std::move(*shared), peer); });
      if (!fiber) --server.connections;
      continue;
    }
    if (errno == EAGAIN) {
      server.acceptable.reset();
      loop::Event* either[] = {&server.acceptable, &server.draining};
      loop::wait_any(either, loop::kNever);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      server.draining.wait(loop::Clock::now() + std::chrono::milliseconds(50));
    }
  }
  server.loop->forget(server.listener.get());
  server.listener.reset();
  server.accepting = false;
}

void run_connection(Server::State& server, base::UniqueFd fd, std::string peer) {
  Connection connection(server, std::move(peer));
  connection.next = server.first;
  if (server.first) server.first->previous = &connection;
  server.first = &connection;
  connection.serve(std::move(fd));
  (connection.previous ? connection.previous->next : server.first) = connection.next;
  if (connection.next) connection.next->previous = connection.previous;
  --server.connections;
}

} // namespace

Result<base::UniqueFd> listen_tcp(const std::string& text, bool shared) {
  Address address = CUSP_TRY(parse_address(text));
  base::UniqueFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  int one = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
      (shared && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) ||
      bind(fd.get(), reinterpret_cast<sockaddr*>(&address.storage), address.size) != 0 || ::listen(fd.get(), 4096) != 0)
    return base::fail_errno("listen on", text, errno);
  return fd;
}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::listen(const std::string& text, Handler& handler,
                                               const ServerOptions& options) {
  if (options.exclusive) {
    // SO_REUSEPORT would let us share the address with a stranger's server of the same user, and half of its requests would be ours.
    Address address = CUSP_TRY(parse_address(text));
    base::UniqueFd probe(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int on = 1;
    if (probe && (setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
                  bind(probe.get(), reinterpret_cast<sockaddr*>(&address.storage), address.size) != 0))
      return base::fail_errno("listen on", text, errno);
  }
  std::unique_ptr<Server> server(new Server);
  server->state_ = std::make_unique<State>();
  State& state = *server->state_;
  state.options = options;
  state.handler = &handler;
  state.listener = CUSP_TRY(listen_tcp(text, true));
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(state.listener.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  state.port = ntohs(reinterpret_cast<sockaddr_in*>(&bound)->sin_port); // the port is at the same place in sockaddr_in6
  return server;
}

void Server::start() {
  State& state = *state_;
  state.loop = loop::EventLoop::current();
  state.accepting = true;
  (void)state.loop->watch(state.listener.get(), state.acceptable, state.unused);
  state.loop->spawn([&state] { accept_connections(state); });
}

void Server::drain(loop::TimePoint deadline) {
  State& state = *state_;
  state.draining.set();
  auto step = std::chrono::milliseconds(2);
  while ((state.connections != 0 || state.accepting) && loop::Clock::now() < deadline)
    state.loop->sleep_until(loop::Clock::now() + step);
  for (Connection* connection = state.first; connection; connection = connection->next) connection->cut();
  // A connection that was cut ends at its next read or write; a guest that neither reads nor writes ends by its own time limit.
  loop::TimePoint last = loop::Clock::now() + std::chrono::seconds(1);
  while (state.connections != 0 && loop::Clock::now() < last) state.loop->sleep_until(loop::Clock::now() + step);
}

std::uint16_t Server::port() const { return state_->port; }
std::uint32_t Server::in_flight() const { return state_->in_flight; }
std::uint32_t Server::connections() const { return state_->connections; }
std::uint64_t Server::refused() const { return state_->refused; }

} // namespace cusp::http
