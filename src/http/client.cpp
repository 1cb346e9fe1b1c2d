#include "http/client.h"

#include <cerrno>
#include <charconv>
#include <cstring>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace cusp::http {

using base::ErrorCode;

namespace {

constexpr std::size_t kMaxHead = 128 * 1024;

struct Destination {
  std::string host;
  std::string port = "80";
};

std::optional<Destination> split_authority(std::string_view authority, std::string_view default_port) {
  Destination to;
  to.port = default_port;
  if (authority.empty() || authority.find('@') != std::string_view::npos) return std::nullopt;
  std::string_view rest;
  if (authority.front() == '[') {
    std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    to.host = authority.substr(1, end - 1);
    rest = authority.substr(end + 1);
  } else {
    std::size_t colon = authority.find(':');
    to.host = authority.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  }
  if (!rest.empty()) {
    if (rest.front() != ':') return std::nullopt;
    if (rest.size() > 1) to.port = rest.substr(1);
  }
  unsigned number = 0;
  auto [end, error] = std::from_chars(to.port.data(), to.port.data() + to.port.size(), number);
  if (error != std::errc() || end != to.port.data() + to.port.size() || number > 65535 || to.host.empty())
    return std::nullopt;
  return to;
}

struct Resolved {
  int error = 0;
  addrinfo* list = nullptr;
  ~Resolved() {
    if (list) freeaddrinfo(list);
  }
};

ClientError io_error(const base::Error& error, ClientError on_timeout) {
  return error.code == ErrorCode::Timeout ? on_timeout : ClientError::ConnectionTerminated;
}

// A non-blocking connect to one address. Error: ConnectionRefused, DestinationUnavailable, ConnectionTimeout.
ClientResult<void> connect_to(const addrinfo& address, SocketStream& stream, loop::TimePoint deadline) {
  base::UniqueFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(ClientError::Internal);
  int one = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  int raw = fd.get();
  int outcome = connect(raw, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (outcome == EINPROGRESS) {
    if (!SocketStream::open(std::move(fd), stream)) return std::unexpected(ClientError::Internal);
    if (!stream.writable().wait(deadline)) {
      stream.close();
      return std::unexpected(ClientError::ConnectionTimeout);
    }
    socklen_t size = sizeof outcome;
    getsockopt(raw, SOL_SOCKET, SO_ERROR, &outcome, &size);
    if (outcome != 0) stream.close();
  } else if (outcome == 0 && !SocketStream::open(std::move(fd), stream)) {
    return std::unexpected(ClientError::Internal);
  }
  if (outcome == 0) return {};
  if (outcome == ECONNREFUSED) return std::unexpected(ClientError::ConnectionRefused);
  return std::unexpected(outcome == ETIMEDOUT ? ClientError::ConnectionTimeout : ClientError::DestinationUnavailable);
}

ClientResult<void> connect(const Destination& to, SocketStream& stream, loop::TimePoint deadline) {
  auto resolved = std::make_shared<Resolved>();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  if (getaddrinfo(to.host.c_str(), to.port.c_str(), &hints, &resolved->list) != 0) {
    hints.ai_flags = AI_NUMERICSERV;
    loop::EventLoop::current()->run_blocking(
        [&] { resolved->error = getaddrinfo(to.host.c_str(), to.port.c_str(), &hints, &resolved->list); });
    if (resolved->error != 0) return std::unexpected(ClientError::DnsError);
  }
  ClientResult<void> outcome = std::unexpected(ClientError::DnsError);
  for (const addrinfo* address = resolved->list; address; address = address->ai_next) {
    outcome = connect_to(*address, stream, deadline);
    if (outcome) return outcome;
  }
  return outcome;
}

// Under TLS from here on, with a peer that has proved to be `host`.
ClientResult<void> secure(const TlsClient& client, std::string host, SocketStream& stream, loop::TimePoint deadline) {
  if (host.ends_with('.')) host.pop_back(); // as certificates have it
  base::Result<std::unique_ptr<TlsSession>> session;
  // The first one reads the system's certificates.
  loop::EventLoop::current()->run_blocking([&] { session = client.connect(host, "http/1.1"); });
  auto done = session ? stream.start_tls(*std::move(session), deadline)
                      : base::Result<void>(std::unexpected(std::move(session).error()));
  if (done) return {};
  if (done.error().code == ErrorCode::Timeout) return std::unexpected(ClientError::ConnectionTimeout);
  return std::unexpected(done.error().code == ErrorCode::Invalid ? ClientError::TlsCertificateError
                                                                 : ClientError::TlsError);
}

} // namespace

std::string_view client_error_text(ClientError error) {
  switch (error) {
  case ClientError::DnsError: return "the name could not be resolved";
  case ClientError::DestinationUnavailable: return "the destination cannot be reached";
  case ClientError::ConnectionRefused: return "the connection was refused";
  case ClientError::ConnectionTerminated: return "the connection was broken off";
  case ClientError::ConnectionTimeout: return "the connection was not made in time";
  case ClientError::ResponseTimeout: return "the response did not come in time";
  case ClientError::ReadTimeout: return "the body did not come in time";
  case ClientError::WriteTimeout: return "the request was not taken in time";
  case ClientError::ProtocolError: return "the answer is not HTTP/1.1";
  case ClientError::ResponseIncomplete: return "the response ended early";
  case ClientError::RequestInvalid: return "the request is not valid";
  case ClientError::TlsError: return "the TLS handshake failed";
  case ClientError::TlsCertificateError: return "the server's certificate is not trusted";
  case ClientError::Unsupported: return "the scheme is not supported";
  case ClientError::Internal: return "internal error";
  }
  return "error";
}

struct Exchange::State {
  ClientRequest request;
  ClientOptions options;
  SocketStream stream;
  std::vector<std::uint8_t> in;
  Head head;
  BodyReader body;
  bool chunked = false, request_finished = false, head_received = false;
  std::uint64_t written = 0;

