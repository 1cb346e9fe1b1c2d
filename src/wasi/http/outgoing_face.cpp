// The 0.2 face of what makes requests: outgoing-request, request-options, incoming-response, and wasi:http/outgoing-handler.
#include <chrono>

#include "wasi/context.h"
#include "wasi/http/face.h"

namespace cusp::wasi {

using canon::Borrow;
using canon::CallContext;
using canon::Own;

namespace {

bool is_uri_text(std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f' || c == '#') return false;
  return true;
}
bool is_scheme(std::string_view text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !letter(text.front())) return false;
  for (char c : text)
    if (!letter(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.') return false;
  return true;
}
bool is_authority(std::string_view text) {
  return !text.empty() && is_uri_text(text) && text.find_first_of("/?\\\"<>^`{|}") == std::string_view::npos;
}

Plain set_path(Borrow<OutgoingRequest> self, std::optional<std::string> path) {
  if (path && !is_uri_text(*path)) return refused();
  self->path_with_query = std::move(path);
  return {};
}
Plain set_authority(Borrow<OutgoingRequest> self, std::optional<std::string> authority) {
  if (authority && !is_authority(*authority)) return refused();
  self->authority = std::move(authority);
  return {};
}
Plain set_scheme(Borrow<OutgoingRequest> self, std::optional<Scheme<std::string>> scheme) {
  if (scheme && !is_scheme(scheme_name(*scheme))) return refused();
  self->scheme.reset();
  if (scheme) self->scheme = std::string(scheme_name(*scheme));
  return {};
}
Plain set_method(Borrow<OutgoingRequest> self, Method<std::string> method) {
  if (!http::is_token(method_name(method))) return refused();
  self->method = method_name(method);
  return {};
}
std::optional<Scheme<std::string_view>> get_scheme(Borrow<OutgoingRequest> self) {
  if (!self->scheme) return std::nullopt;
  return to_scheme<std::string_view>(*self->scheme);
}
std::optional<std::string_view> view(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return *text;
}

template <auto kMember> std::optional<std::uint64_t> get_option(Borrow<RequestOptions> self) {
  return (*self).*kMember;
}
template <auto kMember> Plain set_option(Borrow<RequestOptions> self, std::optional<std::uint64_t> duration) {
  (*self).*kMember = duration;
  return {};
}

using ResponseResult = std::expected<Own<IncomingResponse>, HttpError>;
std::optional<Once<ResponseResult>> get_response(Borrow<FutureIncomingResponse> self) {
  if (!self->call()->done()) return std::nullopt;
  if (std::exchange(self->taken, true)) return once_only();
  if (const auto& error = self->call()->error()) return ResponseResult(std::unexpected(*error));
  return ResponseResult(canon::make_own<IncomingResponse>(self->call()));
}

void take_timeout(std::chrono::nanoseconds& into, std::optional<std::uint64_t> duration) {
  constexpr std::uint64_t kLongest = std::uint64_t{366} * 24 * 3600 * 1'000'000'000;
  if (duration) into = std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(*duration, kLongest)));
}

std::expected<Own<FutureIncomingResponse>, HttpError> handle(CallContext& cx, Own<OutgoingRequest> request,
                                                             std::optional<Own<RequestOptions>> options) {
  if (!cx.host<Context>().config->outgoing_http) return std::unexpected(http_error<HttpCase::HttpRequestDenied>());
  if (!request->authority) return std::unexpected(http_error<HttpCase::HttpRequestUriInvalid>());
  http::ClientRequest out;
  out.method = request->method;
  out.scheme = request->scheme.value_or("https"); // without one the safer is meant
  if (out.scheme != "http" && out.scheme != "https") return std::unexpected(http_error<HttpCase::HttpProtocolError>());
  out.authority = *request->authority;
  out.target = request->path_with_query.value_or("/");
  if (out.target.empty() || out.target.front() != '/') out.target.insert(0, "/");
  const FieldList& fields = *request->headers;
  out.headers.reserve(fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) out.headers.emplace_back(fields.name(i), fields.value(i));
  http::ClientOptions timeouts;
  if (options) {
    take_timeout(timeouts.connect_timeout, (*options)->connect_timeout);
    take_timeout(timeouts.first_byte_timeout, (*options)->first_byte_timeout);
    take_timeout(timeouts.between_bytes_timeout, (*options)->between_bytes_timeout);
  }
  auto call = OutgoingCall::start(std::move(out), timeouts, request->body.get());
  if (!call) return std::unexpected(std::move(call).error());
  return canon::make_own<FutureIncomingResponse>(*std::move(call));
}

} // namespace

