// The 0.3 face of wasi:http: types, client, and handler as an import.
#include "canon/bind.h"
#include "wasi/context.h"
#include "wasi/http/face.h"
#include "wasi/http/message.h"
#include "wasi/open_enum.h"

namespace cusp::wasi {

using canon::Borrow;
using canon::CallContext;
using canon::Future;
using canon::Own;

namespace {

MessageBody new_body(CallContext& cx, std::optional<ByteStream> contents, Future<TrailersOutcome> trailers,
                     Future<Transmission>& transmission) {
  auto told = canon::make_future<Transmission>(cx);
  transmission = std::move(told.future);
  return MessageBody(cx.component(), std::move(contents), std::move(trailers), std::move(told.writer));
}

// --- request
std::tuple<Own<Request>, Future<Transmission>> new_request(CallContext& cx, Own<Fields> headers,
                                                           std::optional<ByteStream> contents,
                                                           Future<TrailersOutcome> trailers,
                                                           std::optional<Own<RequestOptions>> options) {
  Future<Transmission> transmission;
  auto request =
      canon::make_own<Request>(headers->shared(), new_body(cx, std::move(contents), std::move(trailers), transmission));
  if (options) request->options = **options;
  return {std::move(request), std::move(transmission)};
}

std::optional<Own<RequestOptions>> get_options(Borrow<Request> self) {
  if (!self->options) return std::nullopt;
  auto options = canon::make_own<RequestOptions>(*self->options);
  options->immutable = true;
  return options;
}

template <class Message> std::tuple<ByteStream, Future<TrailersOutcome>>
consume_body(CallContext& cx, Own<Message> message, Future<Transmission> handled) {
  return message->body.consume(cx, std::move(handled));
}

void add_request(canon::LinkerInstance& types) {
  types.resource<Request>("request")
      .func("[static]request.new", &new_request)
      .func("[method]request.get-method", &get_method<Request>)
      .func("[method]request.set-method", &set_method<Request>)
      .func("[method]request.get-path-with-query", &get_path<Request>)
      .func("[method]request.set-path-with-query", &set_path<Request>)
      .func("[method]request.get-scheme", &get_scheme<Request>)
      .func("[method]request.set-scheme", &set_scheme<Request>)
      .func("[method]request.get-authority", &get_authority<Request>)
      .func("[method]request.set-authority", &set_authority<Request>)
      .func("[method]request.get-options", &get_options)
      .func("[method]request.get-headers",
            [](Borrow<Request> self) { return canon::make_own<Fields>(self->headers, true); })
      .func("[static]request.consume-body", &consume_body<Request>);
}

// --- request-options: not-supported, immutable, other
using OptionsError = OpenEnum<2>;
using Duration = std::optional<std::uint64_t>;

template <auto kMember> Duration get_option(Borrow<RequestOptions> self) { return (*self).*kMember; }
template <auto kMember> std::expected<void, OptionsError> set_option(Borrow<RequestOptions> self, Duration duration) {
  if (self->immutable) return std::unexpected(OptionsError{1, std::nullopt});
  (*self).*kMember = duration;
  return {};
}
Own<RequestOptions> clone_options(Borrow<RequestOptions> self) {
  auto copy = canon::make_own<RequestOptions>(*self);
  copy->immutable = false;
  return copy;
}

void add_options(canon::LinkerInstance& types) {
  types.resource<RequestOptions>("request-options")
      .func("[constructor]request-options", [] { return canon::make_own<RequestOptions>(); })
      .func("[method]request-options.get-connect-timeout", &get_option<&RequestOptions::connect_timeout>)
      .func("[method]request-options.set-connect-timeout", &set_option<&RequestOptions::connect_timeout>)
      .func("[method]request-options.get-first-byte-timeout", &get_option<&RequestOptions::first_byte_timeout>)
      .func("[method]request-options.set-first-byte-timeout", &set_option<&RequestOptions::first_byte_timeout>)
      .func("[method]request-options.get-between-bytes-timeout", &get_option<&RequestOptions::between_bytes_timeout>)
      .func("[method]request-options.set-between-bytes-timeout", &set_option<&RequestOptions::between_bytes_timeout>)
      .func("[method]request-options.clone", &clone_options);
}

// --- response
std::tuple<Own<Response>, Future<Transmission>> new_response(CallContext& cx, Own<Fields> headers,
                                                             std::optional<ByteStream> contents,
                                                             Future<TrailersOutcome> trailers) {
  Future<Transmission> transmission;
  auto response = canon::make_own<Response>(std::uint16_t{200}, headers->shared(),
                                            new_body(cx, std::move(contents), std::move(trailers), transmission));
  return {std::move(response), std::move(transmission)};
}

void add_response(canon::LinkerInstance& types) {
  types.resource<Response>("response")
      .func("[static]response.new", &new_response)
      .func("[method]response.get-status-code", [](Borrow<Response> self) { return self->status; })
      .func("[method]response.set-status-code",
            [](Borrow<Response> self, std::uint16_t status) -> Plain {
              if (status < 100 || status > 599) return refused();
              self->status = status;
              return {};
            })
      .func("[method]response.get-headers",
            [](Borrow<Response> self) { return canon::make_own<Fields>(self->headers, true); })
      .func("[static]response.consume-body", &consume_body<Response>);
}

// --- client: one request over the network
using Sent = std::expected<Own<Response>, HttpError>;

// Whether a request without contents has a body all the same, which then is empty but may have trailers.
bool method_has_body(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

HttpResult<Ref<OutgoingCall>> start_call(CallContext& cx, Request& request) {
  const Config& config = *cx.host<Context>().config;
  if (!config.outgoing_http) return std::unexpected(http_error<HttpCase::HttpRequestDenied>());
  auto out = CUSP_TRY(to_client_request(request, *request.headers));
  Ref<BodySink> sink;
  if (!request.body.is_empty() || method_has_body(request.method))
    sink = make_ref<BodySink>(true, declared_length(*request.headers));
  auto options = to_client_options(request.options ? &*request.options : nullptr, config.tls.get());
  auto call = CUSP_TRY(OutgoingCall::start(std::move(out), options, sink.get()));
  bool sending = cx.component().attend([sink = std::move(sink), call, body = std::move(request.body)]() mutable {
    HttpResult<void> sent = sink ? body.send_to(*sink) : body.send_nothing();
    sink = {};
    if (sent) sent = call->wait_until_sent();
    else call->break_off(sent.error());
    body.resolve(std::move(sent));
  });
  if (!sending) return std::unexpected(http_error<HttpCase::InternalError>("there is no memory for a request"));
  return call;
}

canon::HostResult<Sent> send(CallContext& cx, Own<Request> request) {
  auto call = start_call(cx, *request);
  if (!call) {
    request->body.resolve(std::unexpected(call.error()));
    return Sent(std::unexpected(call.error()));
  }
  request = {};
  CallWait answered(*call);
  if (wait_for(answered, loop::kNever) != WaitOutcome::Ready) return canon::cancelled();
  if (const auto& error = (*call)->error()) return Sent(std::unexpected(*error));
  const http::Head& head = (*call)->exchange().head();
  auto headers = make_ref<FieldList>();
  headers->add_incoming(head.headers);
  return Sent(canon::make_own<Response>(head.status, std::move(headers),
                                        MessageBody(Ref<BodyOrigin>(new ResponseBody(*call)))));
}

} // namespace

void add_http_3(canon::Linker& linker) {
  canon::LinkerInstance& types = linker.instance("wasi:http/types@0.3.0");
  add_fields_3(types);
  add_request(types);
  add_options(types);
  add_response(types);
  // A middleware's next handler is the network, unless it is composed with one.
  for (auto [interface, name] : {std::pair("wasi:http/client@0.3.0", "send"), {"wasi:http/handler@0.3.0", "handle"}})
    linker.instance(interface).resource<Request>("request").resource<Response>("response").func(name, &send);
}

} // namespace cusp::wasi
