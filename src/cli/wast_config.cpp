#include "cli/wast_config.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "cli/settings.h"

namespace cusp::cli {

using base::ErrorCode;
using base::Result;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// What is older than Wasmtime's switches, and so has none.
wasm::Features always_on() {
  wasm::Features features = wasm::Features::none();
  for (wasm::Feature feature : {wasm::Feature::MutableGlobals, wasm::Feature::SignExtension,
                                wasm::Feature::SaturatingTruncation, wasm::Feature::MultiValue})
    features.add(feature);
  return features;
}

// Keys that are no feature (branch hints, how messages are compared) change nothing here. Of the component model's features those hold that
// the config names.
void apply(const json& settings, WastConfig& config) {
  config.request.features = always_on().bits();
  for (const auto& [key, value] : settings.items()) {
    const bool on = value.is_boolean() && value.get<bool>();
    std::string name = key;
    std::ranges::replace(name, '_', '-');
    constexpr std::string_view kComponents = "component-model-";
    const bool of_components = name.starts_with(kComponents);
    auto component_feature = component::find_feature(of_components ? name.substr(kComponents.size()) : "");
    if (component_feature) config.features.set(*component_feature, on);
    else if (auto feature = wasm::feature_named(name)) turn_feature(config.request, *feature, on);
    else if (key == "nan_canonicalization") config.request.canonical_nans = on;
    else if (key == "hogs_memory") config.hogs_memory = on;
  }
}

} // namespace

Result<const WastIndexes::Index*> WastIndexes::index_in(const fs::path& folder) {
  auto [found, is_new] = indexes_.try_emplace(folder);
  std::optional<Index>& index = found->second;
  std::ifstream file(folder / "index.json", std::ios::binary);
  if (!is_new || !file) return index ? &*index : nullptr;
  try {
    json document = json::parse(file);
    index.emplace();
    for (const json& test : document.at("tests")) {
      json config = test.value("config", json());
      index->has_configs = index->has_configs || !config.is_null();
      index->configs[test.at("json").get<std::string>()] = config.is_null() ? json::object() : std::move(config);
    }
  } catch (const json::exception& error) {
    auto failure = base::fail(ErrorCode::Malformed, fmt::format("not an index of converted scripts: {}", error.what()));
    failure.error().file = (folder / "index.json").string();
    return failure;
  }
  return &*index;
}

Result<WastConfig> WastIndexes::config_of(const fs::path& script, const WastConfig& otherwise) {
  WastConfig config = otherwise;
  const fs::path path = fs::absolute(script).lexically_normal();
  for (fs::path folder = path.parent_path();; folder = folder.parent_path()) {
    if (const Index* index = CUSP_TRY(index_in(folder))) {
      auto entry = index->configs.find(path.lexically_relative(folder).generic_string());
      if (index->has_configs && entry != index->configs.end()) apply(entry->second, config);
      return config;
    }
    if (folder == folder.root_path()) return config;
  }
}

bool has_memory_for_hogs() {
  constexpr std::uint64_t kEnough = std::uint64_t{8} << 20; // KiB
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::uint64_t kib = 0;
  for (std::string unit; file >> name >> kib; std::getline(file, unit))
    if (name == "MemAvailable:") return kib >= kEnough;
  return false;
}

} // namespace cusp::cli