  loop::TimePoint after(std::chrono::nanoseconds time) const { return loop::Clock::now() + time; }
  ClientResult<void> send(std::string_view bytes) {
    auto sent = stream.write_all(bytes, after(options.between_bytes_timeout));
    if (!sent) return std::unexpected(io_error(sent.error(), ClientError::WriteTimeout));
    return {};
  }
};

Exchange::Exchange() : state_(std::make_unique<State>()) {}
Exchange::~Exchange() = default;

ClientResult<std::unique_ptr<Exchange>> Exchange::start(ClientRequest request, const ClientOptions& options) {
  const bool https = request.scheme == "https";
  if (!https && request.scheme != "http") return std::unexpected(ClientError::RequestInvalid);
  if (https && !options.tls) return std::unexpected(ClientError::Unsupported);
  auto to = split_authority(request.authority, https ? "443" : "80");
  if (!to || !is_token(request.method)) return std::unexpected(ClientError::RequestInvalid);
  std::unique_ptr<Exchange> exchange(new Exchange);
  State& state = *exchange->state_;
  state.request = std::move(request);
  state.options = options;
  const loop::TimePoint deadline = state.after(options.connect_timeout);
  if (auto connected = connect(*to, state.stream, deadline); !connected) return std::unexpected(connected.error());
  if (https)
    if (auto secured = secure(*options.tls, to->host, state.stream, deadline); !secured)
      return std::unexpected(secured.error());

  const ClientRequest& r = state.request;
  state.chunked = r.has_body && !r.content_length;
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", r.method, r.target.empty() ? "/" : r.target);
  bool has_host = false;
  for (const auto& [name, value] : r.headers) {
    if (equals_ignoring_case(name, "content-length") || equals_ignoring_case(name, "transfer-encoding") ||
        equals_ignoring_case(name, "connection"))
      continue;
    has_host = has_host || equals_ignoring_case(name, "host");
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (!has_host) head.append("host: ").append(r.authority).append("\r\n");
  if (state.chunked) head += "transfer-encoding: chunked\r\n";
  else if (r.content_length) head += fmt::format("content-length: {}\r\n", *r.content_length);
  head += "connection: close\r\n\r\n";
  if (auto sent = state.send(head); !sent) return std::unexpected(sent.error());
  state.request_finished = !r.has_body;
  return exchange;
}

ClientResult<void> Exchange::write(std::string_view bytes) {
  State& state = *state_;
  if (bytes.empty()) return {};
  state.written += bytes.size();
  if (state.request.content_length && state.written > *state.request.content_length)
    return std::unexpected(ClientError::RequestInvalid);
  if (!state.chunked) return state.send(bytes);
  std::string chunk = fmt::format("{:x}\r\n", bytes.size());
  chunk.append(bytes).append("\r\n");
  return state.send(chunk);
}

ClientResult<void> Exchange::finish_request(const std::vector<std::pair<std::string, std::string>>& trailers) {
  State& state = *state_;
  if (state.request_finished) return {};
  state.request_finished = true;
  if (state.request.content_length && state.written != *state.request.content_length) {
    state.stream.reset_connection();
    return std::unexpected(ClientError::RequestInvalid);
  }
  if (!state.chunked) return {};
  std::string tail = "0\r\n";
  for (const auto& [name, value] : trailers) tail.append(name).append(": ").append(value).append("\r\n");
  return state.send(tail + "\r\n");
}

bool Exchange::request_finished() const { return state_->request_finished; }

ClientResult<void> Exchange::receive_head() {
  State& state = *state_;
  if (state.head_received) return {};
  loop::TimePoint deadline = state.after(state.options.first_byte_timeout);
  std::size_t filled = 0;
  state.in.resize(16 * 1024);
  for (;;) {
    std::string_view bytes(reinterpret_cast<const char*>(state.in.data()), filled);
    ParseResult parsed = parse_response_head(bytes, state.request.method == "HEAD", state.head);
    if (parsed.status == ParseStatus::Bad) return std::unexpected(ClientError::ProtocolError);
    if (parsed.status == ParseStatus::Complete && state.head.status / 100 == 1) { // an interim response
      std::memmove(state.in.data(), state.in.data() + parsed.size, filled - parsed.size);
      filled -= parsed.size;
      continue;
    }
    if (parsed.status == ParseStatus::Complete) {
      state.head_received = true;
      state.body.start(state.stream, state.head, std::span(state.in).subspan(parsed.size, filled - parsed.size),
                       ~std::uint64_t{0});
      return {};
    }
    if (filled == state.in.size()) {
      if (filled >= kMaxHead) return std::unexpected(ClientError::ProtocolError);
      state.in.resize(filled * 2);
    }
    auto got = state.stream.read(std::span(state.in).subspan(filled), deadline);
    if (!got) return std::unexpected(io_error(got.error(), ClientError::ResponseTimeout));
    if (*got == 0)
      return std::unexpected(filled == 0 ? ClientError::ConnectionTerminated : ClientError::ResponseIncomplete);
    filled += *got;
  }
}

const Head& Exchange::head() const { return state_->head; }
bool Exchange::body_at_end() const { return state_->body.at_end(); }
const std::vector<std::pair<std::string, std::string>>& Exchange::trailers() const { return state_->body.trailers(); }
loop::Event& Exchange::readable() { return state_->stream.readable(); }
loop::Event& Exchange::writable() { return state_->stream.writable(); }
void Exchange::cut() { state_->stream.reset_connection(); }

namespace {
ClientError body_error(const base::Error& error) {
  if (error.code == ErrorCode::Timeout) return ClientError::ReadTimeout;
  return error.code == ErrorCode::Malformed ? ClientError::ProtocolError : ClientError::ResponseIncomplete;
}
} // namespace

ClientResult<std::size_t> Exchange::read(std::span<std::uint8_t> into) {
  auto got = state_->body.read(into, state_->after(state_->options.between_bytes_timeout));
  if (!got) return std::unexpected(body_error(got.error()));
  return *got;
}

ClientResult<std::size_t> Exchange::try_read(std::span<std::uint8_t> into) {
  auto got = state_->body.try_read(into);
  if (!got) return std::unexpected(body_error(got.error()));
  return *got;
}

} // namespace cusp::http
