// The line table maps an operator of a core module to the line of source that it came from, for backtraces; built by
// the compiler from the module's debug information. Sorted by offset, looked up by binary search and a short walk.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cusp::artifact {

// What holds from `wasm_offset` to the next row.
struct LineRow {
  std::uint32_t wasm_offset = 0; // in bytes from the start of the module, as GuestFrame has it
  std::uint32_t file = 0;        // index into ModuleLines::files
  std::uint32_t line = 0;        // 1-based; 0: no source
};

struct ModuleLines {
  std::vector<std::string> files;
  std::vector<LineRow> rows;
};

// By module. REQUIRES: rows sorted by wasm_offset (of equals the last counts), their files valid. Empty when there are
// no rows at all.
std::vector<std::uint8_t> write_line_table(std::span<const ModuleLines> modules);

struct SourceLine {
  std::string_view file;  // points into the table
  std::uint32_t line = 0; // 0: not known
};

// Damaged bytes give an unknown line.
SourceLine find_source_line(std::span<const std::uint8_t> table, std::uint32_t module, std::uint32_t wasm_offset);

} // namespace cusp::artifact
