#include "base/utf8.h"

#include <cstddef>
#include <cstring>

namespace cusp::base {

namespace {

// Bytes up to the first that is not ASCII.
std::size_t ascii_prefix(const char* text, std::size_t size) {
  std::size_t i = 0;
  for (; i + 32 <= size; i += 32) {
    std::uint64_t words[4];
    std::memcpy(words, text + i, 32);
    if ((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080u) break;
  }
  for (; i + 8 <= size; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text + i, 8);
    if (word & 0x8080808080808080u) break;
  }
  while (i < size && static_cast<signed char>(text[i]) >= 0) ++i;
  return i;
}

// The multi-byte sequence at `at` (Unicode table 3-7); `length` is set when it is valid.
Utf8 check_sequence(std::string_view text, std::size_t at, std::size_t& length) {
  auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[at + i]); };
  std::uint8_t first = byte(0), low = 0x80, high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) length = 2;
  else if (first >= 0xe0 && first <= 0xef)
    length = 3, low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
  else if (first >= 0xf0 && first <= 0xf4)
    length = 4, low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
  else return Utf8::Invalid;
  for (std::size_t i = 1; i < length; ++i) {
    if (at + i == text.size()) return Utf8::Incomplete;
    if (byte(i) < low || byte(i) > high) return Utf8::Invalid;
    low = 0x80, high = 0xbf;
  }
  return Utf8::Valid;
}

} // namespace

Utf8 check_utf8(std::string_view text) {
  std::size_t at = 0;
  while ((at += ascii_prefix(text.data() + at, text.size() - at)) < text.size()) {
    while (at < text.size() && static_cast<signed char>(text[at]) < 0) {
      std::size_t length = 0;
      if (Utf8 found = check_sequence(text, at, length); found != Utf8::Valid) return found;
      at += length;
    }
  }
  return Utf8::Valid;
}

} // namespace cusp::base
