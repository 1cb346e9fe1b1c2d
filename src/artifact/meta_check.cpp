#include "artifact/meta_check.h"

#include <optional>

#include <fmt/format.h>

#include "wasm/types.h"

namespace cusp::artifact {

namespace {

class Checker {
public:
  Checker(const ModuleMeta& module, std::uint64_t text_size, std::uint64_t image_size)
      : m_(module), text_size_(text_size), image_size_(image_size) {}

  const char* find() const {
    const abi::ModuleShape& s = m_.shape;
    if (m_.func_types.size() != std::uint64_t{s.imported_funcs} + m_.func_text.size()) return "functions";
    if (m_.memories.size() != std::uint64_t{s.imported_memories} + s.defined_memories) return "memories";
    if (m_.tables.size() != std::uint64_t{s.imported_tables} + s.defined_tables) return "tables";
    if (m_.globals.size() != std::uint64_t{s.imported_globals} + s.defined_globals) return "globals";
    if (m_.tags.size() != std::uint64_t{s.imported_tags} + s.defined_tags) return "tags";
    if (m_.entries.size() != m_.types.size() || m_.host_stubs.size() != m_.types.size()) return "trampolines";
    if (bad_types()) return "types";
    for (std::uint32_t type : m_.func_types)
      if (type >= m_.types.size() || m_.types[type].kind != abi::TypeKind::Func || m_.types[type].canonical != type)
        return "function types";
    for (std::uint32_t type : m_.tags)
      if (type >= m_.types.size()) return "tags";
    for (std::uint32_t text : m_.func_text)
      if (text >= text_size_) return "function addresses";
    for (const auto* stubs : {&m_.entries, &m_.host_stubs})
      for (std::uint32_t text : *stubs)
        if (text != kNoText && text >= text_size_) return "trampolines";
    for (const ImportMeta& import : m_.imports)
      if (import.index >= count(import.kind)) return "imports";
    for (const ExportMeta& item : m_.exports)
      if (item.index >= count(item.kind)) return "exports";
    if (m_.start && *m_.start >= m_.func_types.size()) return "start function";
    return find_in_contents();
  }

private:
  const char* find_in_contents() const {
    const std::size_t types = m_.types.size();
    for (const TableMeta& table : m_.tables)
      if (bad(table.init) || bad_value(table.element_type, types)) return "tables";
    for (const GlobalMeta& global : m_.globals)
      if (bad(global.init) || bad_value(global.type, types)) return "globals";
    for (const MemoryMeta& memory : m_.memories)
      if (memory.image_offset % abi::kHostPageSize != 0 || !in_image(memory.image_offset, memory.image_bytes) ||
          memory.page_size_log2 > 16)
        return "memories";
    for (const ElemMeta& elem : m_.elems) {
      if (bad(elem.offset) || bad_value(elem.type, types) ||
          (elem.mode == SegmentMode::Active && elem.table >= m_.tables.size()))
        return "element segments";
      for (std::uint32_t func : elem.funcs)
        if (func >= m_.func_types.size()) return "element segments";
      for (const ConstExpr& expression : elem.expressions)
        if (bad(expression)) return "element segments";
    }
    for (const DataMeta& data : m_.datas)
      if (bad(data.offset) || !in_image(data.bytes_offset, data.bytes_size) ||
          (data.mode == SegmentMode::Active && data.memory >= m_.memories.size()))
        return "data segments";
    return nullptr;
  }

  std::uint64_t count(ExternKind kind) const {
    switch (kind) {
    case ExternKind::Func: return m_.func_types.size();
    case ExternKind::Table: return m_.tables.size();
    case ExternKind::Memory: return m_.memories.size();
    case ExternKind::Global: return m_.globals.size();
    case ExternKind::Tag: return m_.tags.size();
    }
    return 0;
  }

  // A value type names types of the module that exist; one that a group's own type may name ends at `end`.
  bool bad_value(std::uint32_t raw, std::uint64_t end) const {
    const auto type = wasm::ValType::from_raw(raw);
    if (type.kind() == wasm::ValType::Kind::None || type.is_bottom()) return true;
    return type.is_ref() && type.heap().is_concrete() && type.heap().index().value >= end;
  }

