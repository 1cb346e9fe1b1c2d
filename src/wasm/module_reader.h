// Reads a module section by section. Private to wasm/.
#pragma once

#include <string>

#include "wasm/const_expr.h"
#include "wasm/cursor.h"
#include "wasm/module.h"
#include "wasm/type_reader.h"

namespace cusp::wasm {

class ModuleReader {
public:
  ModuleReader(std::span<const std::uint8_t> bytes, const Features& features, std::uint64_t file_offset);
  base::Result<Module> run();

private:
  void section(std::uint8_t id, std::span<const std::uint8_t> body, std::uint64_t offset);
  void custom_section(std::span<const std::uint8_t> body, std::uint64_t offset);
  void import_section();
  void function_section();
  void table_section();
  void memory_section();
  void global_section();
  void tag_section();
  void export_section();
  void element_section();
  void element();
  void code_section();
  void data_section();
  void finish();

  TypeReader types() { return {in_, module_, module_.features_used}; }
  TableType table_type();
  MemoryType memory_type();
  GlobalType global_type();
  TagType tag_type();
  ConstExpr const_expr(ValType expected);
  bool need(Feature feature);
  bool invalid(std::string message);
  bool index_below(std::uint32_t index, std::size_t count, std::string_view what);

  Module module_;
  Cursor in_;
  ConstExprReader const_exprs_{module_};
  std::uint64_t item_offset_ = 0; // of the item being read
  std::uint32_t declared_functions_ = 0;
  bool has_code_ = false;
  std::uint32_t data_sections_count_ = 0;
};

} // namespace cusp::wasm
