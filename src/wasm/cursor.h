// A position in the bytes of a module. The first error sticks: after it every read gives zero and nothing advances, so
// that a reader may check ok() at the end of a unit instead of after every byte. Loops must check it in every round.
// Spec: 5.2.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cusp::wasm {

class Cursor {
public:
  Cursor() = default;
  // `offset` is that of the first byte in the file.
  Cursor(std::span<const std::uint8_t> bytes, std::uint64_t offset)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), begin_(bytes.data()), base_(offset) {}

  bool ok() const { return !error_; }
  bool at_end() const { return at_ == end_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  std::uint64_t offset() const { return base_ + static_cast<std::uint64_t>(at_ - begin_); }
  const std::uint8_t* position() const { return at_; }

  std::uint8_t u8() {
    if (at_ == end_) [[unlikely]]
      return end_of_input(), 0;
    return *at_++;
  }
  std::uint8_t peek() { return at_ == end_ ? 0 : *at_; }
  std::uint32_t u32() {
    if (at_ != end_ && *at_ < 0x80) [[likely]]
      return *at_++;
    return static_cast<std::uint32_t>(unsigned_leb(32));
  }
  std::uint64_t u64() {
    if (at_ != end_ && *at_ < 0x80) [[likely]]
      return *at_++;
    return unsigned_leb(64);
  }
  std::int32_t s32() {
    if (at_ != end_ && *at_ < 0x80) [[likely]]
      return static_cast<std::int32_t>(static_cast<std::uint32_t>(*at_++) << 25) >> 25;
    return static_cast<std::int32_t>(signed_leb(32));
  }
  std::int64_t s33() { return signed_leb(33); }
  std::int64_t s64() { return signed_leb(64); }
  std::uint32_t fixed32();
  std::uint64_t fixed64();
  // A count of things that take at least one byte each. Error: LimitExceeded over `limit`, Malformed over what is left.
  std::uint32_t count(std::uint32_t limit, std::string_view what);
  std::span<const std::uint8_t> bytes(std::size_t size);
  std::string_view name(); // length and UTF-8

  // Always false, for `return cursor.fail(...)`. Without an offset: here.
  [[gnu::cold, gnu::noinline]] bool fail(base::ErrorCode code, std::string message);
  [[gnu::cold, gnu::noinline]] bool fail_at(base::ErrorCode code, std::uint64_t offset, std::string message);
  // REQUIRES: !ok()
  base::Error take_error() { return std::move(*error_); }

private:
  std::uint64_t unsigned_leb(unsigned bits);
  std::int64_t signed_leb(unsigned bits);
  [[gnu::cold, gnu::noinline]] void end_of_input();

  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  const std::uint8_t* begin_ = nullptr;
  std::uint64_t base_ = 0;
  std::optional<base::Error> error_;
};

bool is_utf8(std::string_view text);

} // namespace cusp::wasm
