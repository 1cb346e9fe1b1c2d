// The static half of components: bytes in, core modules and a link plan out.
// Spec: component-model design/mvp/Binary.md and Explainer.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "component/features.h"
#include "component/link_plan.h"
#include "wasm/module.h"

namespace cusp::component {

struct CoreModule {
  std::span<const std::uint8_t> bytes; // inside the input
  std::uint64_t offset = 0;            // of the first byte, in the input
  wasm::Module module;                 // read and validated, but for the bodies
};

struct LinkedComponent {
  std::vector<CoreModule> modules;
  LinkPlan plan;
};

bool is_component(std::span<const std::uint8_t> bytes);

// Decodes, validates and flattens. REQUIRES: `bytes` outlive the result. Error: Malformed, Invalid, Unsupported with the byte offset in
// `bytes` and the path inside the component. Bodies of core modules are not validated here.
base::Result<LinkedComponent> link_component(std::span<const std::uint8_t> bytes, const Features& features);

// Decodes and validates only, bodies of core modules included; for `cusp wast` (module_definition, assert_invalid) and `cusp inspect`.
base::Result<void> validate_component(std::span<const std::uint8_t> bytes, const Features& features);

} // namespace cusp::component
