// The binary format's small parts, written: LEB128, names, vectors. Spec: core 5.2, component-model Binary.md.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace cusp::compose {

class Bytes {
public:
  Bytes() = default;
  Bytes(std::initializer_list<std::uint8_t> bytes) : data_(bytes) {}

  Bytes& u8(std::uint8_t byte) {
    data_.push_back(byte);
    return *this;
  }
  Bytes& u32(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) data_.push_back(static_cast<std::uint8_t>(value) | 0x80);
    return u8(static_cast<std::uint8_t>(value));
  }
  Bytes& s64(std::int64_t value) {
    for (;;) {
      auto byte = static_cast<std::uint8_t>(value & 0x7f);
      value >>= 7;
      if ((value == 0 && !(byte & 0x40)) || (value == -1 && (byte & 0x40))) return u8(byte);
      data_.push_back(byte | 0x80);
    }
  }
  Bytes& name(std::string_view text) {
    u32(text.size());
    data_.insert(data_.end(), text.begin(), text.end());
    return *this;
  }
  Bytes& append(std::span<const std::uint8_t> bytes) {
    data_.insert(data_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Bytes& append(const Bytes& other) { return append(std::span(other.data_)); }
  // A length, then the bytes.
  Bytes& sized(std::span<const std::uint8_t> bytes) { return u32(bytes.size()).append(bytes); }

  std::size_t size() const { return data_.size(); }
  bool empty() const { return data_.empty(); }
  std::span<const std::uint8_t> view() const { return data_; }
  std::vector<std::uint8_t> take() { return std::move(data_); }

private:
  std::vector<std::uint8_t> data_;
};

} // namespace cusp::compose