void add_outgoing_request(canon::LinkerInstance& types) {
  types.resource<OutgoingRequest>("outgoing-request")
      .func("[constructor]outgoing-request",
            [](Own<Fields> headers) { return canon::make_own<OutgoingRequest>(headers->shared()); })
      .func("[method]outgoing-request.body",
            [](Borrow<OutgoingRequest> self) -> Once<Own<OutgoingBody>> {
              if (self->body) return once_only();
              self->body = make_ref<BodySink>(true, declared_length(*self->headers));
              return canon::make_own<OutgoingBody>(self->body);
            })
      .func("[method]outgoing-request.method",
            [](Borrow<OutgoingRequest> self) { return to_method<std::string_view>(self->method); })
      .func("[method]outgoing-request.set-method", &set_method)
      .func("[method]outgoing-request.path-with-query",
            [](Borrow<OutgoingRequest> self) { return view(self->path_with_query); })
      .func("[method]outgoing-request.set-path-with-query", &set_path)
      .func("[method]outgoing-request.scheme", &get_scheme)
      .func("[method]outgoing-request.set-scheme", &set_scheme)
      .func("[method]outgoing-request.authority", [](Borrow<OutgoingRequest> self) { return view(self->authority); })
      .func("[method]outgoing-request.set-authority", &set_authority)
      .func("[method]outgoing-request.headers",
            [](Borrow<OutgoingRequest> self) { return canon::make_own<Fields>(self->headers, true); });

  types.resource<RequestOptions>("request-options")
      .func("[constructor]request-options", [] { return canon::make_own<RequestOptions>(); })
      .func("[method]request-options.connect-timeout", &get_option<&RequestOptions::connect_timeout>)
      .func("[method]request-options.set-connect-timeout", &set_option<&RequestOptions::connect_timeout>)
      .func("[method]request-options.first-byte-timeout", &get_option<&RequestOptions::first_byte_timeout>)
      .func("[method]request-options.set-first-byte-timeout", &set_option<&RequestOptions::first_byte_timeout>)
      .func("[method]request-options.between-bytes-timeout", &get_option<&RequestOptions::between_bytes_timeout>)
      .func("[method]request-options.set-between-bytes-timeout", &set_option<&RequestOptions::between_bytes_timeout>);

  types.resource<IncomingResponse>("incoming-response")
      .resource<FutureIncomingResponse>("future-incoming-response")
      .func("[method]incoming-response.status", [](Borrow<IncomingResponse> self) { return self->head().status; })
      .func("[method]incoming-response.headers",
            [](Borrow<IncomingResponse> self) { return canon::make_own<Fields>(self->headers(), true); })
      .func("[method]incoming-response.consume",
            [](Borrow<IncomingResponse> self) -> Once<Own<IncomingBody>> {
              if (std::exchange(self->consumed, true)) return once_only();
              return canon::make_own<IncomingBody>(Ref<BodyOrigin>(new ResponseBody(self->call())));
            })
      .func("[method]future-incoming-response.subscribe",
            [](Borrow<FutureIncomingResponse> self) {
              return canon::make_own<Pollable>(make_ref<CallWait>(self->call()));
            })
      .func("[method]future-incoming-response.get", &get_response);
}

void add_outgoing_handler(canon::Linker& linker) {
  linker.instance("wasi:http/outgoing-handler@0.2.12")
      .resource<OutgoingRequest>("outgoing-request")
      .resource<RequestOptions>("request-options")
      .resource<FutureIncomingResponse>("future-incoming-response")
      .func("handle", &handle);
}

} // namespace cusp::wasi
