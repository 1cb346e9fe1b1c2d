// Decoder, validator and flattener of components.
#include "component/component.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cusp::component::Features features(cusp::wasm::Features::validated());
  if (cusp::component::validate_component({data, size}, features))
    (void)cusp::component::link_component({data, size}, features);
  return 0;
}
