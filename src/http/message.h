// The parts of an HTTP/1.1 message that server and client share: header fields as views, validation, parsing of heads.
// Spec: RFC 9110 (semantics), RFC 9112 (HTTP/1.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace cusp::http {

struct Header {
  std::string_view name, value;
};

bool equals_ignoring_case(std::string_view a, std::string_view b);
// RFC 9110 5.6.2: a method or field name.
bool is_token(std::string_view text);
// RFC 9110 5.5: no control characters but tab, no leading or trailing white space.
bool is_field_value(std::string_view text);

// Views into the buffer that the head was parsed from; good until the next message.
class Headers {
public:
  void clear() { entries_.clear(); }
  void add(Header header) { entries_.push_back(header); }
  const std::vector<Header>& entries() const { return entries_; }
  // The first field of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  // Does a comma-separated field (Connection, Transfer-Encoding, Expect) hold this element?
  bool has_element(std::string_view name, std::string_view element) const;

private:
  std::vector<Header> entries_;
};

enum class Framing : std::uint8_t { None, Length, Chunked, UntilClose };

// A request's or response's head, with what it says about the body.
struct Head {
  std::string_view method, target; // requests
  std::uint16_t status = 0;        // responses
  std::uint8_t minor_version = 1;
  Headers headers;
  Framing framing = Framing::None;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
};

enum class ParseStatus : std::uint8_t { Complete, Incomplete, Bad };

struct ParseResult {
  ParseStatus status = ParseStatus::Incomplete;
  std::size_t size = 0;       // Complete: bytes of the head
  std::uint16_t answer = 400; // Bad: the status to answer a request with
  const char* reason = "";    // Bad: a sentence
};

inline constexpr std::size_t kMaxHeaderFields = 128;

// Both refuse what invites request smuggling: bare CR, folded lines, space before the colon, several or signed Content-Lengths, a
// Content-Length beside Transfer-Encoding, a Transfer-Encoding other than chunked.
ParseResult parse_request_head(std::string_view bytes, Head& head);
ParseResult parse_response_head(std::string_view bytes, bool answers_head_request, Head& head);

std::string_view reason_phrase(std::uint16_t status);

} // namespace cusp::http
