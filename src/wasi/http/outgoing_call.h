// One outgoing request and its response: outgoing-handler.handle starts it on a fiber of its own, a second fiber carries the request's body.
// The guest's handles (future, response, bodies) keep it alive; when the last is gone the connection is cut and the fibers end.
#pragma once

#include <memory>

#include "http/client.h"
#include "wasi/http/body.h"

namespace cusp::wasi {

class OutgoingCall final : public Counted, public BodyCarrier {
public:
  OutgoingCall(http::ClientRequest request, http::ClientOptions options)
      : request_(std::move(request)), options_(options) {}

  // Begins. `body`: the guest's, or null for none. Error: there is no room for a fiber.
  static HttpResult<Ref<OutgoingCall>> start(http::ClientRequest request, const http::ClientOptions& options,
                                             BodySink* body);

  bool done() const { return done_.is_set(); }
  loop::Event& done_event() { return done_; }
  // REQUIRES: done().
  const std::optional<HttpError>& error() const { return error_; }
  http::Exchange& exchange() const { return *exchange_; }
  std::chrono::nanoseconds between_bytes() const { return options_.between_bytes_timeout; }

  // Suspends until the whole request is on its way, or will not be. REQUIRES: on a fiber.
  HttpResult<void> wait_until_sent();
  // What the request was to carry has failed: that is what becomes of it, unless there is an answer already.
  void break_off(HttpError error);

  void hold() { ++holders_; }
  void release();

  std::size_t room() override { return buffer_.size() >= kStreamChunk ? 0 : kStreamChunk - buffer_.size(); }
  HttpResult<void> accept(std::span<const std::uint8_t> bytes) override;
  void want_flush() override {}
  loop::Event* room_event() override { return &drained_; }
  std::optional<HttpError> failure() override { return body_failure_; }
  HttpResult<void> complete(const FieldList* trailers) override;
  void abort() override;
  void attached() override;
  void detached() override;

private:
  void run();       // first fiber: connect, head out, head in
  void send_body(); // second fiber
  void fail(HttpError error);
  void cut();

  http::ClientRequest request_;
  http::ClientOptions options_;
  std::unique_ptr<http::Exchange> exchange_;
  std::optional<HttpError> error_, body_failure_;
  loop::Event done_, sent_, drained_, body_changed_;
  std::string buffer_; // of the request's body, not sent yet
  TrailerList trailers_;
  Ref<OutgoingCall> held_by_body_; // this: the guest's body points here
  std::uint32_t holders_ = 0;
  bool body_complete_ = false, body_aborted_ = false, abandoned_ = false;
};

// Keeps a call going as long as the guest can see it.
class CallHold {
public:
  explicit CallHold(Ref<OutgoingCall> call) : call_(std::move(call)) { call_->hold(); }
  CallHold(const CallHold&) = delete;
  ~CallHold() { call_->release(); }
  OutgoingCall& operator*() const { return *call_; }
  OutgoingCall* operator->() const { return call_.get(); }
  const Ref<OutgoingCall>& ref() const { return call_; }

private:
  Ref<OutgoingCall> call_;
};

class CallWait final : public Waitable {
public:
  explicit CallWait(Ref<OutgoingCall> call) : call_(std::move(call)) {}
  bool ready() override { return call_->done(); }
  loop::Event* event() override { return &call_->done_event(); }

private:
  CallHold call_;
};

// The body of the response.
class ResponseBody final : public BodyOrigin {
public:
  explicit ResponseBody(Ref<OutgoingCall> call) : call_(std::move(call)) {}
  HttpResult<std::size_t> try_read(std::span<std::uint8_t> into) override;
  bool at_end() override { return call_->exchange().body_at_end(); }
  loop::Event& readable() override { return call_->exchange().readable(); }
  const TrailerList& trailers() override { return call_->exchange().trailers(); }
  std::chrono::nanoseconds patience() const override { return call_->between_bytes(); }

private:
  CallHold call_;
};

HttpError to_http_error(http::ClientError error);

} // namespace cusp::wasi
