// SHA-256 (FIPS 180-4), the name of a module in the store and in artifact keys. Uses the CPU's SHA instructions where
// there are any; here rather than from a library, so that `cusp` need not load one to start.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace cusp::artifact {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::span<const std::uint8_t> bytes);
std::string to_hex(std::span<const std::uint8_t> bytes);

namespace detail {
// Without the CPU's help; for the test that both ways agree.
Sha256 sha256_portable(std::span<const std::uint8_t> bytes);
} // namespace detail

} // namespace cusp::artifact
