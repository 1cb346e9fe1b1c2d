#include "component/component.h"

#include "component/decoder.h"
#include "component/flattener.h"
#include "component/validator.h"
#include "wasm/reader.h"

namespace cusp::component {

base::Result<LinkedComponent> link_component(std::span<const std::uint8_t> bytes, const Features& features) {
  Decoded decoded = CUSP_TRY(decode_component(bytes, features.core));
  CUSP_TRY(validate(decoded, features));
  LinkPlan plan = CUSP_TRY(flatten(decoded));
  return LinkedComponent{std::move(decoded.modules), std::move(plan)};
}

base::Result<void> validate_component(std::span<const std::uint8_t> bytes, const Features& features) {
  Decoded decoded = CUSP_TRY(decode_component(bytes, features.core));
  CUSP_TRY(validate(decoded, features));
  for (const CoreModule& module : decoded.modules) CUSP_TRY(wasm::validate_bodies(module.module));
  return {};
}

} // namespace cusp::component
