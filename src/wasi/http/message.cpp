#include "wasi/http/message.h"

namespace cusp::wasi {

namespace {

HttpError to_error(const StreamFailure& failure) {
  if (failure.closed()) return http_error<HttpCase::ConnectionTerminated>();
  if (failure.error->http) return *failure.error->http;
  return http_error<HttpCase::InternalError>(failure.error->message);
}

template <class F> void attend_or_trap(canon::CallContext& cx, F body) {
  if (!cx.component().attend(std::move(body))) cx.trap("there is no memory for a body");
}

// The trailers behind a body, once it has been read; none when nobody wants them any more.
TrailersOutcome read_trailers(const Ref<BodyOrigin>& origin, const Ref<BodySource>& source, canon::HostEnd& reader) {
  TrailersWait rest(origin, source);
  PeerGone gone(reader);
  Waitable* either[] = {&rest, &gone};
  if (wait_for_any(either, loop::kNever) != WaitOutcome::Ready || gone.ready()) return {};
  Ref<FieldList> list = CUSP_TRY(rest.result());
  if (!list) return {};
  return canon::make_own<Fields>(std::move(list), true);
}

} // namespace

void MessageBody::resolve(Transmission how) {
  if (!transmitted_) return;
  canon::FutureWriter<Transmission> transmitted = std::move(transmitted_);
  if (transmitted.is_closed()) return;
  (void)component_->attend([transmitted = std::move(transmitted), how = std::move(how)]() mutable {
    (void)transmitted.set(std::move(how));
  });
}

HttpResult<void> MessageBody::send_to(BodySink& sink) {
  auto sent = [&]() -> HttpResult<void> {
    if (origin_) return forward(sink);
    return sink.finish(CUSP_TRY(send_contents(sink)));
  }();
  if (!sent) sink.abandon();
  return sent;
}

// From one network connection to another; no guest is involved.
HttpResult<void> MessageBody::forward(BodySink& sink) {
  auto source = make_ref<BodySource>(origin_);
  if (StreamResult<void> done = pass_on(*source, sink); !done) return std::unexpected(to_error(done.error()));
  TrailersWait rest(origin_, source);
  if (wait_for(rest, loop::kNever) != WaitOutcome::Ready)
    return std::unexpected(http_error<HttpCase::ConnectionTerminated>());
  return sink.finish(CUSP_TRY(rest.result()));
}

// A guest may hold its contents open until its trailers are taken: they are, on a fiber beside this one.
HttpResult<Ref<FieldList>> MessageBody::send_contents(BodySink& sink) {
  if (!contents_) return get_trailers(trailers_);
  struct Early {
    HttpResult<Ref<FieldList>> trailers;
    loop::Event taken;
  };
  auto early = std::make_shared<Early>();
  bool taking = component_->attend([early, trailers = std::move(trailers_)]() mutable {
    early->trailers = get_trailers(trailers);
    early->taken.set();
  });
  if (!taking) return std::unexpected(http_error<HttpCase::InternalError>("there is no memory for a body"));
  std::optional<std::uint64_t> most;
  if (sink.declared()) most = *sink.declared() - sink.written();
  auto done = drain(*contents_, sink, most);
  contents_->close();
  if (!done) return std::unexpected(to_error(done.error()));
  if (*done != 0) return std::unexpected(sink.size_error(*done));
  if (!early->taken.wait()) return std::unexpected(http_error<HttpCase::ConnectionTerminated>());
  return std::move(early->trailers);
}

HttpResult<void> MessageBody::send_nothing() {
  CUSP_TRY(get_trailers(trailers_));
  return {};
}

HttpResult<Ref<FieldList>> MessageBody::get_trailers(canon::Future<TrailersOutcome>& from) {
  auto trailers = from.get();
  // The guest is gone, or breaks off without a word.
  if (!trailers || !*trailers) return std::unexpected(http_error<HttpCase::ConnectionTerminated>());
  auto list = CUSP_TRY(**std::move(trailers));
  return list ? (*list)->shared() : Ref<FieldList>();
}

std::tuple<ByteStream, canon::Future<TrailersOutcome>> MessageBody::consume(canon::CallContext& cx,
                                                                            canon::Future<Transmission> handled) {
  if (!origin_) {
    if (!transmitted_.is_closed())
      attend_or_trap(cx, [handled = std::move(handled), transmitted = std::move(transmitted_)]() mutable {
        auto how = handled.get();
        (void)transmitted.set(how && *how ? **std::move(how) : Transmission());
      });
    ByteStream contents = contents_ ? *std::move(contents_) : std::move(canon::make_stream<std::uint8_t>(cx).stream);
    return {std::move(contents), std::move(trailers_)};
  }
  auto contents = canon::make_stream<std::uint8_t>(cx);
  auto trailers = canon::make_future<TrailersOutcome>(cx);
  attend_or_trap(cx, [origin = std::move(origin_), writer = std::move(contents.writer),
                      end = std::move(trailers.writer)]() mutable {
    auto source = make_ref<BodySource>(origin);
    StreamResult<void> fed = feed(*source, writer);
    writer.close();
    if (end.is_closed()) return;
    TrailersOutcome outcome = std::unexpected(http_error<HttpCase::ConnectionTerminated>());
    if (!fed) outcome = std::unexpected(to_error(fed.error()));
    else outcome = read_trailers(origin, source, end);
    source = {}, origin = {};
    (void)end.set(std::move(outcome));
  });
  return {std::move(contents.stream), std::move(trailers.future)};
}

Request::Request(ServerExchange& exchange) : body(exchange.request_body()) {
  IncomingRequest incoming(exchange);
  method = exchange.request().method();
  scheme = "http";
  path_with_query = incoming.path_with_query();
  authority = incoming.authority();
  headers = incoming.headers();
}

HttpResult<void> Response::send(ServerExchange& exchange) {
  if (status < 200) { // not a final response
    HttpError error = http_error<HttpCase::HttpProtocolError>();
    body.resolve(std::unexpected(error));
    exchange.set_error(error);
    return std::unexpected(std::move(error));
  }
  // What answers HEAD tells of a body that it has not.
  bool has_body = exchange.request().method() != "HEAD";
  auto sink = make_ref<BodySink>(false, has_body ? declared_length(*headers) : std::nullopt);
  exchange.set_response(status, headers, sink);
  HttpResult<void> sent = body.send_to(*sink);
  body.resolve(sent);
  return sent;
}

} // namespace cusp::wasi
