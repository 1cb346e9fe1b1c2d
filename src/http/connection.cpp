#include "http/connection.h"

#include <algorithm>
#include <cstring>
#include <ctime>

#include <fmt/format.h>

namespace cusp::http {

using base::ErrorCode;

namespace {
constexpr std::size_t kFirstBuffer = 8 * 1024, kGather = 32 * 1024, kMaxDrain = 256 * 1024;
}

std::string_view date_now() {
  static thread_local std::time_t made_at = 0;
  static thread_local char text[64];
  static thread_local std::size_t size = 0;
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != made_at) {
    made_at = now.tv_sec;
    std::tm parts{};
    gmtime_r(&made_at, &parts);
    size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  }
  return {text, size};
}

void Connection::serve(base::UniqueFd fd) {
  if (!SocketStream::open(std::move(fd), stream_)) return;
  in_.resize(kFirstBuffer);
  while (read_head() == Wanted::Request && serve_one()) {
  }
  stream_.close();
}

// Reads until a whole head is there. Waits for the first byte as long as the idle timeout, for the rest as long as the head timeout.
Connection::Wanted Connection::read_head() {
  const ServerOptions& options = server_.options;
  if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
  bool begun = in_begin_ != in_end_;
  loop::TimePoint deadline = server_.loop->turn_time() + (begun ? options.head_timeout : options.idle_timeout);
  for (;;) {
    if (begun) {
      std::string_view bytes(reinterpret_cast<const char*>(in_.data()) + in_begin_, in_end_ - in_begin_);
      // Blank lines before a request line are to be ignored (RFC 9112, 2.2).
      while (bytes.starts_with("\r\n")) bytes.remove_prefix(2), in_begin_ += 2;
      ParseResult parsed = parse_request_head(bytes, head_);
      if (parsed.status == ParseStatus::Complete) {
        if (parsed.size > options.max_head_bytes) return refuse(431, "the head is too large"), Wanted::Close;
        in_begin_ += parsed.size;
        return Wanted::Request;
      }
      if (parsed.status == ParseStatus::Bad) return refuse(parsed.answer, parsed.reason), Wanted::Close;
      if (bytes.size() >= options.max_head_bytes) return refuse(431, "the head is too large"), Wanted::Close;
    }
    if (in_end_ == in_.size()) {
      if (in_begin_ != 0) {
        std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
        in_end_ -= in_begin_;
        in_begin_ = 0;
      } else {
        in_.resize(std::min(in_.size() * 2, options.max_head_bytes + kFirstBuffer));
      }
    }
    auto got = stream_.try_read(std::span(in_).subspan(in_end_));
    if (!got || stream_.ended()) return Wanted::Close;
    in_end_ += *got;
    if (*got != 0) {
      if (!begun) deadline = server_.loop->turn_time() + options.head_timeout;
      begun = true;
      continue;
    }
    if (!begun) {
      if (server_.draining.is_set()) return Wanted::Close;
      loop::Event* either[] = {&stream_.readable(), &server_.draining};
      if (!loop::wait_any(either, deadline)) return Wanted::Close;
    } else if (!stream_.readable().wait(deadline)) {
      return refuse(408, "the head did not come in time"), Wanted::Close;
    }
    if (!stream_.is_open()) return Wanted::Close;
  }
}

void Connection::refuse(std::uint16_t status, std::string_view reason) {
  ++server_.refused;
  std::string extra = status == 503 ? "Retry-After: 1\r\n" : "";
  std::string text = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{}Connection: close\r\nDate: {}\r\n\r\n{}\n",
      status, reason_phrase(status), reason.size() + 1, extra, date_now(), reason);
  (void)stream_.write_all(text, io_deadline());
}