  bool bad_types() const {
    const std::size_t count = m_.types.size();
    for (std::size_t i = 0; i < count; ++i) {
      const TypeMeta& type = m_.types[i];
      if (type.canonical > i || type.rec_group > i || type.kind >= abi::TypeKind::Extern) return true;
      if (i > 0 && type.rec_group != i && type.rec_group != m_.types[i - 1].rec_group) return true;
      if (m_.types[type.canonical].canonical != type.canonical) return true;
      if (type.canonical != i) continue;
      if (type.supertype && *type.supertype >= i) return true;
      std::size_t end = i + 1; // of its group
      while (end < count && m_.types[end].rec_group == type.rec_group) ++end;
      if (type.kind == abi::TypeKind::Array && type.members.size() != 1) return true;
      for (const auto* list : {&type.func.params, &type.func.results})
        for (std::uint32_t value : *list)
          if (bad_value(value, end)) return true;
      for (const FieldMeta& field : type.members)
        if (bad_value(field.type, end) || field.storage > abi::GcStorage::Exn) return true;
    }
    return false;
  }

  // How many values a step takes; nullopt: it is no step. All but these give one.
  std::optional<std::uint64_t> operands_of(const ConstStep& step) const {
    auto is_type = [&](abi::TypeKind kind) {
      return step.low < m_.types.size() && m_.types[step.low].kind == kind && m_.types[step.low].canonical == step.low;
    };
    const bool is_struct = is_type(abi::TypeKind::Struct), is_array = is_type(abi::TypeKind::Array);
    switch (step.op) {
    case ConstOp::I32:
    case ConstOp::I64:
    case ConstOp::F32:
    case ConstOp::F64:
    case ConstOp::V128:
    case ConstOp::RefNull: return 0;
    case ConstOp::GlobalGet: return step.low < m_.globals.size() ? std::optional<std::uint64_t>(0) : std::nullopt;
    case ConstOp::RefFunc: return step.low < m_.func_types.size() ? std::optional<std::uint64_t>(0) : std::nullopt;
    case ConstOp::I32Add:
    case ConstOp::I32Sub:
    case ConstOp::I32Mul:
    case ConstOp::I64Add:
    case ConstOp::I64Sub:
    case ConstOp::I64Mul: return 2;
    case ConstOp::StructNew: return is_struct ? std::optional(m_.types[step.low].members.size()) : std::nullopt;
    case ConstOp::StructNewDefault: return is_struct ? std::optional<std::uint64_t>(0) : std::nullopt;
    case ConstOp::ArrayNew: return is_array ? std::optional<std::uint64_t>(2) : std::nullopt;
    case ConstOp::ArrayNewDefault: return is_array ? std::optional<std::uint64_t>(1) : std::nullopt;
    case ConstOp::ArrayNewFixed: return is_array ? std::optional(step.high) : std::nullopt;
    case ConstOp::RefI31:
    case ConstOp::AnyConvertExtern:
    case ConstOp::ExternConvertAny: return 1;
    }
    return std::nullopt;
  }

  bool bad(const ConstExpr& expression) const {
    std::uint64_t depth = 0;
    for (const ConstStep& step : expression) {
      const std::optional<std::uint64_t> taken = operands_of(step);
      if (!taken || *taken > depth) return true;
      depth = depth - *taken + 1;
    }
    return !expression.empty() && depth != 1;
  }

  bool in_image(std::uint64_t offset, std::uint64_t size) const {
    return offset <= image_size_ && size <= image_size_ - offset;
  }

  const ModuleMeta& m_;
  std::uint64_t text_size_, image_size_;
};

} // namespace

std::string find_meta_problem(const ArtifactMeta& meta, std::uint64_t text_size, std::uint64_t image_size) {
  for (std::size_t i = 0; i < meta.modules.size(); ++i)
    if (const char* where = Checker(meta.modules[i], text_size, image_size).find())
      return fmt::format("the {} of its core module {} are inconsistent", where, i);
  if (!meta.plan && meta.modules.size() != 1) return "it holds several core modules, but no link plan";
  if (meta.plan)
    for (std::uint32_t module : meta.plan->core_instances)
      if (module >= meta.modules.size()) return "its link plan names a core module that it does not hold";
  return {};
}

} // namespace cusp::artifact
