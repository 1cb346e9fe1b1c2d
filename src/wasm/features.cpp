#include "wasm/features.h"

namespace cusp::wasm {

namespace {

struct Row {
  std::string_view name;
  FeatureState state;
};
constexpr Row kRows[] = {
#define FEATURE(Name, text, state) {text, FeatureState::state},
#include "wasm/features.def"
};

struct Need {
  Feature feature, needed;
};
constexpr Need kNeeds[] = {
#define FEATURE(Name, text, state)
#define FEATURE_NEEDS(Name, Other) {Feature::Name, Feature::Other},
#include "wasm/features.def"
};

} // namespace

std::string_view feature_name(Feature feature) { return kRows[static_cast<unsigned>(feature)].name; }

FeatureState feature_state(Feature feature) { return kRows[static_cast<unsigned>(feature)].state; }

std::optional<Feature> feature_named(std::string_view name) {
  for (unsigned i = 1; i < std::size(kRows); ++i)
    if (kRows[i].name == name && kRows[i].state != FeatureState::Internal) return static_cast<Feature>(i);
  return std::nullopt;
}

std::optional<Features> Features::from_bits(std::uint64_t bits) {
  if ((bits & ~validated().bits()) != 0) return std::nullopt;
  return Features(bits | bit(Feature::Mvp));
}

void Features::turn(Feature feature, bool on) {
  on ? add(feature) : remove(feature);
  for (const Need& need : kNeeds) {
    if (on && need.feature == feature && !has(need.needed)) turn(need.needed, true);
    if (!on && need.needed == feature && has(need.feature)) turn(need.feature, false);
  }
}

std::string Features::to_string() const {
  std::string text;
  for (unsigned i = 1; i < std::size(kRows); ++i)
    if (has(static_cast<Feature>(i))) text += (text.empty() ? "" : ", ") + std::string(kRows[i].name);
  return text;
}

std::string Features::changes() const {
  std::string text;
  for (unsigned i = 1; i < std::size(kRows); ++i) {
    const auto feature = static_cast<Feature>(i);
    if (has(feature) == Features().has(feature)) continue;
    text += (text.empty() ? "" : ",") + std::string(has(feature) ? "+" : "-") + std::string(kRows[i].name);
  }
  return text;
}

} // namespace cusp::wasm
