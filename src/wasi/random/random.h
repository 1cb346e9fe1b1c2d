// Random bytes: the kernel's for random, a small generator seeded from it for insecure.
#pragma once

#include <cstdint>
#include <span>

namespace cusp::wasi {

void fill_random(std::span<std::uint8_t> into);
std::uint64_t random_u64();
// splitmix64; a state of 0 is seeded first.
std::uint64_t insecure_u64(std::uint64_t& state);

} // namespace cusp::wasi
