#include "wasi/http/request_target.h"

#include <algorithm>

namespace cusp::wasi {

namespace {

bool is_uri_text(std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f' || c == '#' || c == '<' || c == '>' || c == '`')
      return false;
  return true;
}
bool is_scheme(std::string_view text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !letter(text.front())) return false;
  for (char c : text)
    if (!letter(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.') return false;
  return true;
}
bool is_port(std::string_view text) {
  unsigned port = 0;
  for (char c : text) {
    if (c < '0' || c > '9' || (port = port * 10 + static_cast<unsigned>(c - '0')) > 65535) return false;
  }
  return true;
}
// [userinfo@]host[:port], the host a name, an address, or an address in brackets. Spec: RFC 3986, 3.2.
bool is_authority(std::string_view text) {
  if (!is_uri_text(text) || text.find_first_of("/?\\\"^{|}") != std::string_view::npos) return false;
  std::size_t at = text.find('@');
  std::string_view host = at == std::string_view::npos ? text : text.substr(at + 1);
  std::size_t end = host.starts_with('[') ? host.find(']') : host.find(':');
  if (host.starts_with('[')) {
    if (end == std::string_view::npos) return false;
    ++end;
  }
  std::string_view rest = host.substr(std::min(end, host.size()));
  host = host.substr(0, end);
  if (host.empty() || host.find_first_of("@") != std::string_view::npos) return false;
  if (!host.starts_with('[') && host.find_first_of("[]") != std::string_view::npos) return false;
  return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
}

void take_timeout(std::chrono::nanoseconds& into, std::optional<std::uint64_t> duration) {
  constexpr std::uint64_t kLongest = std::uint64_t{366} * 24 * 3600 * 1'000'000'000;
  if (duration) into = std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(*duration, kLongest)));
}

} // namespace

bool RequestTarget::set_method(std::string_view text) {
  if (!http::is_token(text)) return false;
  method = text;
  return true;
}
bool RequestTarget::set_path_with_query(std::optional<std::string> text) {
  if (text && !is_uri_text(*text)) return false;
  if (text && text->empty() && method != "OPTIONS") text = "/"; // RFC 9112, 3.2.1
  path_with_query = std::move(text);
  return true;
}
bool RequestTarget::set_scheme(std::optional<std::string_view> text) {
  if (text && !is_scheme(*text)) return false;
  scheme = text ? std::optional<std::string>(*text) : std::nullopt;
  return true;
}
bool RequestTarget::set_authority(std::optional<std::string> text) {
  if (text && !is_authority(*text)) return false;
  authority = std::move(text);
  return true;
}

HttpResult<http::ClientRequest> to_client_request(const RequestTarget& target, const FieldList& headers) {
  if (!target.authority) return std::unexpected(http_error<HttpCase::HttpRequestUriInvalid>());
  http::ClientRequest out;
  out.method = target.method;
  out.scheme = target.scheme.value_or("https"); // without one the safer is meant
  if (out.scheme != "http" && out.scheme != "https") return std::unexpected(http_error<HttpCase::HttpProtocolError>());
  out.authority = *target.authority;
  out.target = target.path_with_query.value_or("/");
  if (out.target.empty() || out.target.front() != '/') out.target.insert(0, "/");
  out.headers.reserve(headers.size());
  for (std::size_t i = 0; i < headers.size(); ++i) out.headers.emplace_back(headers.name(i), headers.value(i));
  return out;
}

http::ClientOptions to_client_options(const RequestOptions* options, const http::TlsClient* tls) {
  http::ClientOptions timeouts;
  timeouts.tls = tls;
  if (!options) return timeouts;
  take_timeout(timeouts.connect_timeout, options->connect_timeout);
  take_timeout(timeouts.first_byte_timeout, options->first_byte_timeout);
  take_timeout(timeouts.between_bytes_timeout, options->between_bytes_timeout);
  return timeouts;
}

} // namespace cusp::wasi
