// HTTP/1.1 client, plain or under TLS: one connection per exchange, request body streamed out, response body streamed in. Runs on the loop of the calling fiber.
// Knows nothing of WebAssembly; its errors are those of wasi:http's error-code.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/body.h"
#include "http/message.h"
#include "http/stream.h"
#include "http/tls.h"

namespace cusp::http {

enum class ClientError : std::uint8_t {
  DnsError,
  DestinationUnavailable,
  ConnectionRefused,
  ConnectionTerminated,
  ConnectionTimeout,
  ResponseTimeout,
  ReadTimeout,
  WriteTimeout,
  ProtocolError,
  ResponseIncomplete,
  RequestInvalid,
  TlsError,
  TlsCertificateError,
  Unsupported,
  Internal,
};
std::string_view client_error_text(ClientError error);
template <class T> using ClientResult = std::expected<T, ClientError>;

struct ClientOptions {
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(30);
  std::chrono::nanoseconds first_byte_timeout = std::chrono::seconds(600);
  std::chrono::nanoseconds between_bytes_timeout = std::chrono::seconds(600);
  const TlsClient* tls = nullptr; // for https; none: Unsupported. Lives longer than the exchange
};

struct ClientRequest {
  std::string method = "GET";
  std::string scheme = "http";
  std::string authority;    // "host" or "host:port"
  std::string target = "/"; // path and query
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::uint64_t> content_length; // of the body; none and has_body: chunked
  bool has_body = false;
};

// One request and its response. Every call may suspend the calling fiber; two fibers may work at the two directions of one exchange.
class Exchange {
public:
  // Connects and sends the head.
  static ClientResult<std::unique_ptr<Exchange>> start(ClientRequest request, const ClientOptions& options);
  ~Exchange();

  // The request's body. REQUIRES: has_body, not finished.
  ClientResult<void> write(std::string_view bytes);
  ClientResult<void> finish_request(const std::vector<std::pair<std::string, std::string>>& trailers = {});
  bool request_finished() const;

  // Waits for the response's head.
  ClientResult<void> receive_head();
  const Head& head() const; // views live as long as the exchange
  // 0 at the end of the body.
  ClientResult<std::size_t> read(std::span<std::uint8_t> into);
  ClientResult<std::size_t> try_read(std::span<std::uint8_t> into);
  bool body_at_end() const;
  const std::vector<std::pair<std::string, std::string>>& trailers() const;
  loop::Event& readable();
  loop::Event& writable();
  // Breaks the connection off and wakes whoever waits for it. Never suspends.
  void cut();

private:
  Exchange();
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace cusp::http
