// Which parts of WebAssembly a module may use, and which it did use. Generated from features.def.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cusp::wasm {

enum class Feature : std::uint8_t {
#define FEATURE(Name, text, state) Name,
#include "wasm/features.def"
};

enum class FeatureState : std::uint8_t { On, Opt, Named, Internal };

class Features {
public:
  // What cusp runs: the rows that are On.
  constexpr Features() : bits_(in_state(FeatureState::On)) {}
  static constexpr Features none() { return Features(bit(Feature::Mvp)); }
  // Everything that the validator knows, whether or not the compiler does: standard and proposals.
  static constexpr Features validated() { return Features(in_state(FeatureState::On) | in_state(FeatureState::Opt)); }

  constexpr bool has(Feature feature) const { return (bits_ & bit(feature)) != 0; }
  constexpr void add(Feature feature) { bits_ |= bit(feature); }
  constexpr void remove(Feature feature) { bits_ &= ~bit(feature); }
  constexpr Features with(Feature feature) const { return Features(bits_ | bit(feature)); }
  constexpr Features without(Feature feature) const { return Features(bits_ & ~bit(feature)); }
  constexpr void merge(Features other) { bits_ |= other.bits_; }
  constexpr std::uint64_t bits() const { return bits_; } // one bit per Feature, for keys and hashes
  constexpr bool operator==(const Features&) const = default;

  std::string to_string() const; // "simd, tail-call"

private:
  constexpr explicit Features(std::uint64_t bits) : bits_(bits) {}
  static constexpr std::uint64_t bit(Feature feature) { return std::uint64_t{1} << static_cast<unsigned>(feature); }
  static constexpr std::uint64_t in_state(FeatureState state) {
    std::uint64_t bits = 0;
#define FEATURE(Name, text, row_state)                                                                                 \
  if (state == FeatureState::row_state) bits |= bit(Feature::Name);
#include "wasm/features.def"
    return bits;
  }
  std::uint64_t bits_;
};

std::string_view feature_name(Feature feature); // "reference-types"

} // namespace cusp::wasm
