// Reads a module section by section. Private to wasm/.
#pragma once

#include <string>
#include <unordered_map>

#include "wasm/cursor.h"
#include "wasm/module.h"

namespace cusp::wasm {

class ModuleReader {
public:
  ModuleReader(std::span<const std::uint8_t> bytes, const Features& features, std::uint64_t file_offset);
  base::Result<Module> run();

private:
  void section(std::uint8_t id, std::span<const std::uint8_t> body, std::uint64_t offset);
  void custom_section(std::span<const std::uint8_t> body, std::uint64_t offset);
  void type_section();
  void rec_group(std::uint32_t count);
  void sub_type(std::uint32_t group_start, std::uint32_t group_end);
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

  ValType val_type();
  ValType ref_type();
  HeapType heap_type();
  FieldType field_type();
  TableType table_type();
  MemoryType memory_type();
  GlobalType global_type();
  TypeIndex func_type_index();
  ConstExpr const_expr(ValType expected);
  bool const_operator(ConstExpr& expr, std::vector<ValType>& stack);
  void declare_func(std::uint32_t index);
  bool need(Feature feature);
  bool invalid(std::string message);
  bool index_below(std::uint32_t index, std::size_t count, std::string_view what);
  bool pop_const(std::vector<ValType>& stack, ValType expected);

  Module module_;
  Cursor in_;
  std::uint64_t item_offset_ = 0; // of the item being read
  std::uint32_t declared_functions_ = 0;
  bool has_code_ = false;
  std::unordered_map<std::string, std::uint32_t> canonical_; // the first type of each shape
  std::uint32_t data_sections_count_ = 0;
};

} // namespace cusp::wasm
