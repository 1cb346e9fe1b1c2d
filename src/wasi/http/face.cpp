// The 0.2 face of wasi:http/types: what does not make requests. outgoing_face.cpp has the rest.
#include "wasi/http/face.h"

#include "canon/bind.h"
#include "wasi/context.h"
#include "wasi/linker.h"

namespace cusp::wasi {

using canon::Borrow;
using canon::CallContext;
using canon::Own;

namespace {

// --- what comes in
void add_incoming_request(canon::LinkerInstance& types) {
  types.resource<IncomingRequest>("incoming-request")
      .func("[method]incoming-request.method",
            [](Borrow<IncomingRequest> self) { return to_method<std::string_view>(self->request().method()); })
      .func("[method]incoming-request.path-with-query",
            [](Borrow<IncomingRequest> self) { return self->path_with_query(); })
      .func("[method]incoming-request.scheme",
            [](Borrow<IncomingRequest>) {
              return std::optional<Scheme<std::string_view>>(to_scheme<std::string_view>("http"));
            })
      .func("[method]incoming-request.authority", [](Borrow<IncomingRequest> self) { return self->authority(); })
      .func("[method]incoming-request.headers",
            [](Borrow<IncomingRequest> self) { return canon::make_own<Fields>(self->headers(), true); })
      .func("[method]incoming-request.consume", [](Borrow<IncomingRequest> self) -> Once<Own<IncomingBody>> {
        if (std::exchange(self->consumed, true)) return once_only();
        return canon::make_own<IncomingBody>(Ref<BodyOrigin>(new RequestBody(self->request())));
      });
}

using TrailersResult = std::expected<std::optional<Own<Fields>>, HttpError>;

std::optional<Once<TrailersResult>> get_trailers(Borrow<FutureTrailers> self) {
  if (!self->wait()->ready()) return std::nullopt;
  if (std::exchange(self->taken, true)) return once_only();
  auto list = self->wait()->result();
  if (!list) return TrailersResult(std::unexpected(std::move(list).error()));
  if (!*list) return TrailersResult(std::optional<Own<Fields>>());
  return TrailersResult(canon::make_own<Fields>(*std::move(list), true));
}

void add_incoming_body(canon::LinkerInstance& types) {
  types.resource<IncomingBody>("incoming-body")
      .resource<FutureTrailers>("future-trailers")
      .func("[method]incoming-body.stream",
            [](Borrow<IncomingBody> self) -> Once<Own<InputStream>> {
              auto source = self->take_stream();
              if (!source) return once_only();
              return canon::make_own<InputStream>(std::move(source));
            })
      .func("[static]incoming-body.finish",
            [](CallContext& cx, Own<IncomingBody> self) {
              if (self->stream_alive()) cx.trap("incoming-body.finish while its stream is still open");
              return canon::make_own<FutureTrailers>(self->finish());
            })
      .func("[method]future-trailers.subscribe",
            [](Borrow<FutureTrailers> self) { return canon::make_own<Pollable>(self->wait()); })
      .func("[method]future-trailers.get", &get_trailers);
}

// --- what goes out
std::expected<void, HttpError> finish_body(CallContext& cx, Own<OutgoingBody> self,
                                           std::optional<Own<Fields>> trailers) {
  if (self->sink()->in_use()) {
    cx.trap("outgoing-body.finish while its stream is still open");
    return {};
  }
  return self->sink()->finish(trailers ? (*trailers)->shared() : Ref<FieldList>());
}

void set_outparam(Own<ResponseOutparam> param, std::expected<Own<OutgoingResponse>, HttpError> response) {
  ServerExchange& exchange = param->exchange();
  if (!response) return exchange.set_error(std::move(response).error());
  OutgoingResponse& r = **response;
  if (r.status < 200) return exchange.set_error(http_error<HttpCase::HttpProtocolError>()); // not a final response
  exchange.set_response(r.status, std::move(r.headers), std::move(r.body));
}

void add_response(canon::LinkerInstance& types) {
  types.resource<OutgoingResponse>("outgoing-response")
      .resource<OutgoingBody>("outgoing-body")
      .resource<ResponseOutparam>("response-outparam")
      .func("[constructor]outgoing-response",
            [](Own<Fields> headers) { return canon::make_own<OutgoingResponse>(headers->shared()); })
      .func("[method]outgoing-response.status-code", [](Borrow<OutgoingResponse> self) { return self->status; })
      .func("[method]outgoing-response.set-status-code",
            [](Borrow<OutgoingResponse> self, std::uint16_t status) -> Plain {
              if (status < 100 || status > 999) return refused();
              self->status = status;
              return {};
            })
      .func("[method]outgoing-response.headers",
            [](Borrow<OutgoingResponse> self) { return canon::make_own<Fields>(self->headers, true); })
      .func("[method]outgoing-response.body",
            [](Borrow<OutgoingResponse> self) -> Once<Own<OutgoingBody>> {
              if (self->body) return once_only();
              self->body = make_ref<BodySink>(false, declared_length(*self->headers));
              return canon::make_own<OutgoingBody>(self->body);
            })
      .func("[method]outgoing-body.write",
            [](Borrow<OutgoingBody> self) -> Once<Own<OutputStream>> {
              if (std::exchange(self->stream_taken, true)) return once_only();
              return canon::make_own<OutputStream>(self->sink());
            })
      .func("[static]outgoing-body.finish", &finish_body)
      .func("[static]response-outparam.set", &set_outparam)
      .func("[method]response-outparam.send-informational",
            [](Borrow<ResponseOutparam>, std::uint16_t status, Own<Fields>) -> std::expected<void, HttpError> {
              if (status / 100 != 1) return std::unexpected(http_error<HttpCase::HttpProtocolError>());
              return std::unexpected(http_error<HttpCase::InternalError>("informational responses are not supported"));
            });
}

} // namespace

void add_http(canon::Linker& linker) {
  canon::LinkerInstance& types = linker.instance("wasi:http/types@0.2.12");
  types.resource<InputStream>("input-stream").resource<OutputStream>("output-stream");
  types.resource<Pollable>("pollable").resource<IoError>("io-error");
  types.func("http-error-code", [](Borrow<IoError> error) { return error->http; });
  add_fields(types);
  add_incoming_request(types);
  add_incoming_body(types);
  add_response(types);
  add_outgoing_request(types);
  add_outgoing_handler(linker);
  add_http_3(linker);
}

} // namespace cusp::wasi
