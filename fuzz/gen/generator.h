// Random core modules made from the operator table: every row with a signature can occur, operands are drawn with a taste for the
// values at which arithmetic goes wrong, loops are bounded, and nothing that the standard leaves open is observable.
#pragma once

#include <cstdint>
#include <vector>

namespace cusp::fuzz {

// The same seed gives the same module. It exports functions f0, f1 … of numbers, and `digest: [] -> [i64]`, which folds memory and
// globals into one value. NaNs are made canonical wherever an operator may produce one. Every call ends; it may trap.
std::vector<std::uint8_t> generate_module(std::uint64_t seed);

} // namespace cusp::fuzz
