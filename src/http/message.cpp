#include "http/message.h"

#include <array>
#include <charconv>
#include <cstring>

namespace cusp::http {

namespace {

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<unsigned>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned>(c)] = table[static_cast<unsigned>(c - 32)] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> make_value_table() {
  std::array<bool, 256> table{};
  for (int c = 0x20; c < 256; ++c) table[static_cast<unsigned>(c)] = c != 0x7f;
  table['\t'] = true;
  return table;
}
constexpr auto kToken = make_token_table();
constexpr auto kValue = make_value_table();

bool all_of(const std::array<bool, 256>& table, std::string_view text) {
  for (char c : text)
    if (!table[static_cast<unsigned char>(c)]) return false;
  return true;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

ParseResult bad(const char* reason, std::uint16_t answer = 400) { return {ParseStatus::Bad, 0, answer, reason}; }

// Takes lines off the front of a head. A line ends with CR LF; a lone LF or CR is not one.
class Lines {
public:
  explicit Lines(std::string_view bytes) : bytes_(bytes) {}
  enum class Next : std::uint8_t { Line, Incomplete, Bad };
  Next next(std::string_view& line) {
    const char* from = bytes_.data() + at_;
    const auto* lf = static_cast<const char*>(std::memchr(from, '\n', bytes_.size() - at_));
    if (!lf) return Next::Incomplete;
    if (lf == from || lf[-1] != '\r') return Next::Bad;
    line = std::string_view(from, static_cast<std::size_t>(lf - 1 - from));
    at_ += line.size() + 2;
    return Next::Line;
  }
  std::size_t position() const { return at_; }

private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

// The fields up to the empty line, into head.headers.
ParseResult parse_fields(Lines& lines, Head& head) {
  for (;;) {
    std::string_view line;
    switch (lines.next(line)) {
    case Lines::Next::Incomplete: return {};
    case Lines::Next::Bad: return bad("a header line does not end with CR LF");
    case Lines::Next::Line: break;
    }
    if (line.empty()) return {ParseStatus::Complete, lines.position(), 0, ""};
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return bad("a header line has no colon");
    std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
    if (name.empty() || !all_of(kToken, name)) return bad("a header name is not a token");
    if (!all_of(kValue, value)) return bad("a header value has a control character");
    if (head.headers.entries().size() == kMaxHeaderFields) return bad("there are too many header fields", 431);
    head.headers.add({name, value});
  }
}

// Sets framing, content_length, keep_alive and expects_continue from the fields.
const char* interpret(Head& head) {
  bool has_length = false, has_coding = false, close = false, keep = false;
  for (const Header& field : head.headers.entries()) {
    switch (field.name.size()) {
    case 14:
      if (equals_ignoring_case(field.name, "content-length")) {
        std::uint64_t length = 0;
        auto [end, error] = std::from_chars(field.value.data(), field.value.data() + field.value.size(), length);
        if (error != std::errc() || end != field.value.data() + field.value.size() || field.value.empty())
          return "Content-Length is not a number";
        if (has_length && length != head.content_length) return "there are several Content-Lengths";
        has_length = true;
        head.content_length = length;
      }
      break;
    case 17:
      if (equals_ignoring_case(field.name, "transfer-encoding")) {
        if (has_coding || !equals_ignoring_case(field.value, "chunked")) return "Transfer-Encoding is not chunked";
        has_coding = true;
      }
      break;
    case 10:
      if (equals_ignoring_case(field.name, "connection")) {
        close = close || head.headers.has_element("connection", "close");
        keep = keep || head.headers.has_element("connection", "keep-alive");
      }
      break;
    case 6:
      if (equals_ignoring_case(field.name, "expect") && equals_ignoring_case(field.value, "100-continue"))
        head.expects_continue = true;
      break;
    default: break;
    }
  }
  if (has_length && has_coding) return "both Content-Length and Transfer-Encoding are given";
  if (has_coding && head.minor_version == 0) return "Transfer-Encoding is not for HTTP/1.0";
  head.framing = has_coding                               ? Framing::Chunked
                 : has_length && head.content_length != 0 ? Framing::Length
                                                          : Framing::None;
  head.keep_alive = !close && (head.minor_version == 1 || keep);
  return nullptr;
}

void reset(Head& head) {
  head.headers.clear();
  head.framing = Framing::None;
  head.content_length = 0;
  head.expects_continue = false;
}

} // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool is_token(std::string_view text) { return !text.empty() && all_of(kToken, text); }

bool is_field_value(std::string_view text) { return all_of(kValue, text) && trim(text).size() == text.size(); }

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Header& field : entries_)
    if (equals_ignoring_case(field.name, name)) return field.value;
  return std::nullopt;
}

