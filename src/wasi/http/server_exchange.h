// One HTTP request being answered by a guest: between http/'s request and writer on one side and the guest's resources on the other.
// Lives on the connection's fiber around the guest's call, and outlives every handle of the instance. The response begins when the guest has
// set its outparam; small bodies are held back until they are whole, so that most responses are one write with a content-length. What a guest
// flushed and did not finish goes out when the guest next waits, and at the latest at the worker's next tick (FlushList).
#pragma once

#include "http/server.h"
#include "wasi/http/body.h"

namespace cusp::wasi {

class ServerExchange;

// The exchanges of one worker that hold something back. Intrusive; loop thread only.
class FlushList {
public:
  bool empty() const { return !first_; }
  void flush_all();

private:
  friend class ServerExchange;
  ServerExchange* first_ = nullptr;
};

// The body of the request being served. A 0.3 guest may go on with it when the request is over: then there is nothing more to come, and what
// belongs to the connection's next request is not touched.
class RequestBody final : public BodyOrigin {
public:
  explicit RequestBody(http::Request& request) : request_(&request) {}
  HttpResult<std::size_t> try_read(std::span<std::uint8_t> into) override;
  bool at_end() override { return request_ ? request_->body_at_end() : was_at_end_; }
  loop::Event& readable() override { return request_ ? request_->readable() : over_; }
  const TrailerList& trailers() override { return request_ ? request_->trailers() : trailers_; }
  // The request is over. Who waits for more is woken, and leaves the connection's event at the loop's next turn.
  void sever();

private:
  http::Request* request_; // null: over
  TrailerList trailers_;
  bool was_at_end_ = false;
  loop::Event over_;
};

class ServerExchange final : public BodyCarrier {
public:
  ServerExchange(http::Request& request, http::ResponseWriter& writer, FlushList& list)
      : request_(request), writer_(writer), list_(list) {}
  ~ServerExchange() override { leave_list(); }

  http::Request& request() const { return request_; }
  http::ResponseWriter& writer() const { return writer_; }
  // For messages that may outlive the request.
  Ref<BodyOrigin> request_body();
  // The request is over, whoever still has its body. Suspends for a turn of the loop where it must. REQUIRES: on a fiber.
  void release_request_body();

  // response-outparam.set. Without a body: an empty one.
  void set_response(std::uint16_t status, Ref<FieldList> headers, Ref<BodySink> body);
  void set_error(HttpError error);
  bool is_set() const { return set_; }
  const std::optional<HttpError>& error() const { return error_; }
  bool complete() const { return writer_.finished(); }
  bool begun() const { return writer_.started(); }

  // Sends what is held back, without waiting.
  void flush_now();
  // After the guest's call: what is still open is broken off. False: nothing was begun, and the embedder is to answer.
  bool conclude();

  std::size_t room() override;
  HttpResult<void> accept(std::span<const std::uint8_t> bytes) override;
  void want_flush() override;
  loop::Event* room_event() override { return &writer_.writable(); }
  std::optional<HttpError> failure() override;
  HttpResult<void> complete(const FieldList* trailers) override;
  void abort() override;

private:
  friend class FlushList;
  void start(std::optional<std::uint64_t> length);
  HttpResult<void> push(std::string_view bytes);
  HttpResult<void> push_held();
  bool held_fits() const;
  void leave_list();

  http::Request& request_;
  http::ResponseWriter& writer_;
  FlushList& list_;
  ServerExchange* next_ = nullptr;
  ServerExchange* previous_ = nullptr;
  Ref<RequestBody> request_body_;
  std::string held_; // of the body, before the response is begun
  Ref<FieldList> headers_;
  std::optional<std::uint64_t> declared_;
  std::optional<HttpError> error_;
  std::uint16_t status_ = 0;
  bool set_ = false, listed_ = false, writing_ = false, failed_ = false;
};

HttpError to_http_error(const base::Error& error);
// Of a list's content-length field; none when there is none or it is no number.
std::optional<std::uint64_t> declared_length(const FieldList& fields);

} // namespace cusp::wasi
