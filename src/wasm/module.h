// Module: the static description of one core module, as read_module leaves it: decoded and validated, but for the
// bodies. Names, spans and bodies point into the input, which must outlive it. Immutable afterwards, so that many
// threads may read it at once. Every TypeIndex in it (but the key of `types`) is canonical: two functions have
// equivalent types exactly when the indices are equal. Offsets are bytes from the start of the file that holds the
// module (read_module's file_offset). Spec: 2.5.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "wasm/features.h"
#include "wasm/operators.h"
#include "wasm/types.h"

namespace cusp::wasm {

enum class ExternKind : std::uint8_t { Func, Table, Memory, Global, Tag };

// One operator of a constant expression, in reverse Polish notation without the final `end`. Spec: 3.3.10.
struct ConstOp {
  Op op{};
  std::uint32_t index = 0;         // global.get, ref.func, struct.new*, array.new*
  ValType type;                    // ref.null
  std::uint64_t low = 0, high = 0; // bits of a constant; array.new_fixed: the count in low
};
using ConstExpr = std::vector<ConstOp>;

struct Import {
  std::string_view module, name;
  ExternKind kind{};
  std::uint32_t index = 0; // in the index space of its kind
  std::uint64_t offset = 0;
};

struct Export {
  std::string_view name;
  ExternKind kind{};
  std::uint32_t index = 0;
};

struct Function {
  TypeIndex type;
};

struct Table {
  TableType type;
  ConstExpr init; // empty: null
};

struct Global {
  GlobalType type;
  ConstExpr init; // empty: imported
};

enum class SegmentMode : std::uint8_t { Active, Passive, Declared };

// Items are function indices where all are plain ref.func, and expressions otherwise.
struct ElemSegment {
  SegmentMode mode{};
  TableIndex table;
  ConstExpr offset;
  ValType type;
  std::vector<FuncIndex> funcs;
  std::vector<ConstExpr> expressions;
  std::size_t size() const { return funcs.empty() ? expressions.size() : funcs.size(); }
};

struct DataSegment {
  SegmentMode mode{};
  MemoryIndex memory;
  ConstExpr offset;
  std::span<const std::uint8_t> bytes;
  std::uint64_t bytes_offset = 0; // of the first byte, in the file
};

struct Code {
  std::span<const std::uint8_t> bytes; // local declarations and operators
  std::uint64_t offset = 0;            // of the first byte, in the file
};

struct CustomSection {
  std::string_view name;
  std::span<const std::uint8_t> bytes; // after the name
  std::uint64_t offset = 0;
};

// What the name section says. Broken entries are dropped, never an error. Sorted by index.
struct NameMap {
  std::vector<std::pair<std::uint32_t, std::string_view>> entries;
  std::string_view find(std::uint32_t index) const; // empty: no name
};
struct Names {
  std::string_view module;
  NameMap functions, globals, memories, tables, data, elems, types, tags;
};

struct Module {
  std::span<const std::uint8_t> bytes;
  std::uint64_t file_offset = 0;
  Features features; // that it was read with

  std::vector<SubType> types;
  std::vector<Import> imports;
  // Index spaces, imports first.
  std::vector<Function> functions;
  std::vector<Table> tables;
  std::vector<MemoryType> memories;
  std::vector<Global> globals;
  std::vector<TagType> tags;
  std::uint32_t imported_functions = 0, imported_tables = 0, imported_memories = 0, imported_globals = 0,
                imported_tags = 0;

  std::vector<Export> exports;
  std::optional<FuncIndex> start;
  std::vector<ElemSegment> elems;
  std::vector<DataSegment> datas;
  std::optional<std::uint32_t> data_count; // from the data count section
  std::vector<Code> code;                  // by DefinedFuncIndex
  // By FuncIndex: mentioned outside the bodies and the start section, so that ref.func may name it and a reference to
  // it may escape.
  std::vector<bool> declared_funcs;
  std::vector<CustomSection> custom_sections;
  Names names;
  Features features_used = Features::none(); // outside the bodies; a FunctionValidator tells of its body

  std::uint32_t defined_functions() const { return static_cast<std::uint32_t>(code.size()); }
  FuncIndex func_index(DefinedFuncIndex index) const { return FuncIndex(index.value + imported_functions); }
  bool is_imported(FuncIndex index) const { return index.value < imported_functions; }
  // REQUIRES: !is_imported(index)
  DefinedFuncIndex defined_index(FuncIndex index) const { return DefinedFuncIndex(index.value - imported_functions); }
  // REQUIRES: the type is a function type
  const FuncType& func_type(TypeIndex index) const { return std::get<FuncType>(types[index.value].composite); }
  // Null: the type is of another kind.
  const FuncType* find_func_type(TypeIndex index) const { return std::get_if<FuncType>(&types[index.value].composite); }
  const StructType* find_struct_type(TypeIndex index) const {
    return std::get_if<StructType>(&types[index.value].composite);
  }
  const ArrayType* find_array_type(TypeIndex index) const {
    return std::get_if<ArrayType>(&types[index.value].composite);
  }
  const FuncType& func_type(FuncIndex index) const { return func_type(functions[index.value].type); }
  const Export* find_export(std::string_view name) const; // linear
  void declare_func(FuncIndex index) {                    // while it is read
    if (declared_funcs.size() < functions.size()) declared_funcs.resize(functions.size());
    declared_funcs[index.value] = true;
  }

  // Spec: 3.3 (matching). Types of this module only.
  bool is_subtype(ValType sub, ValType super) const { return sub == super || is_subtype_slow(sub, super); }
  bool is_heap_subtype(HeapType sub, HeapType super) const;
  bool is_type_subtype(TypeIndex sub, TypeIndex super) const; // by declaration
  // The top of the hierarchy that a heap type is in: Any, Func, Extern or Exn.
  AbstractHeapType top_of(HeapType type) const;

private:
  bool is_subtype_slow(ValType sub, ValType super) const;
};

} // namespace cusp::wasm
