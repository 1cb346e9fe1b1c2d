#include "cli/settings.h"

#include <fmt/format.h>

namespace cusp::cli {

using base::ErrorCode;
using base::Result;

Result<bool> switch_of(std::string_view option, std::string_view value) {
  if (value.empty() || value == "y" || value == "yes" || value == "true") return true;
  if (value == "n" || value == "no" || value == "false") return false;
  return base::fail(ErrorCode::InvalidArgument, fmt::format("{}: '{}' is not y or n", option, value));
}

void turn_feature(artifact::CompileRequest& request, wasm::Feature feature, bool on) {
  wasm::Features features = wasm::Features::from_bits(request.features).value_or(wasm::Features());
  features.turn(feature, on);
  request.features = features.bits();
}

Result<bool> set_compiler_key(artifact::CompileRequest& request, std::string_view key, std::string_view value) {
  const std::string option = fmt::format("-W {}", key);
  auto feature = wasm::feature_named(key);
  const bool known = feature || key == "all-proposals" || key == "relaxed-simd-deterministic" ||
                     key == "nan-canonicalization" || key == "fuel";
  if (!known) return false;
  const bool on = CUSP_TRY(switch_of(option, value));
  if (key == "relaxed-simd-deterministic") request.deterministic_simd = on;
  else if (key == "nan-canonicalization") request.canonical_nans = on;
  else if (key == "fuel") request.fuel = on;
  else if (key == "all-proposals")
    request.features = (on ? wasm::Features::validated() : wasm::Features::none()).bits();
  else if (on && wasm::feature_state(*feature) == wasm::FeatureState::Named)
    return base::fail(ErrorCode::Unsupported, fmt::format("{}: cusp does not have this feature", option));
  else turn_feature(request, *feature, on);
  return true;
}

Result<void> read_compiler_settings(const std::vector<std::string>& lists, artifact::CompileRequest& request) {
  return each_setting(lists, [&](std::string_view key, std::string_view value) -> Result<void> {
    if (CUSP_TRY(set_compiler_key(request, key, value))) return {};
    return base::fail(ErrorCode::InvalidArgument, fmt::format("-W {}: there are {}", key, kCompilerKeys));
  });
}

} // namespace cusp::cli
