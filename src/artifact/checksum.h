// A fast 64-bit checksum against accidental damage; no defence against an attacker. Any change confined to one 8-byte
// word is found with certainty, because every step is a bijection of the lane it touches; anything else but for one in
// 2^64.
#pragma once

#include <cstdint>
#include <span>

namespace cusp::artifact {

std::uint64_t checksum(std::span<const std::uint8_t> bytes, std::uint64_t seed = 0);

} // namespace cusp::artifact
