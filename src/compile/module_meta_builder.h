// What the artifact says about one core module (artifact/module_meta.h), taken from the module itself, and the bytes of
// its data segments. Text offsets are filled in by the caller after linking.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "artifact/module_meta.h"
#include "wasm/module.h"

namespace cusp::compile {

// Appends memory images (page-aligned) and data bytes to `image`. Entries and host stubs are kNoText, func_text zeros.
artifact::ModuleMeta build_module_meta(const wasm::Module& module, artifact::BoundsMode bounds,
                                       std::vector<std::uint8_t>& image);

// By FuncIndex: from the name section, else an export's name, else "module.name" of an import; empty where nothing is
// known.
std::vector<std::string> function_names(const wasm::Module& module);

} // namespace cusp::compile