bool Headers::has_element(std::string_view name, std::string_view element) const {
  for (const Header& field : entries_) {
    if (!equals_ignoring_case(field.name, name)) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      std::size_t comma = rest.find(',');
      if (equals_ignoring_case(trim(rest.substr(0, comma)), element)) return true;
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return false;
}

ParseResult parse_request_head(std::string_view bytes, Head& head) {
  reset(head);
  Lines lines(bytes);
  std::string_view line;
  switch (lines.next(line)) {
  case Lines::Next::Incomplete: return {};
  case Lines::Next::Bad: return bad("the request line does not end with CR LF");
  case Lines::Next::Line: break;
  }
  std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return bad("the request line is not METHOD TARGET VERSION");
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  std::string_view version = line.substr(last + 1);
  if (!is_token(head.method)) return bad("the method is not a token");
  if (head.target.empty() || head.target.find(' ') != std::string_view::npos || !all_of(kValue, head.target))
    return bad("the request target has a space or control character");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return bad("the version is not HTTP/1.1", version.starts_with("HTTP/") ? 505 : 400);
  head.minor_version = version.back() == '1';
  ParseResult fields = parse_fields(lines, head);
  if (fields.status != ParseStatus::Complete) return fields;
  if (const char* problem = interpret(head)) return bad(problem);
  if (head.minor_version == 1) {
    unsigned hosts = 0;
    for (const Header& field : head.headers.entries())
      hosts += field.name.size() == 4 && equals_ignoring_case(field.name, "host");
    if (hosts != 1) return bad("there must be one Host field");
  }
  return fields;
}

ParseResult parse_response_head(std::string_view bytes, bool answers_head_request, Head& head) {
  reset(head);
  // What speaks another protocol may never send a line's end.
  constexpr std::string_view kBegin = "HTTP/1.";
  std::size_t seen = std::min(bytes.size(), kBegin.size());
  if (bytes.substr(0, seen) != kBegin.substr(0, seen)) return bad("the status line is not HTTP/1.1");
  Lines lines(bytes);
  std::string_view line;
  switch (lines.next(line)) {
  case Lines::Next::Incomplete: return {};
  case Lines::Next::Bad: return bad("the status line does not end with CR LF");
  case Lines::Next::Line: break;
  }
  if (line.size() < 12 || line[8] != ' ') return bad("the status line is not HTTP/1.1");
  head.minor_version = line[7] != '0';
  std::from_chars(line.data() + 9, line.data() + 12, head.status);
  if (head.status < 100 || head.status > 999) return bad("the status is not a number of three digits");
  ParseResult fields = parse_fields(lines, head);
  if (fields.status != ParseStatus::Complete) return fields;
  bool has_length = head.headers.find("content-length").has_value();
  if (const char* problem = interpret(head)) return bad(problem);
  if (answers_head_request || head.status / 100 == 1 || head.status == 204 || head.status == 304) {
    head.framing = Framing::None;
  } else if (head.framing == Framing::None && !has_length) {
    head.framing = Framing::UntilClose;
    head.keep_alive = false;
  }
  return fields;
}

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
  case 200: return "OK";
  case 201: return "Created";
  case 202: return "Accepted";
  case 204: return "No Content";
  case 206: return "Partial Content";
  case 301: return "Moved Permanently";
  case 302: return "Found";
  case 303: return "See Other";
  case 304: return "Not Modified";
  case 307: return "Temporary Redirect";
  case 308: return "Permanent Redirect";
  case 400: return "Bad Request";
  case 401: return "Unauthorized";
  case 403: return "Forbidden";
  case 404: return "Not Found";
  case 405: return "Method Not Allowed";
  case 408: return "Request Timeout";
  case 409: return "Conflict";
  case 413: return "Content Too Large";
  case 418: return "I'm a teapot";
  case 422: return "Unprocessable Content";
  case 429: return "Too Many Requests";
  case 431: return "Request Header Fields Too Large";
  case 500: return "Internal Server Error";
  case 502: return "Bad Gateway";
  case 503: return "Service Unavailable";
  case 504: return "Gateway Timeout";
  case 505: return "HTTP Version Not Supported";
  default: return "Status";
  }
}

} // namespace cusp::http
