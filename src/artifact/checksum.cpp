#include "artifact/checksum.h"

#include <bit>
#include <cstring>

namespace cusp::artifact {

namespace {
constexpr std::uint64_t kOdd1 = 0x9e3779b97f4a7c15, kOdd2 = 0xd6e8feb86659fd93;

std::uint64_t step(std::uint64_t lane, std::uint64_t word) { return std::rotl((lane ^ word) * kOdd1, 29); }

std::uint64_t load(const std::uint8_t* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
} // namespace

std::uint64_t checksum(std::span<const std::uint8_t> bytes, std::uint64_t seed) {
  std::uint64_t lanes[4] = {seed ^ 1, seed ^ 2, seed ^ 3, seed ^ 4};
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 32; at += 32, left -= 32)
    for (int i = 0; i < 4; ++i) lanes[i] = step(lanes[i], load(at + 8 * i));
  for (; left >= 8; at += 8, left -= 8) lanes[0] = step(lanes[0], load(at));
  std::uint64_t last = 0;
  if (left != 0) std::memcpy(&last, at, left);
  lanes[1] = step(lanes[1], last);
  std::uint64_t sum = bytes.size();
  for (std::uint64_t lane : lanes) sum = ((sum ^ lane) + kOdd1) * kOdd2;
  return sum ^ (sum >> 32);
}

} // namespace cusp::artifact
