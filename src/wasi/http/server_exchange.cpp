#include "wasi/http/server_exchange.h"

#include <charconv>

namespace cusp::wasi {

namespace {
constexpr std::size_t kHeld = 16 * 1024;
} // namespace

std::optional<std::uint64_t> declared_length(const FieldList& fields) {
  auto text = fields.find("content-length");
  std::uint64_t length = 0;
  if (!text) return std::nullopt;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), length);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return length;
}

HttpError to_http_error(const base::Error& error) {
  switch (error.code) {
  case base::ErrorCode::Timeout: return http_error<HttpCase::ConnectionReadTimeout>();
  case base::ErrorCode::Malformed: return http_error<HttpCase::HttpProtocolError>();
  case base::ErrorCode::LimitExceeded: return http_error<HttpCase::HttpRequestBodySize>(std::optional<std::uint64_t>());
  case base::ErrorCode::Io: return http_error<HttpCase::ConnectionTerminated>();
  default: return http_error<HttpCase::InternalError>(error.message);
  }
}

void FlushList::flush_all() {
  while (first_) {
    ServerExchange* exchange = first_;
    exchange->leave_list();
    exchange->flush_now();
  }
}

void ServerExchange::leave_list() {
  if (!listed_) return;
  listed_ = false;
  (previous_ ? previous_->next_ : list_.first_) = next_;
  if (next_) next_->previous_ = previous_;
}

void ServerExchange::want_flush() {
  if (listed_) return;
  listed_ = true;
  previous_ = nullptr;
  next_ = list_.first_;
  if (next_) next_->previous_ = this;
  list_.first_ = this;
}

void ServerExchange::set_response(std::uint16_t status, Ref<FieldList> headers, Ref<BodySink> body) {
  set_ = true;
  status_ = status;
  headers_ = std::move(headers);
  declared_ = declared_length(*headers_);
  if (body) (void)body->attach(*this);
  else (void)complete(nullptr);
}

void ServerExchange::set_error(HttpError error) {
  set_ = true;
  error_ = std::move(error);
}

void ServerExchange::start(std::optional<std::uint64_t> length) {
  constexpr std::size_t kUsual = 24;
  http::Header few[kUsual];
  std::vector<http::Header> many;
  std::size_t count = headers_->size();
  std::span<http::Header> headers(few);
  if (count > kUsual) {
    many.resize(count);
    headers = many;
  }
  for (std::size_t i = 0; i < count; ++i) headers[i] = {headers_->name(i), headers_->value(i)};
  writer_.start(status_, headers.first(count), declared_ ? declared_ : length);
}

HttpResult<void> ServerExchange::push(std::string_view bytes) {
  writing_ = true;
  auto done = writer_.write(bytes);
  writing_ = false;
  if (done) return {};
  failed_ = true;
  return std::unexpected(to_http_error(done.error()));
}

std::size_t ServerExchange::room() {
  if (failed_ || writer_.aborted()) return 0;
  if (!writer_.started()) return kHeld; // more than what is held begins the response
  if (std::size_t room = writer_.room()) return room;
  if (!writer_.try_flush()) failed_ = true;
  return failed_ ? 0 : writer_.room();
}

std::optional<HttpError> ServerExchange::failure() {
  if (failed_ || writer_.aborted()) return http_error<HttpCase::ConnectionTerminated>();
  return std::nullopt;
}

HttpResult<void> ServerExchange::accept(std::span<const std::uint8_t> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!writer_.started()) {
    if (held_.size() + text.size() <= kHeld) {
      held_ += text;
      return {};
    }
    start(std::nullopt);
  }
  if (auto done = push_held(); !done) return done;
  return push(text);
}

void ServerExchange::flush_now() {
  if (!set_ || error_ || writing_ || failed_ || writer_.finished() || writer_.aborted()) return;
  if (!writer_.started()) start(std::nullopt);
  if (held_fits()) (void)push_held();
  if (!failed_ && !writer_.try_flush()) failed_ = true;
}

// Whether the writer takes what is held without waiting for the client.
bool ServerExchange::held_fits() const { return writer_.room() >= held_.size() + 32; }

HttpResult<void> ServerExchange::push_held() {
  if (held_.empty()) return {};
  std::string held = std::move(held_);
  held_.clear();
  return push(held);
}

HttpResult<void> ServerExchange::complete(const FieldList* trailers) {
  leave_list();
  if (failed_ || writer_.aborted()) return std::unexpected(http_error<HttpCase::ConnectionTerminated>());
  if (writer_.finished()) return {};
  if (!writer_.started()) {
    bool head = request_.method() == "HEAD";
    bool known = !head && !(trailers && trailers->size() != 0);
    start(known ? std::optional<std::uint64_t>(held_.size()) : std::nullopt);
  }
  if (auto done = push_held(); !done) return done;
  std::vector<http::Header> last;
  for (std::size_t i = 0; trailers && i < trailers->size(); ++i)
    last.push_back({trailers->name(i), trailers->value(i)});
  writing_ = true;
  auto done = writer_.finish(last);
  writing_ = false;
  if (done) return {};
  failed_ = true;
  return std::unexpected(to_http_error(done.error()));
}

void ServerExchange::abort() {
  leave_list();
  if (writer_.finished() || writer_.aborted()) return;
  if (!writer_.started() && set_ && !error_ && !failed_) {
    // The client sees a beginning and that the end is missing.
    start(std::nullopt);
    if (held_fits()) (void)push_held();
  }
  writer_.abort();
}

bool ServerExchange::conclude() {
  leave_list();
  if (writer_.finished()) return true;
  if (!set_ || error_) return false;
  abort();
  return true;
}

Ref<BodyOrigin> ServerExchange::request_body() {
  if (!request_body_) request_body_ = make_ref<RequestBody>(request_);
  return request_body_;
}

void ServerExchange::release_request_body() {
  if (!request_body_) return;
  bool awaited = !request_body_->at_end();
  request_body_->sever();
  request_body_ = {};
  if (awaited) loop::Fiber::yield();
}

HttpResult<std::size_t> RequestBody::try_read(std::span<std::uint8_t> into) {
  if (!request_) {
    if (was_at_end_) return 0;
    return std::unexpected(http_error<HttpCase::ConnectionTerminated>());
  }
  auto got = request_->try_read(into);
  if (!got) return std::unexpected(to_http_error(got.error()));
  return *got;
}

void RequestBody::sever() {
  was_at_end_ = request_->body_at_end();
  if (was_at_end_) trailers_ = request_->trailers();
  else request_->readable().set();
  request_ = nullptr;
  over_.set();
}

} // namespace cusp::wasi
