#include "canon/strings.h"

#include <cstring>

namespace cusp::canon {

namespace {

std::uint32_t unit_at(const std::uint8_t* units, std::size_t i) { return units[2 * i] | units[2 * i + 1] << 8; }

// The code point at `i`, which is moved behind it; a lone surrogate gives `bad`.
constexpr char32_t kBad = 0xffffffff;
char32_t next_utf16(const std::uint8_t* units, std::size_t count, std::size_t& i) {
  std::uint32_t unit = unit_at(units, i++);
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  if (unit > 0xdbff || i == count) return kBad;
  std::uint32_t low = unit_at(units, i);
  if (low < 0xdc00 || low > 0xdfff) return kBad;
  ++i;
  return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

} // namespace

bool is_utf8(std::string_view text) { return base::check_utf8(text) == base::Utf8::Valid; }

const char* utf8_problem(std::string_view text) { return utf8_problem(base::check_utf8(text)); }

const char* utf8_problem(base::Utf8 found) {
  return found == base::Utf8::Incomplete ? "incomplete utf-8 byte sequence" : "invalid utf-8";
}

bool is_utf16(const std::uint8_t* units, std::size_t count) {
  for (std::size_t i = 0; i < count;)
    if (next_utf16(units, count, i) == kBad) return false;
  return true;
}

void append_utf8(char32_t c, std::string& out) {
  auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) put(c);
  else if (c < 0x800) put(0xc0 | c >> 6), put(0x80 | (c & 0x3f));
  else if (c < 0x10000) put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  else put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 0x3f)), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
}

bool append_utf16_as_utf8(const std::uint8_t* units, std::size_t count, std::string& out) {
  out.reserve(out.size() + count);
  for (std::size_t i = 0; i < count;) {
    char32_t c = next_utf16(units, count, i);
    if (c == kBad) return false;
    append_utf8(c, out);
  }
  return true;
}

void append_latin1_as_utf8(const std::uint8_t* bytes, std::size_t count, std::string& out) {
  out.reserve(out.size() + count);
  for (std::size_t i = 0; i < count; ++i) append_utf8(bytes[i], out);
}

char32_t next_code_point(std::string_view text, std::size_t& at) {
  auto byte = [&] { return static_cast<std::uint8_t>(text[at++]); };
  std::uint32_t first = byte();
  if (first < 0x80) return first;
  std::uint32_t c = first & (first < 0xe0 ? 0x1f : first < 0xf0 ? 0x0f : 0x07);
  int more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  while (more-- > 0 && at < text.size()) c = c << 6 | (byte() & 0x3f);
  return c;
}

std::size_t utf16_units(std::string_view text) {
  std::size_t units = 0;
  for (char c : text) {
    auto byte = static_cast<std::uint8_t>(c);
    units += (byte & 0xc0) != 0x80; // one per code point,
    units += byte >= 0xf0;          // two beyond the basic plane
  }
  return units;
}

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  for (char c : text) count += (static_cast<std::uint8_t>(c) & 0xc0) != 0x80;
  return count;
}

bool fits_latin1(std::string_view text) {
  for (char c : text)
    if (static_cast<std::uint8_t>(c) > 0xc3) return false; // U+00FF is C3 BF
  return true;
}

void write_utf16(std::string_view text, std::uint8_t* out) {
  auto put = [&](std::uint32_t unit) {
    *out++ = static_cast<std::uint8_t>(unit), *out++ = static_cast<std::uint8_t>(unit >> 8);
  };
  for (std::size_t at = 0; at < text.size();) {
    char32_t c = next_code_point(text, at);
    if (c < 0x10000) put(c);
    else put(0xd800 + ((c - 0x10000) >> 10)), put(0xdc00 + ((c - 0x10000) & 0x3ff));
  }
}

void write_latin1(std::string_view text, std::uint8_t* out) {
  for (std::size_t at = 0; at < text.size();) *out++ = static_cast<std::uint8_t>(next_code_point(text, at));
}

} // namespace cusp::canon
