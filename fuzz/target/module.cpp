// Reader and validator of core modules: any bytes give a module or an error, and validation reads nothing outside of them.
#include "wasm/names.h"
#include "wasm/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto module = cusp::wasm::read_module({data, size}, cusp::wasm::Features::validated());
  if (module) (void)cusp::wasm::used_features(*module);
  return 0;
}
