#include "http/body.h"

#include <algorithm>
#include <cstring>

namespace cusp::http {

using base::ErrorCode;

namespace {
constexpr std::size_t kBufferBytes = 16 * 1024, kMaxLineBytes = 8 * 1024, kMaxTrailerBytes = 32 * 1024;
}

void BodyReader::start(SocketStream& stream, const Head& head, std::span<const std::uint8_t> early,
                       std::uint64_t max_bytes) {
  stream_ = &stream;
  early_ = early;
  left_ = head.content_length;
  total_ = 0;
  max_bytes_ = max_bytes;
  trailers_.clear();
  trailer_bytes_ = 0;
  switch (head.framing) {
  case Framing::None: state_ = State::End; break;
  case Framing::Length: state_ = State::Length; break;
  case Framing::Chunked: state_ = State::ChunkSize; break;
  case Framing::UntilClose: state_ = State::UntilClose; break;
  }
}

std::unexpected<base::Error> BodyReader::broken(std::string sentence) {
  state_ = State::Failed;
  return base::fail(ErrorCode::Malformed, std::move(sentence));
}

// Body bytes, from what came early or straight from the socket into the caller's memory.
Result<std::size_t> BodyReader::take(std::span<std::uint8_t> into, std::uint64_t limit) {
  std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), limit));
  std::size_t got = 0;
  if (!early_.empty()) {
    got = std::min(most, early_.size());
    std::memcpy(into.data(), early_.data(), got);
    early_ = early_.subspan(got);
  } else {
    auto read = stream_->try_read(into.first(most));
    if (!read) {
      state_ = State::Failed;
      return read;
    }
    got = *read;
    if (got == 0 && stream_->ended() && state_ != State::UntilClose) {
      state_ = State::Failed;
      return base::fail(ErrorCode::Io, "the peer closed the connection inside a body");
    }
  }
  total_ += got;
  if (total_ > max_bytes_) {
    state_ = State::Failed;
    return base::fail(ErrorCode::LimitExceeded, "the body is too large");
  }
  return got;
}

Result<bool> BodyReader::refill() {
  if (buffer_.empty()) buffer_.resize(kBufferBytes);
  std::size_t kept = early_.size();
  if (kept > kMaxLineBytes) return broken("a chunk or trailer line is too long");
  if (kept != 0) std::memmove(buffer_.data(), early_.data(), kept);
  auto got = stream_->try_read(std::span(buffer_).subspan(kept));
  early_ = std::span(buffer_).first(kept + got.value_or(0));
  if (!got) {
    state_ = State::Failed;
    return std::unexpected(got.error());
  }
  if (*got == 0 && stream_->ended()) {
    state_ = State::Failed;
    return base::fail(ErrorCode::Io, "the peer closed the connection inside a body");
  }
  return *got != 0;
}

Result<bool> BodyReader::next_line(std::string_view& line) {
  for (;;) {
    std::string_view text(reinterpret_cast<const char*>(early_.data()), early_.size());
    std::size_t lf = text.find('\n');
    if (lf != std::string_view::npos) {
      if (lf == 0 || text[lf - 1] != '\r') return broken("a chunk line does not end with CR LF");
      line = text.substr(0, lf - 1);
      early_ = early_.subspan(lf + 1);
      return true;
    }
    if (!CUSP_TRY(refill())) return false;
  }
}

Result<bool> BodyReader::chunk_framing() {
  std::string_view line;
  if (!CUSP_TRY(next_line(line))) return false;
  if (state_ == State::ChunkEnd) {
    if (!line.empty()) return broken("a chunk is longer than its size says");
    state_ = State::ChunkSize;
  } else if (state_ == State::ChunkSize) {
    std::uint64_t size = 0;
    std::size_t digits = 0;
    for (; digits < line.size(); ++digits) {
      char c = line[digits];
      unsigned value = c >= '0' && c <= '9'                     ? static_cast<unsigned>(c - '0')
                       : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? static_cast<unsigned>((c | 0x20) - 'a' + 10)
                                                                : 16;
      if (value == 16) break;
      if (size >> 60) return broken("a chunk size is too large");
      size = size << 4 | value;
    }
    if (digits == 0 || (digits < line.size() && line[digits] != ';'))
      return broken("a chunk size is not a hexadecimal number");
    left_ = size;
    state_ = size == 0 ? State::Trailers : State::ChunkData;
  } else if (line.empty()) { // Trailers
    state_ = State::End;
  } else {
    trailer_bytes_ += line.size();
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) || trailer_bytes_ > kMaxTrailerBytes)
      return broken("a trailer field is malformed");
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    if (!is_field_value(value)) return broken("a trailer field is malformed");
    trailers_.emplace_back(line.substr(0, colon), value);
  }
  return true;
}

Result<std::size_t> BodyReader::try_read(std::span<std::uint8_t> into) {
  if (into.empty()) return 0;
  for (;;) {
    switch (state_) {
    case State::End: return 0;
    case State::Failed: return base::fail(ErrorCode::Io, "the body is broken");
    case State::Length: {
      std::size_t got = CUSP_TRY(take(into, left_));
      left_ -= got;
      if (left_ == 0) state_ = State::End;
      return got;
    }
    case State::UntilClose: {
      std::size_t got = CUSP_TRY(take(into, into.size()));
      if (got == 0 && stream_->ended()) state_ = State::End;
      return got;
    }
    case State::ChunkData: {
      std::size_t got = CUSP_TRY(take(into, left_));
      left_ -= got;
      if (left_ == 0) state_ = State::ChunkEnd;
      return got;
    }
    case State::ChunkSize:
    case State::ChunkEnd:
    case State::Trailers:
      if (!CUSP_TRY(chunk_framing())) return 0;
      break;
    }
  }
}

Result<std::size_t> BodyReader::read(std::span<std::uint8_t> into, loop::TimePoint deadline) {
  for (;;) {
    std::size_t got = CUSP_TRY(try_read(into));
    if (got != 0 || at_end() || into.empty()) return got;
    if (!stream_->readable().wait(deadline)) return base::fail(ErrorCode::Timeout, "the peer sent nothing in time");
  }
}

} // namespace cusp::http
