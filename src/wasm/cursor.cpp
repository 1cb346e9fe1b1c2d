#include "wasm/cursor.h"

#include <cstring>

#include <fmt/format.h>

#include "wasm/limits.h"

namespace cusp::wasm {

using base::ErrorCode;

bool Cursor::fail(ErrorCode code, std::string message) { return fail_at(code, offset(), std::move(message)); }

bool Cursor::fail_at(ErrorCode code, std::uint64_t offset, std::string message) {
  if (!error_) error_ = base::Error{.code = code, .message = std::move(message), .file = {}, .byte_offset = offset};
  at_ = end_; // nothing advances after the first error
  return false;
}

void Cursor::end_of_input() { fail(ErrorCode::Malformed, "unexpected end"); }

std::uint64_t Cursor::unsigned_leb(unsigned bits) {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    std::uint8_t byte = u8();
    if (!ok()) return 0;
    value |= std::uint64_t{byte & 0x7fu} << shift;
    bool last = shift + 7 >= bits;
    if (last && (byte >> (bits - shift)) != 0) {
      fail(ErrorCode::Malformed, byte & 0x80 ? "integer representation too long" : "integer too large");
      return 0;
    }
    if (!(byte & 0x80)) return value;
  }
}

std::int64_t Cursor::signed_leb(unsigned bits) {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    std::uint8_t byte = u8();
    if (!ok()) return 0;
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (shift + 7 >= bits) {
      // The last byte: its unused bits repeat the sign.
      unsigned used = bits - shift;
      std::uint8_t sign_bits = static_cast<std::uint8_t>((0x7f << (used - 1)) & 0x7f);
      if (byte & 0x80) return fail(ErrorCode::Malformed, "integer representation too long");
      if ((byte & sign_bits) != 0 && (byte & sign_bits) != sign_bits)
        return fail(ErrorCode::Malformed, "integer too large");
    }
    if (!(byte & 0x80)) {
      unsigned filled = shift + 7;
      if (filled < 64 && (byte & 0x40)) value |= ~std::uint64_t{0} << filled;
      return static_cast<std::int64_t>(value);
    }
  }
}

std::uint32_t Cursor::fixed32() {
  std::uint32_t value = 0;
  auto four = bytes(4);
  if (ok()) std::memcpy(&value, four.data(), 4);
  return value;
}

std::uint64_t Cursor::fixed64() {
  std::uint64_t value = 0;
  auto eight = bytes(8);
  if (ok()) std::memcpy(&value, eight.data(), 8);
  return value;
}

std::uint32_t Cursor::count(std::uint32_t limit, std::string_view what) {
  std::uint64_t start = offset();
  std::uint32_t n = u32();
  if (!ok()) return 0;
  if (n > limit)
    return fail_at(ErrorCode::LimitExceeded, start,
                   fmt::format("{} {}s are more than the limit of {}", n, what, limit));
  if (n > left())
    return fail_at(ErrorCode::Malformed, start, fmt::format("unexpected end: there is no room for {} {}s", n, what));
  return n;
}

std::span<const std::uint8_t> Cursor::bytes(std::size_t size) {
  if (size > left()) {
    end_of_input();
    return {};
  }
  std::span<const std::uint8_t> taken(at_, size);
  at_ += size;
  return taken;
}

std::string_view Cursor::name() {
  std::uint64_t start = offset();
  std::uint32_t size = u32();
  if (ok() && size > kMaxNameSize) fail_at(ErrorCode::LimitExceeded, start, "a name is too long");
  auto raw = bytes(size);
  std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
  if (ok() && !is_utf8(text)) {
    fail_at(ErrorCode::Malformed, start, "malformed UTF-8 encoding");
    return {};
  }
  return text;
}

bool is_utf8(std::string_view text) {
  auto at = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* end = at + text.size();
  while (at != end) {
    std::uint64_t eight;
    if (end - at >= 8 && (std::memcpy(&eight, at, 8), (eight & 0x8080808080808080) == 0)) {
      at += 8;
      continue;
    }
    unsigned char first = *at++;
    if (first < 0x80) continue;
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || end - at < static_cast<std::ptrdiff_t>(more)) return false;
    // Overlong forms, surrogates and what is beyond U+10FFFF show in the second byte.
    unsigned char low = first == 0xe0   ? 0xa0
                        : first == 0xf0 ? 0x90
                                        : 0x80,
                  high = first == 0xed   ? 0x9f
                         : first == 0xf4 ? 0x8f
                                         : 0xbf;
    if (*at < low || *at > high) return false;
    for (unsigned i = 1; i < more; ++i)
      if ((at[i] & 0xc0) != 0x80) return false;
    at += more;
  }
  return true;
}

} // namespace cusp::wasm
