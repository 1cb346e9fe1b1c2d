// The resources of wasi:http/types 0.2: thin handles onto exchanges, calls and bodies.
#pragma once

#include "wasi/http/outgoing_call.h"
#include "wasi/http/request_target.h"
#include "wasi/http/server_exchange.h"

namespace cusp::wasi {

class IncomingBody {
public:
  explicit IncomingBody(Ref<BodyOrigin> origin) : origin_(std::move(origin)), source_(new BodySource(origin_)) {}
  // Empty the second time.
  Ref<BodySource> take_stream() { return std::exchange(taken_, true) ? Ref<BodySource>() : source_; }
  bool stream_alive() const { return source_->in_use(); }
  Ref<TrailersWait> finish() { return make_ref<TrailersWait>(origin_, source_); }

private:
  Ref<BodyOrigin> origin_;
  Ref<BodySource> source_;
  bool taken_ = false;
};

class FutureTrailers {
public:
  explicit FutureTrailers(Ref<TrailersWait> wait) : wait_(std::move(wait)) {}
  const Ref<TrailersWait>& wait() const { return wait_; }
  bool taken = false;

private:
  Ref<TrailersWait> wait_;
};

class OutgoingBody {
public:
  explicit OutgoingBody(Ref<BodySink> sink) : sink_(std::move(sink)) {}
  OutgoingBody(const OutgoingBody&) = delete;
  ~OutgoingBody() { sink_->abandon(); } // nothing when it was finished
  const Ref<BodySink>& sink() const { return sink_; }
  bool stream_taken = false;

private:
  Ref<BodySink> sink_;
};

// The request being served. Header fields become a list only when the guest asks for them.
class IncomingRequest {
public:
  explicit IncomingRequest(ServerExchange& exchange) : exchange_(exchange) {}
  http::Request& request() const { return exchange_.request(); }
  std::optional<std::string_view> path_with_query() const;
  std::optional<std::string_view> authority() const;
  const Ref<FieldList>& headers();
  bool consumed = false;

private:
  ServerExchange& exchange_;
  Ref<FieldList> headers_;
};

class ResponseOutparam {
public:
  explicit ResponseOutparam(ServerExchange& exchange) : exchange_(exchange) {}
  ServerExchange& exchange() const { return exchange_; }

private:
  ServerExchange& exchange_;
};

class OutgoingResponse {
public:
  explicit OutgoingResponse(Ref<FieldList> headers) : headers(std::move(headers)) {}
  Ref<FieldList> headers;
  std::uint16_t status = 200;
  Ref<BodySink> body; // null until the guest takes it
};

class OutgoingRequest : public RequestTarget {
public:
  explicit OutgoingRequest(Ref<FieldList> headers) : headers(std::move(headers)) {}
  Ref<FieldList> headers;
  Ref<BodySink> body;
};

class IncomingResponse {
public:
  explicit IncomingResponse(Ref<OutgoingCall> call) : call_(std::move(call)) {}
  const http::Head& head() const { return call_->exchange().head(); }
  const Ref<FieldList>& headers();
  const Ref<OutgoingCall>& call() const { return call_.ref(); }
  bool consumed = false;

private:
  CallHold call_;
  Ref<FieldList> headers_;
};

class FutureIncomingResponse {
public:
  explicit FutureIncomingResponse(Ref<OutgoingCall> call) : call_(std::move(call)) {}
  const Ref<OutgoingCall>& call() const { return call_.ref(); }
  bool taken = false;

private:
  CallHold call_;
};

} // namespace cusp::wasi
