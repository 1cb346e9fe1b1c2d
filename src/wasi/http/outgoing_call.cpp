#include "wasi/http/outgoing_call.h"

namespace cusp::wasi {

HttpError to_http_error(http::ClientError error) {
  using http::ClientError;
  switch (error) {
  case ClientError::DnsError:
    return http_error<HttpCase::DnsError>(DnsErrorPayload{"address not available", std::nullopt});
  case ClientError::DestinationUnavailable: return http_error<HttpCase::DestinationUnavailable>();
  case ClientError::ConnectionRefused: return http_error<HttpCase::ConnectionRefused>();
  case ClientError::ConnectionTerminated: return http_error<HttpCase::ConnectionTerminated>();
  case ClientError::ConnectionTimeout: return http_error<HttpCase::ConnectionTimeout>();
  case ClientError::ResponseTimeout: return http_error<HttpCase::HttpResponseTimeout>();
  case ClientError::ReadTimeout: return http_error<HttpCase::ConnectionReadTimeout>();
  case ClientError::WriteTimeout: return http_error<HttpCase::ConnectionWriteTimeout>();
  case ClientError::ProtocolError: return http_error<HttpCase::HttpProtocolError>();
  case ClientError::ResponseIncomplete: return http_error<HttpCase::HttpResponseIncomplete>();
  case ClientError::RequestInvalid: return http_error<HttpCase::HttpRequestUriInvalid>();
  case ClientError::TlsCertificateError: return http_error<HttpCase::TlsCertificateError>();
  case ClientError::TlsError: return http_error<HttpCase::TlsProtocolError>();
  case ClientError::Unsupported: return http_error<HttpCase::InternalError>("this scheme is not supported");
  case ClientError::Internal: break;
  }
  return http_error<HttpCase::InternalError>(std::optional<std::string>());
}

HttpResult<Ref<OutgoingCall>> OutgoingCall::start(http::ClientRequest request, const http::ClientOptions& options,
                                                  BodySink* body) {
  auto call = make_ref<OutgoingCall>(std::move(request), options);
  if (body) {
    call->request_.has_body = true;
    call->request_.content_length = body->declared();
    if (auto attached = body->attach(*call); !attached) return std::unexpected(attached.error());
  }
  if (!loop::EventLoop::current()->spawn([call] { call->run(); }))
    return std::unexpected(http_error<HttpCase::InternalError>("there is no memory for a request"));
  return call;
}

void OutgoingCall::fail(HttpError error) {
  if (!error_) error_ = std::move(error);
  if (!body_failure_) body_failure_ = error_;
  drained_.set();
  done_.set();
  sent_.set();
}

HttpResult<void> OutgoingCall::wait_until_sent() {
  while (!sent_.is_set())
    if (!sent_.wait()) return std::unexpected(http_error<HttpCase::ConnectionTerminated>());
  if (body_failure_) return std::unexpected(*body_failure_);
  return {};
}

void OutgoingCall::break_off(HttpError error) {
  if (!done()) fail(std::move(error));
  abort();
  cut();
}

void OutgoingCall::run() {
  // The guest has run on meanwhile: a body that is whole by now is announced with its length.
  bool streams = request_.has_body;
  if (body_complete_ && trailers_.empty() && !request_.content_length) {
    bool wants_length = request_.method != "GET" && request_.method != "HEAD";
    if (!buffer_.empty() || wants_length) request_.content_length = buffer_.size();
    if (buffer_.empty()) streams = request_.has_body = false;
  } else if (!request_.has_body &&
             (request_.method == "POST" || request_.method == "PUT" || request_.method == "PATCH")) {
    request_.content_length = 0;
  }
  if (body_aborted_ || abandoned_) return fail(http_error<HttpCase::ConnectionTerminated>());
  auto exchange = http::Exchange::start(std::move(request_), options_);
  if (!exchange) return fail(to_http_error(exchange.error()));
  exchange_ = *std::move(exchange);
  if (abandoned_ || body_aborted_) return cut(), fail(http_error<HttpCase::ConnectionTerminated>());
  if (streams && !loop::EventLoop::current()->spawn([self = Ref<OutgoingCall>(this)] { self->send_body(); }))
    return cut(), fail(http_error<HttpCase::InternalError>("there is no memory for a request"));
  if (!streams) sent_.set();
  auto head = exchange_->receive_head();
  if (!head) return fail(to_http_error(head.error()));
  done_.set();
}

void OutgoingCall::send_body() {
  for (;;) {
    body_changed_.reset();
    if (abandoned_) return sent_.set();
    if (body_aborted_) return cut(), sent_.set();
    if (!buffer_.empty()) {
      std::string part;
      part.swap(buffer_);
      auto sent = exchange_->write(part);
      drained_.set();
      if (!sent) {
        body_failure_ = to_http_error(sent.error());
        return sent_.set();
      }
      continue;
    }
    if (body_complete_) {
      if (auto sent = exchange_->finish_request(trailers_); !sent) body_failure_ = to_http_error(sent.error());
      return sent_.set();
    }
    body_changed_.wait();
  }
}

void OutgoingCall::cut() {
  if (exchange_) exchange_->cut();
}

void OutgoingCall::release() {
  if (--holders_ != 0) return;
  abandoned_ = true;
  body_changed_.set();
  cut();
}

void OutgoingCall::attached() {
  held_by_body_ = Ref<OutgoingCall>(this);
  hold();
}

void OutgoingCall::detached() {
  Ref<OutgoingCall> self = std::move(held_by_body_);
  release();
}

HttpResult<void> OutgoingCall::accept(std::span<const std::uint8_t> bytes) {
  if (body_failure_) return std::unexpected(*body_failure_);
  buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (room() == 0) drained_.reset();
  body_changed_.set();
  return {};
}

HttpResult<void> OutgoingCall::complete(const FieldList* trailers) {
  for (std::size_t i = 0; trailers && i < trailers->size(); ++i)
    trailers_.emplace_back(trailers->name(i), trailers->value(i));
  body_complete_ = true;
  body_changed_.set();
  return {};
}

void OutgoingCall::abort() {
  body_aborted_ = true;
  body_changed_.set();
}

HttpResult<std::size_t> ResponseBody::try_read(std::span<std::uint8_t> into) {
  auto got = call_->exchange().try_read(into);
  if (!got) return std::unexpected(to_http_error(got.error()));
  return *got;
}

} // namespace cusp::wasi
