// Integers of variable length in the tables of an artifact: seven bits a byte, the low ones first; distances with the
// sign in the lowest bit. Private to the room. Reading is async-signal-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cusp::artifact {

inline void put_unsigned(std::vector<std::uint8_t>& out, std::uint32_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

inline void put_distance(std::vector<std::uint8_t>& out, std::uint32_t from, std::uint32_t to) {
  auto distance = static_cast<std::int32_t>(to - from);
  put_unsigned(out, static_cast<std::uint32_t>(distance) << 1 ^ static_cast<std::uint32_t>(distance >> 31));
}

// Damage clears `ok` and reads as 0.
struct VarintStream {
  const std::uint8_t* at;
  const std::uint8_t* end;
  bool ok = true;
  std::uint32_t get() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
      if (at == end) break;
      std::uint8_t byte = *at++;
      value |= static_cast<std::uint32_t>(byte & 0x7f) << (shift & 31);
      if (byte < 0x80) return value;
    }
    ok = false;
    return 0;
  }
  std::uint32_t get_distance(std::uint32_t from) {
    std::uint32_t coded = get();
    return from + (coded >> 1 ^ (0 - (coded & 1)));
  }
};

} // namespace cusp::artifact
