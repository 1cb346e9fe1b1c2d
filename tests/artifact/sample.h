// A small artifact with one of everything, and files to keep it in.
#pragma once

#include <string>
#include <vector>

#include "artifact/artifact.h"
#include "artifact/trap_table.h"
#include "wasm/types.h"

namespace cusp::artifact {

inline ArtifactParts sample_parts() {
  ArtifactParts parts;
  parts.key.abi_hash = abi::abi_hash();
  parts.key.compiler_build = 7;
  parts.key.settings = "O2,guard";
  parts.key.cpu = "x86-64";
  parts.code.assign(4096 + 64, 0xcc);
  const std::uint8_t answer[] = {0xb8, 42, 0, 0, 0, 0xc3}; // mov eax, 42; ret
  std::copy(std::begin(answer), std::end(answer), parts.code.begin() + 16);
  parts.text_size = 4096;
  parts.rodata_offset = 4096;
  parts.eh_frame_offset = 4096 + 32, parts.eh_frame_size = 32;
  parts.symbols = {{"wasm[0]::answer", 16, 6}, {"wasm[0]::other", 32, 1}};
  parts.function_names = {{"answer", ""}};
  parts.image.assign(5000, 0x11);
  parts.trap_table =
      write_trap_table({{.text_offset = 16, .frames = {{0, 0, 0x55}}}, {.text_offset = 32, .frames = {}}});
  ModuleMeta module;
  module.name = "sample";
  module.types.resize(1);
  module.types[0].func.results = {wasm::ValType::i32().raw()};
  module.func_types = {0, 0};
  module.func_text = {16, 32};
  module.entries = {kNoText};
  module.host_stubs = {kNoText};
  module.exports = {{.name = "answer", .kind = ExternKind::Func, .index = 0}};
  module.memories = {{.min = 1, .max = 2, .image_offset = 4096, .image_bytes = 100}};
  module.shape.defined_memories = 1;
  parts.meta.modules = {module};
  return parts;
}

} // namespace cusp::artifact
