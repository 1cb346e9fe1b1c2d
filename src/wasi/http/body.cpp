#include "wasi/http/body.h"

#include <algorithm>

namespace cusp::wasi {

namespace {
constexpr std::size_t kEarlyRoom = 64 * 1024; // before there is a carrier
constexpr auto kWritePatience = std::chrono::seconds(60);

std::unexpected<StreamFailure> stream_error(const HttpError& error) {
  return stream_failed(IoError(http_error_text(error), error));
}
} // namespace

// --- incoming
void BodySource::fill() {
  if (at_ != filled_ || ended_ || error_) return;
  // Small bodies are the usual ones; who sends more gets more room.
  if (filled_ == buffer_.size() && buffer_.size() < kStreamChunk)
    buffer_.resize(buffer_.empty() ? 8 * 1024 : kStreamChunk);
  at_ = filled_ = 0;
  auto got = origin_->try_read(buffer_);
  if (!got) {
    error_ = std::move(got).error();
  } else if (*got != 0) {
    filled_ = *got;
    until_ = loop::kNever;
  } else if (origin_->at_end()) {
    ended_ = true;
  }
}

bool BodySource::ready() {
  fill();
  if (at_ != filled_ || ended_ || error_) return true;
  if (until_ == loop::kNever) until_ = loop::Clock::now() + origin_->patience();
  else if (loop::Clock::now() >= until_) error_ = http_error<HttpCase::ConnectionReadTimeout>();
  return error_.has_value();
}

StreamResult<std::span<const std::uint8_t>> BodySource::peek(std::size_t limit) {
  fill();
  if (at_ != filled_) return std::span<const std::uint8_t>(buffer_).subspan(at_, std::min(limit, filled_ - at_));
  if (error_) return stream_error(*error_);
  if (ended_) return stream_closed();
  return std::span<const std::uint8_t>();
}

bool TrailersWait::ready() {
  for (;;) {
    if (source_->error()) return true;
    auto bytes = source_->peek(kStreamChunk);
    if (!bytes) return true; // the end, or an error
    if (bytes->empty()) return source_->ready() && source_->error();
    source_->consume(bytes->size());
  }
}

HttpResult<Ref<FieldList>> TrailersWait::result() {
  if (source_->error()) return std::unexpected(*source_->error());
  Ref<FieldList> list;
  for (const auto& [name, value] : origin_->trailers()) {
    if (!list) list = make_ref<FieldList>();
    if (!list->full(name.size() + value.size())) list->add_lower_case(name, value);
  }
  return list;
}

// --- outgoing
BodySink::~BodySink() {
  if (!finished_) abandon();
  if (carrier_) carrier_->detached();
}

HttpError BodySink::size_error(std::uint64_t more) const {
  return is_request_ ? http_error<HttpCase::HttpRequestBodySize>(written_ + more)
                     : http_error<HttpCase::HttpResponseBodySize>(written_ + more);
}

HttpResult<void> BodySink::attach(BodyCarrier& carrier) {
  carrier_ = &carrier;
  carrier.attached();
  HttpResult<void> done;
  if (!pending_.empty())
    done = carrier.accept(std::span(reinterpret_cast<const std::uint8_t*>(pending_.data()), pending_.size()));
  pending_ = {};
  if (!done) error_ = done.error();
  if (finished_ && done) return carrier.complete(trailers_.get());
  if (abandoned_) carrier.abort();
  else carrier.want_flush();
  return done;
}

HttpResult<void> BodySink::finish(Ref<FieldList> trailers) {
  if (declared_ && written_ != *declared_) {
    HttpError error = size_error();
    abandon();
    return std::unexpected(std::move(error));
  }
  finished_ = true;
  trailers_ = std::move(trailers);
  if (error_) return std::unexpected(*error_);
  return carrier_ ? carrier_->complete(trailers_.get()) : HttpResult<void>();
}

void BodySink::abandon() {
  if (finished_ || abandoned_) return;
  abandoned_ = true;
  if (carrier_) carrier_->abort();
}

std::size_t BodySink::room() {
  if (carrier_) return carrier_->room();
  return pending_.size() >= kEarlyRoom ? 0 : kEarlyRoom - pending_.size();
}

bool BodySink::ready() {
  if (finished_ || abandoned_ || orphaned_ || error_ || (carrier_ && carrier_->failure())) return true;
  if (room() != 0) {
    until_ = loop::kNever;
    return true;
  }
  if (!carrier_) return false;
  if (carrier_->failure()) return true;
  if (until_ == loop::kNever) until_ = loop::Clock::now() + kWritePatience;
  else if (loop::Clock::now() >= until_) error_ = http_error<HttpCase::ConnectionWriteTimeout>();
  return error_.has_value();
}

StreamResult<std::uint64_t> BodySink::check_write() {
  if (error_) return stream_error(*error_);
  if (finished_ || abandoned_ || orphaned_) return stream_closed();
  std::size_t count = room();
  if (carrier_)
    if (auto failure = carrier_->failure()) return stream_error(*failure);
  return count;
}

StreamResult<void> BodySink::write(std::span<const std::uint8_t> bytes) {
  if (error_) return stream_error(*error_);
  if (finished_ || abandoned_ || orphaned_) return stream_closed();
  written_ += bytes.size();
  if (declared_ && written_ > *declared_) {
    error_ = size_error();
    if (carrier_) carrier_->abort();
    return stream_error(*error_);
  }
  if (!carrier_) {
    pending_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  auto done = carrier_->accept(bytes);
  if (!done) {
    error_ = std::move(done).error();
    return stream_error(*error_);
  }
  carrier_->want_flush();
  return {};
}

StreamResult<void> BodySink::flush() {
  if (error_) return stream_error(*error_);
  if (finished_ || abandoned_ || orphaned_) return stream_closed();
  if (carrier_) carrier_->want_flush();
  return {};
}

} // namespace cusp::wasi
