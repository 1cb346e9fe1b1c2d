#include "component/component.h"

#include "component/decoder.h"
#include "component/flattener.h"
#include "wasm/reader.h"

namespace cusp::component {

base::Result<LinkedComponent> link_component(std::span<const std::uint8_t> bytes, const wasm::Features& features) {
  Decoded decoded = CUSP_TRY(decode_component(bytes, features));
  LinkPlan plan = CUSP_TRY(flatten(decoded));
  return LinkedComponent{std::move(decoded.modules), std::move(plan)};
}

base::Result<void> validate_component(std::span<const std::uint8_t> bytes, const wasm::Features& features) {
  Decoded decoded = CUSP_TRY(decode_component(bytes, features));
  auto plan = flatten(decoded);
  // What cannot be linked here may still be valid: imports of modules and components are given by whoever instantiates.
  if (!plan && plan.error().code != base::ErrorCode::Unsupported) return std::unexpected(std::move(plan).error());
  for (const CoreModule& module : decoded.modules) CUSP_TRY(wasm::validate_bodies(module.module));
  return {};
}

} // namespace cusp::component
