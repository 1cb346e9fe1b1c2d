// What a component may use: of the component model, generated from features.def, and of core WebAssembly in its modules.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wasm/features.h"

namespace cusp::component {

enum class Feature : std::uint8_t {
#define FEATURE(Name, text, is_on) Name,
#include "component/features.def"
};

class Features {
public:
  wasm::Features core;

  Features(wasm::Features core_features = {}) : core(core_features) {}
  bool has(Feature feature) const { return (bits_ & bit(feature)) != 0; }
  void set(Feature feature, bool is_on) { bits_ = is_on ? bits_ | bit(feature) : bits_ & ~bit(feature); }

private:
  static constexpr std::uint32_t bit(Feature feature) { return 1u << static_cast<unsigned>(feature); }
  std::uint32_t bits_ = 0
#define FEATURE(Name, text, is_on) | (is_on ? bit(Feature::Name) : 0)
#include "component/features.def"
      ;
};

std::string_view feature_name(Feature feature);
std::optional<Feature> find_feature(std::string_view name);

} // namespace cusp::component
