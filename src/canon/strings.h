// Text in the three encodings that components speak: checks and conversions between buffers. Knows no guest.
// Units of UTF-16 may lie unaligned and are little-endian. Spec: CanonicalABI.md, "Loading" (load_string), "Storing"
// (store_string).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace cusp::canon {

// Exactly: no overlong forms, no surrogates, nothing above U+10FFFF, nothing cut off.
bool is_utf8(std::string_view text);
// The reason why it is not, in the reference's words.
const char* utf8_problem(std::string_view text);
const char* utf8_problem(base::Utf8 found);

// False: a lone surrogate.
bool is_utf16(const std::uint8_t* units, std::size_t count);
bool append_utf16_as_utf8(const std::uint8_t* units, std::size_t count, std::string& out);
void append_latin1_as_utf8(const std::uint8_t* bytes, std::size_t count, std::string& out);

// REQUIRES for all: `text` is valid UTF-8.
std::size_t utf16_units(std::string_view text);
bool fits_latin1(std::string_view text);
std::size_t code_points(std::string_view text);
void write_utf16(std::string_view text, std::uint8_t* out);  // utf16_units(text) * 2 bytes
void write_latin1(std::string_view text, std::uint8_t* out); // code_points(text) bytes; fits_latin1(text)

// The code point at `at`, which is moved behind it.
char32_t next_code_point(std::string_view text, std::size_t& at);
void append_utf8(char32_t code_point, std::string& out);

} // namespace cusp::canon
