// The resources of wasi:http/types 0.3: messages that either side may have made. A message's body comes from the guest, as a stream and a
// future of trailers, or from the network, as 0.2's BodyOrigin; it goes to a guest that consumes it, or into a BodySink, as 0.2's outgoing
// bodies do. Whoever made it in a guest is told how its transmission went.
#pragma once

#include "canon/component.h"
#include "canon/host_stream.h"
#include "wasi/http/types.h"
#include "wasi/io/pump.h"

namespace cusp::wasi {

using TrailersOutcome = std::expected<std::optional<canon::Own<Fields>>, HttpError>;
using Transmission = std::expected<void, HttpError>;

class MessageBody {
public:
  // The guest's. `contents`: none for an empty one.
  MessageBody(canon::ComponentInstance& component, std::optional<ByteStream> contents,
              canon::Future<TrailersOutcome> trailers, canon::FutureWriter<Transmission> transmitted)
      : component_(&component), contents_(std::move(contents)), trailers_(std::move(trailers)),
        transmitted_(std::move(transmitted)) {}
  explicit MessageBody(Ref<BodyOrigin> origin) : origin_(std::move(origin)) {}
  MessageBody(MessageBody&&) noexcept = default;
  MessageBody& operator=(MessageBody&&) noexcept = default;
  ~MessageBody() { resolve({}); } // it went nowhere, and nothing failed

  // The guest's, and without contents.
  bool is_empty() const { return !origin_ && !contents_; }

  // Sends all of it in a straight line: contents, then trailers. REQUIRES: on a fiber that the guest does not wait for; not consumed.
  HttpResult<void> send_to(BodySink& sink);
  // Only waits for its end: nothing but the request's head travels. REQUIRES: is_empty().
  HttpResult<void> send_nothing();
  // Tells the guest how it went. The first time counts.
  void resolve(Transmission how);

  // To a guest. `handled`: what that guest will say about it, for whoever made it.
  std::tuple<ByteStream, canon::Future<TrailersOutcome>> consume(canon::CallContext& cx,
                                                                 canon::Future<Transmission> handled);

private:
  HttpResult<void> forward(BodySink& sink);
  HttpResult<Ref<FieldList>> send_contents(BodySink& sink);
  static HttpResult<Ref<FieldList>> get_trailers(canon::Future<TrailersOutcome>& from);

  Ref<BodyOrigin> origin_;
  canon::ComponentInstance* component_ = nullptr;
  std::optional<ByteStream> contents_;
  canon::Future<TrailersOutcome> trailers_;
  canon::FutureWriter<Transmission> transmitted_;
};

class Request : public RequestTarget {
public:
  Request(Ref<FieldList> headers, MessageBody body) : headers(std::move(headers)), body(std::move(body)) {}
  // The request being served.
  explicit Request(ServerExchange& exchange);
  Ref<FieldList> headers;
  std::optional<RequestOptions> options;
  MessageBody body;
};

class Response {
public:
  Response(std::uint16_t status, Ref<FieldList> headers, MessageBody body)
      : status(status), headers(std::move(headers)), body(std::move(body)) {}
  // Answers with it. REQUIRES: as MessageBody::send_to().
  HttpResult<void> send(ServerExchange& exchange);
  std::uint16_t status;
  Ref<FieldList> headers;
  MessageBody body;
};

} // namespace cusp::wasi
