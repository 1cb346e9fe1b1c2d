// The 0.2 face of what makes requests: outgoing-request, request-options, incoming-response, and wasi:http/outgoing-handler.
#include "wasi/context.h"
#include "wasi/http/face.h"

namespace cusp::wasi {

using canon::Borrow;
using canon::CallContext;
using canon::Own;

namespace {

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

std::expected<Own<FutureIncomingResponse>, HttpError> handle(CallContext& cx, Own<OutgoingRequest> request,
                                                             std::optional<Own<RequestOptions>> options) {
  const Config& config = *cx.host<Context>().config;
  if (!config.outgoing_http) return std::unexpected(http_error<HttpCase::HttpRequestDenied>());
  if (!request->path_with_query) return std::unexpected(http_error<HttpCase::HttpRequestUriInvalid>());
  auto out = CUSP_TRY(to_client_request(*request, *request->headers));
  auto timeouts = to_client_options(options ? &**options : nullptr, config.tls.get());
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
      .func("[method]outgoing-request.method", &get_method<OutgoingRequest>)
      .func("[method]outgoing-request.set-method", &set_method<OutgoingRequest>)
      .func("[method]outgoing-request.path-with-query", &get_path<OutgoingRequest>)
      .func("[method]outgoing-request.set-path-with-query", &set_path<OutgoingRequest>)
      .func("[method]outgoing-request.scheme", &get_scheme<OutgoingRequest>)
      .func("[method]outgoing-request.set-scheme", &set_scheme<OutgoingRequest>)
      .func("[method]outgoing-request.authority", &get_authority<OutgoingRequest>)
      .func("[method]outgoing-request.set-authority", &set_authority<OutgoingRequest>)
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
