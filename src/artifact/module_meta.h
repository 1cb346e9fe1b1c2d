// What run time must know of one core module, decided at compile time and stored in the artifact. Index spaces are the
// module's own: imports first. Value types travel as wasm::ValType::raw(); text offsets are bytes from the start of the
// artifact's code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "abi/vm.h"
#include "base/archive.h"

namespace cusp::artifact {

inline constexpr std::uint32_t kNoText = ~std::uint32_t{0};

enum class ExternKind : std::uint8_t { Func, Table, Memory, Global, Tag };

struct FuncTypeMeta {
  std::vector<std::uint32_t> params, results; // ValType::raw(); concrete reference types by this module's type index
  template <class A> void fields(A& a) { a(params, results); }
};

struct FieldMeta {
  std::uint32_t type = 0; // ValType::raw(); i32 where packed
  abi::GcStorage storage{};
  bool is_mutable = false;
  template <class A> void fields(A& a) { a(type, storage, is_mutable); }
};

// One entry of the type index space.
struct TypeMeta {
  abi::TypeKind kind{};
  bool is_final = true;
  std::optional<std::uint32_t> supertype; // comes before it
  std::uint32_t canonical = 0;            // the first equivalent type; when it is another one, what follows is empty
  std::uint32_t rec_group = 0;            // first type of its recursion group
  FuncTypeMeta func;
  std::vector<FieldMeta> members; // of a structure; an array's one element type
  template <class A> void fields(A& a) { a(kind, is_final, supertype, canonical, rec_group, func, members); }
};

// A constant expression in reverse Polish notation.
enum class ConstOp : std::uint8_t {
  I32,
  I64,
  F32,
  F64,
  V128,
  GlobalGet,
  RefFunc,
  RefNull,
  I32Add,
  I32Sub,
  I32Mul,
  I64Add,
  I64Sub,
  I64Mul,
  StructNew, // `low`: a type index; takes a value for each field
  StructNewDefault,
  ArrayNew,
  ArrayNewDefault,
  ArrayNewFixed, // `high`: how many values it takes
  RefI31,
  AnyConvertExtern,
  ExternConvertAny
};
struct ConstStep {
  ConstOp op{};
  std::uint64_t low = 0, high = 0; // the constant's bits, or an index
  template <class A> void fields(A& a) { a(op, low, high); }
};
using ConstExpr = std::vector<ConstStep>;

struct TableMeta {
  std::uint32_t element_type = 0;
  std::uint64_t min = 0;
  std::optional<std::uint64_t> max;
  bool index64 = false;
  ConstExpr init; // empty: null
  template <class A> void fields(A& a) { a(element_type, min, max, index64, init); }
};

enum class BoundsMode : std::uint8_t { Guard, Explicit };

struct MemoryMeta {
  std::uint64_t min = 0; // in pages of 2^page_size_log2 bytes
  std::optional<std::uint64_t> max;
  bool memory64 = false, shared = false;
  std::uint8_t page_size_log2 = 16;
  BoundsMode bounds = BoundsMode::Guard;
  // Active segments with constant offsets, already laid out: image_bytes of the artifact's image section at
  // image_offset (a multiple of 4096), to appear at the start of the memory; what follows is zero.
  std::uint64_t image_offset = 0, image_bytes = 0;
  template <class A> void fields(A& a) {
    a(min, max, memory64, shared, page_size_log2, bounds, image_offset, image_bytes);
  }
};

struct GlobalMeta {
  std::uint32_t type = 0;
  bool is_mutable = false;
  ConstExpr init; // empty for imports
  template <class A> void fields(A& a) { a(type, is_mutable, init); }
};

struct ImportMeta {
  std::string module, name;
  ExternKind kind{};
  std::uint32_t index =
      0; // into the index space of its kind: func_types, tables, memories, globals, tags (imports come first in each)
  template <class A> void fields(A& a) { a(module, name, kind, index); }
};

struct ExportMeta {
  std::string name;
  ExternKind kind{};
  std::uint32_t index = 0;
  template <class A> void fields(A& a) { a(name, kind, index); }
};

enum class SegmentMode : std::uint8_t { Active, Passive, Declared };

struct ElemMeta {
  SegmentMode mode{};
  std::uint32_t table = 0;
  ConstExpr offset;
  std::uint32_t type = 0;
  std::vector<std::uint32_t> funcs;   // function indices, where every item is a ref.func
  std::vector<ConstExpr> expressions; // otherwise
  template <class A> void fields(A& a) { a(mode, table, offset, type, funcs, expressions); }
};

struct DataMeta {
  SegmentMode mode{};
  bool folded = false; // an active segment that is already in its memory's image: length 0 at run time
  std::uint32_t memory = 0;
  ConstExpr offset;
  std::uint64_t bytes_offset = 0, bytes_size = 0; // in the artifact's image section
  template <class A> void fields(A& a) { a(mode, folded, memory, offset, bytes_offset, bytes_size); }
};

struct ModuleMeta {
  std::string name;            // from the name section, may be empty
  std::vector<TypeMeta> types; // by TypeIndex
  std::vector<ImportMeta> imports;
  std::vector<ExportMeta> exports;
  std::vector<std::uint32_t> func_types; // canonical TypeIndex of every function, imports first
  std::vector<TableMeta> tables;
  std::vector<MemoryMeta> memories;
  std::vector<GlobalMeta> globals;
  std::vector<std::uint32_t> tags; // TypeIndex of every tag, imports first
  std::vector<ElemMeta> elems;
  std::vector<DataMeta> datas;
  std::optional<std::uint32_t> start;    // FuncIndex
  std::vector<std::uint32_t> func_text;  // text offset of every defined function
  std::vector<std::uint32_t> entries;    // text offset of the entry trampoline by TypeIndex, or kNoText
  std::vector<std::uint32_t> host_stubs; // text offset of the host stub by TypeIndex, or kNoText
  bool uses_gc_heap = false;             // it has types, operators or constants of the gc proposal
  abi::ModuleShape shape;
  const FuncTypeMeta& func_type(std::uint32_t func) const { return types[func_types[func]].func; }
  template <class A> void fields(A& a) {
    a(name, types, imports, exports, func_types, tables, memories, globals, tags, elems, datas, start, func_text,
      entries, host_stubs, uses_gc_heap, shape.imported_funcs, shape.imported_memories, shape.defined_memories,
      shape.imported_tables, shape.defined_tables, shape.imported_globals, shape.defined_globals, shape.imported_tags,
      shape.defined_tags);
  }
};

} // namespace cusp::artifact
