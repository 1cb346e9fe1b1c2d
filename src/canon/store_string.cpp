#include "canon/store_string.h"

#include <cstring>

#include "canon/strings.h"

namespace cusp::canon {

using component::StringEncoding;

namespace {

constexpr std::uint32_t kUtf16Tag = 0x80000000;
enum class Simple : std::uint8_t { Utf8, Utf16, Latin1 };

class Storing {
public:
  Storing(LiftLowerContext& to, std::string_view text, std::uint32_t source_units, std::uint32_t& pointer)
      : to_(to), text_(text), units_(source_units), pointer_(pointer) {}

  // The size is known: one allocation. The rest of these give the code units written, tagged as they must be.
  std::uint32_t exactly(std::uint32_t unit_size, std::uint32_t alignment, Simple encoding, std::uint32_t units) {
    if (std::uint8_t* at = resize(std::uint64_t{units} * unit_size, alignment)) write(at, encoding);
    return units;
  }

  std::uint32_t to_utf8(std::uint32_t worst_per_unit) {
    std::uint8_t* at = resize(units_, 1);
    bool is_ascii = text_.size() == units_; // any other source unit makes more than one byte
    if (!is_ascii) at = at ? resize(std::uint64_t{units_} * worst_per_unit, 1) : nullptr;
    if (at) write(at, Simple::Utf8);
    shrink(text_.size(), 1);
    return static_cast<std::uint32_t>(text_.size());
  }

  std::uint32_t utf8_to_utf16() {
    std::uint64_t units = utf16_units(text_);
    if (std::uint8_t* at = resize(std::uint64_t{units_} * 2, 2)) write(at, Simple::Utf16);
    shrink(units * 2, 2);
    return static_cast<std::uint32_t>(units);
  }

  std::uint32_t to_latin1_or_utf16() {
    std::uint8_t* at = resize(units_, 2);
    if (fits_latin1(text_)) {
      if (at) write(at, Simple::Latin1);
      shrink(code_points(text_), 2);
      return static_cast<std::uint32_t>(code_points(text_));
    }
    if (at && (at = resize(std::uint64_t{units_} * 2, 2))) write(at, Simple::Utf16);
    shrink(utf16_units(text_) * 2, 2);
    return static_cast<std::uint32_t>(utf16_units(text_)) | kUtf16Tag;
  }

  std::uint32_t utf16_to_latin1_or_utf16() {
    std::uint8_t* at = resize(std::uint64_t{units_} * 2, 2);
    if (!fits_latin1(text_)) {
      if (at) write(at, Simple::Utf16);
      return units_ | kUtf16Tag;
    }
    if (at) write(at, Simple::Latin1);
    resize(units_, 2); // the reference in Python asks for 1, which could not be lifted again
    return units_;
  }

private:
  std::uint8_t* resize(std::uint64_t bytes, std::uint32_t alignment) {
    std::uint8_t* at =
        to_.reallocate(pointer_, static_cast<std::uint32_t>(bytes_), alignment, bytes, pointer_, "string");
    bytes_ = bytes;
    return at;
  }
  void shrink(std::uint64_t bytes, std::uint32_t alignment) {
    if (bytes < bytes_ && !to_.trapped()) resize(bytes, alignment);
  }
  void write(std::uint8_t* at, Simple encoding) const {
    if (encoding == Simple::Utf16) write_utf16(text_, at);
    else if (encoding == Simple::Latin1) write_latin1(text_, at);
    else if (!text_.empty()) std::memcpy(at, text_.data(), text_.size());
  }

  LiftLowerContext& to_;
  std::string_view text_;
  std::uint32_t units_;
  std::uint32_t& pointer_;
  std::uint64_t bytes_ = 0; // allocated so far
};

} // namespace

void store_string(LiftLowerContext& to, std::string_view text, StringEncoding source, std::uint32_t tagged_code_units,
                  std::uint32_t& pointer, std::uint32_t& new_tagged_code_units) {
  Simple simple = source == StringEncoding::Utf8 ? Simple::Utf8 : Simple::Utf16;
  std::uint32_t units = tagged_code_units;
  if (source == StringEncoding::Latin1Utf16) {
    simple = units & kUtf16Tag ? Simple::Utf16 : Simple::Latin1;
    units &= ~kUtf16Tag;
  }
  pointer = 0;
  Storing storing(to, text, units, pointer);
  auto stored = [&]() -> std::uint32_t {
    switch (to.options().string_encoding) {
    case StringEncoding::Utf8:
      if (simple == Simple::Utf8) return storing.exactly(1, 1, Simple::Utf8, units);
      return storing.to_utf8(simple == Simple::Utf16 ? 3 : 2);
    case StringEncoding::Utf16:
      if (simple == Simple::Utf8) return storing.utf8_to_utf16();
      return storing.exactly(2, 2, Simple::Utf16, units);
    default:
      if (source != StringEncoding::Latin1Utf16) return storing.to_latin1_or_utf16();
      if (simple == Simple::Latin1) return storing.exactly(1, 2, Simple::Latin1, units);
      return storing.utf16_to_latin1_or_utf16();
    }
  };
  new_tagged_code_units = stored();
}

} // namespace cusp::canon
