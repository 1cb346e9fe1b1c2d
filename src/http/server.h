// HTTP/1.1 server on one event loop: a connection is a fiber that reads a request, runs the handler and writes the response, in a straight
// line. Several loops may listen on one address (SO_REUSEPORT). Loop thread only. Knows nothing of WebAssembly.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/body.h"
#include "http/message.h"
#include "http/stream.h"

namespace cusp::http {

struct ServerOptions {
  std::size_t max_head_bytes = 64 * 1024;                // beyond: 431
  std::uint64_t max_body_bytes = std::uint64_t{1} << 40; // beyond: 413 when announced, a broken body otherwise
  std::uint32_t max_connections = 16384;
  std::uint32_t max_in_flight = 4096; // requests of this loop; beyond: 503 at once
  bool exclusive = false;             // an address that another listener has is an error, although it would share
  std::chrono::milliseconds head_timeout{10'000}; // from the first byte of a request to the end of its head: 408
  std::chrono::milliseconds idle_timeout{75'000}; // between requests
  std::chrono::milliseconds io_timeout{60'000};   // a peer that neither sends its body nor takes ours
};

class Connection;

// A request as the handler sees it. Views live until the handler returns.
class Request {
public:
  std::string_view method() const;
  std::string_view target() const;
  const Headers& headers() const;
  std::uint8_t minor_version() const;
  bool has_body() const;
  std::uint64_t content_length() const; // 0 when unknown or none
  Framing framing() const;
  // The body. Asking for it answers an Expect: 100-continue.
  Result<std::size_t> read(std::span<std::uint8_t> into);
  Result<std::size_t> try_read(std::span<std::uint8_t> into);
  bool body_at_end() const;
  const std::vector<std::pair<std::string, std::string>>& trailers() const;
  loop::Event& readable();
  loop::Event& hangup(); // the client has gone
  std::string_view peer() const;

private:
  friend class Connection;
  explicit Request(Connection& connection) : connection_(connection) {}
  Connection& connection_;
};

// The response. Small writes are gathered and go out with finish(), flush(), or when there are enough of them.
class ResponseWriter {
public:
  // Spec: RFC 9112 6.3. Without content_length the body is chunked. Headers that frame the message (Content-Length, Transfer-Encoding,
  // Connection, Keep-Alive) among `headers` are left out.
  void start(std::uint16_t status, std::span<const Header> headers,
             std::optional<std::uint64_t> content_length = std::nullopt);
  bool started() const;
  bool finished() const;
  bool aborted() const; // broken off, by us or by the client
  // Takes all, waiting for the client where it must. Error: Io, Timeout; InvalidArgument beyond content_length.
  Result<void> write(std::string_view bytes);
  // Bytes that write() would take now without waiting.
  std::size_t room() const;
  Result<void> flush();
  // Sends what it can without waiting.
  Result<void> try_flush();
  loop::Event& writable();
  // Completes the message. Error: InvalidArgument when fewer bytes than content_length were written (the connection is broken then).
  Result<void> finish(std::span<const Header> trailers = {});
  // Ends the connection so that the client sees that the response is not whole.
  void abort();
  std::uint16_t status() const;
  std::uint64_t bytes() const; // of body

private:
  friend class Connection;
  explicit ResponseWriter(Connection& connection) : connection_(connection) {}
  Connection& connection_;
};

class Handler {
public:
  virtual ~Handler() = default;
  // Runs on the connection's fiber. A response that was not started becomes 500; one that was not finished breaks the connection.
  virtual void handle(Request& request, ResponseWriter& response) = 0;
};

// A non-blocking TCP socket that listens on "host:port". Shared: other listeners of this user may have the same address (SO_REUSEPORT).
// Error: InvalidArgument, Io.
Result<base::UniqueFd> listen_tcp(const std::string& address, bool shared);

class Server {
public:
  // `address` is "HOST:PORT", "[IPV6]:PORT"; port 0 picks one. Error: Io, InvalidArgument.
  static Result<std::unique_ptr<Server>> listen(const std::string& address, Handler& handler,
                                                const ServerOptions& options);
  ~Server();
  // Starts the accepting fiber. REQUIRES: EventLoop::current().
  void start();
  std::uint16_t port() const;
  // Stops accepting, closes idle connections, lets requests in flight finish until the deadline, then cuts them. REQUIRES: on a fiber.
  void drain(loop::TimePoint deadline);
  std::uint32_t in_flight() const;
  std::uint32_t connections() const;
  std::uint64_t refused() const; // requests answered 503, 4xx by the server itself

  struct State;

private:
  Server() = default;
  std::unique_ptr<State> state_;
};

} // namespace cusp::http