bool Connection::serve_one() {
  if (head_.content_length > server_.options.max_body_bytes) return refuse(413, "the body is too large"), false;
  if (server_.in_flight >= server_.options.max_in_flight) return refuse(503, "the server is full; try again"), false;
  body_.start(stream_, head_, std::span(in_).subspan(in_begin_, in_end_ - in_begin_), server_.options.max_body_bytes);
  continue_sent_ = started_ = finished_ = aborted_ = chunked_ = bodiless_ = false;
  close_ = !head_.keep_alive || server_.draining.is_set();
  promised_.reset();
  written_ = 0;
  out_.clear();
  sent_ = false;

  ++server_.in_flight;
  server_.handler->handle(request_, writer_);
  if (!started_ && !aborted_) {
    Header type{"content-type", "text/plain"};
    writer_.start(500, std::span(&type, 1), 0);
    (void)writer_.finish();
  }
  --server_.in_flight;
  if (!finished_ || aborted_) {
    writer_.abort();
    // A body of known length or in chunks shows by itself that it is cut short; one that ends with the connection needs a reset.
    if (!chunked_ && !promised_) stream_.reset_connection();
    return false;
  }
  if (close_ || !drain_body()) return false;
  std::span<const std::uint8_t> rest = body_.leftover();
  if (rest.data() >= in_.data() && rest.data() < in_.data() + in_.size()) {
    in_begin_ = static_cast<std::size_t>(rest.data() - in_.data());
  } else { // read into the body's own buffer
    in_begin_ = 0;
    in_end_ = rest.size();
    if (in_.size() < rest.size()) in_.resize(rest.size());
    std::memcpy(in_.data(), rest.data(), rest.size());
  }
  if (rest.empty()) in_begin_ = in_end_ = 0;
  return true;
}

// The next request starts behind this body: a short rest is read, a long one ends the connection.
bool Connection::drain_body() {
  if (body_.at_end()) return true;
  if (body_.failed() || (head_.expects_continue && !continue_sent_)) return false;
  std::uint8_t scratch[4096];
  loop::TimePoint deadline = server_.loop->turn_time() + std::chrono::seconds(2);
  for (std::size_t total = 0; total < kMaxDrain;) {
    auto got = body_.read(scratch, deadline);
    if (!got) return false;
    if (*got == 0) return body_.at_end();
    total += *got;
  }
  return false;
}

Result<void> Connection::before_body_read() {
  if (!head_.expects_continue || continue_sent_ || sent_ || body_.at_end()) return {};
  continue_sent_ = true;
  return stream_.write_all("HTTP/1.1 100 Continue\r\n\r\n", io_deadline());
}

