// Which parts of WebAssembly a module may use, and which it did use. Generated from features.def.
#pragma once

#include <cstdint>
#include <optional>
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
  // What bits() gave, perhaps to another program: nullopt when a bit is of no feature that input may use.
  static std::optional<Features> from_bits(std::uint64_t bits);

  constexpr bool has(Feature feature) const { return (bits_ & bit(feature)) != 0; }
  constexpr void add(Feature feature) { bits_ |= bit(feature); }
  constexpr void remove(Feature feature) { bits_ &= ~bit(feature); }
  constexpr Features with(Feature feature) const { return Features(bits_ | bit(feature)); }
  constexpr Features without(Feature feature) const { return Features(bits_ & ~bit(feature)); }
  constexpr void merge(Features other) { bits_ |= other.bits_; }
  // As a person switches: on takes along what the feature needs, off what needs it (FEATURE_NEEDS).
  void turn(Feature feature, bool on);
  constexpr std::uint64_t bits() const { return bits_; } // one bit per Feature, for keys and hashes
  constexpr bool operator==(const Features&) const = default;

  std::string to_string() const; // "simd, tail-call"
  // How it differs from the default: "+gc,-simd"; empty when it does not.
  std::string changes() const;

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
FeatureState feature_state(Feature feature);
// By that name; any row but the internal ones.
std::optional<Feature> feature_named(std::string_view name);

} // namespace cusp::wasm