void Connection::append_head(std::uint16_t status, std::span<const Header> headers,
                             std::optional<std::uint64_t> content_length) {
  char digits[24];
  auto number = [&digits](std::uint64_t value) {
    return std::string_view(digits, static_cast<std::size_t>(fmt::format_to(digits, "{}", value) - digits));
  };
  if (status == 200) out_ += "HTTP/1.1 200 OK\r\n";
  else out_.append("HTTP/1.1 ").append(number(status)).append(" ").append(reason_phrase(status)).append("\r\n");
  bool has_date = false;
  for (const Header& header : headers) {
    switch (header.name.size()) {
    case 4: has_date = has_date || equals_ignoring_case(header.name, "date"); break;
    case 10:
      if (equals_ignoring_case(header.name, "connection") || equals_ignoring_case(header.name, "keep-alive")) continue;
      break;
    case 14:
      if (equals_ignoring_case(header.name, "content-length")) continue;
      break;
    case 17:
      if (equals_ignoring_case(header.name, "transfer-encoding")) continue;
      break;
    default: break;
    }
    out_.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  if (content_length) out_.append("content-length: ").append(number(*content_length)).append("\r\n");
  if (chunked_) out_ += "transfer-encoding: chunked\r\n";
  if (close_) out_ += "connection: close\r\n";
  else if (head_.minor_version == 0) out_ += "connection: keep-alive\r\n";
  if (!has_date) out_.append("date: ").append(date_now()).append("\r\n");
  out_ += "\r\n";
}

// Sends everything gathered and then `tail`, waiting for the client.
Result<void> Connection::send_out(std::string_view tail) {
  Result<void> sent = stream_.is_open() ? stream_.write_all(out_, io_deadline())
                                        : base::fail(ErrorCode::Io, "the connection is closed");
  out_.clear();
  sent_ = true;
  if (sent && !tail.empty()) sent = stream_.write_all(tail, io_deadline());
  if (!sent) aborted_ = true;
  return sent;
}

std::string_view Request::method() const { return connection_.head_.method; }
std::string_view Request::target() const { return connection_.head_.target; }
const Headers& Request::headers() const { return connection_.head_.headers; }
std::uint8_t Request::minor_version() const { return connection_.head_.minor_version; }
bool Request::has_body() const { return connection_.head_.framing != Framing::None; }
std::uint64_t Request::content_length() const { return connection_.head_.content_length; }
Framing Request::framing() const { return connection_.head_.framing; }
bool Request::body_at_end() const { return connection_.body_.at_end(); }
const std::vector<std::pair<std::string, std::string>>& Request::trailers() const {
  return connection_.body_.trailers();
}
loop::Event& Request::readable() { return connection_.stream_.readable(); }
loop::Event& Request::hangup() { return connection_.stream_.hangup(); }
std::string_view Request::peer() const { return connection_.peer_; }

Result<std::size_t> Request::read(std::span<std::uint8_t> into) {
  CUSP_TRY(connection_.before_body_read());
  if (!connection_.stream_.is_open()) return base::fail(ErrorCode::Io, "the connection is closed");
  return connection_.body_.read(into, connection_.io_deadline());
}

Result<std::size_t> Request::try_read(std::span<std::uint8_t> into) {
  CUSP_TRY(connection_.before_body_read());
  if (!connection_.stream_.is_open()) return base::fail(ErrorCode::Io, "the connection is closed");
  return connection_.body_.try_read(into);
}

bool ResponseWriter::started() const { return connection_.started_; }
bool ResponseWriter::finished() const { return connection_.finished_; }
bool ResponseWriter::aborted() const { return connection_.aborted_; }
std::uint16_t ResponseWriter::status() const { return connection_.status_; }
std::uint64_t ResponseWriter::bytes() const { return connection_.written_; }
loop::Event& ResponseWriter::writable() { return connection_.stream_.writable(); }

void ResponseWriter::start(std::uint16_t status, std::span<const Header> headers,
                           std::optional<std::uint64_t> content_length) {
  Connection& c = connection_;
  if (c.started_) return;
  c.started_ = true;
  c.status_ = status;
  bool no_body_by_status = status / 100 == 1 || status == 204 || status == 304;
  c.bodiless_ = no_body_by_status || c.head_.method == "HEAD";
  c.promised_ = content_length;
  if (!content_length && !no_body_by_status) {
    if (c.head_.minor_version == 1) c.chunked_ = true;
    else c.close_ = true; // HTTP/1.0: the end of the connection is the end of the body
  }
  // A body that nobody reads would have to be read before the next request.
  if (c.head_.expects_continue && !c.continue_sent_) c.close_ = true;
  c.append_head(status, headers, no_body_by_status ? std::nullopt : content_length);
}

std::size_t ResponseWriter::room() const {
  if (connection_.aborted_) return 0;
  return connection_.out_.size() >= kGather ? 0 : kGather - connection_.out_.size();
}

Result<void> ResponseWriter::write(std::string_view bytes) {
  Connection& c = connection_;
  if (c.aborted_) return base::fail(ErrorCode::Io, "the connection is closed");
  if (c.promised_ && c.written_ + bytes.size() > *c.promised_)
    return base::fail(ErrorCode::InvalidArgument, "the body is longer than its content-length");
  c.written_ += bytes.size();
  if (bytes.empty() || c.bodiless_) return {};
  if (c.chunked_) fmt::format_to(std::back_inserter(c.out_), "{:x}\r\n", bytes.size());
  if (c.out_.size() + bytes.size() <= kGather) {
    c.out_ += bytes;
  } else {
    CUSP_TRY(c.send_out(bytes));
  }
  if (c.chunked_) c.out_ += "\r\n";
  return {};
}

Result<void> ResponseWriter::flush() {
  if (connection_.out_.empty()) return {};
  return connection_.send_out({});
}

Result<void> ResponseWriter::try_flush() {
  Connection& c = connection_;
  if (c.out_.empty() || !c.stream_.is_open()) return {};
  auto sent = c.stream_.try_write(c.out_);
  if (!sent) {
    c.aborted_ = true;
    return std::unexpected(sent.error());
  }
  c.sent_ = true;
  c.out_.erase(0, *sent);
  return {};
}

Result<void> ResponseWriter::finish(std::span<const Header> trailers) {
  Connection& c = connection_;
  if (c.finished_ || c.aborted_) return {};
  if (c.promised_ && c.written_ != *c.promised_ && !c.bodiless_) {
    abort();
    return base::fail(ErrorCode::InvalidArgument, "the body is shorter than its content-length");
  }
  if (c.chunked_ && !c.bodiless_) {
    c.out_ += "0\r\n";
    for (const Header& trailer : trailers)
      c.out_.append(trailer.name).append(": ").append(trailer.value).append("\r\n");
    c.out_ += "\r\n";
  }
  CUSP_TRY(c.send_out({}));
  c.finished_ = true;
  return {};
}

void ResponseWriter::abort() {
  Connection& c = connection_;
  if (c.finished_ || c.aborted_) return;
  // What was written goes out first: the client sees a beginning, and that the end is missing.
  (void)try_flush();
  c.started_ = true;
  c.aborted_ = true;
}

} // namespace cusp::http
