#include "artifact/meta_check.h"

#include <fmt/format.h>

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
    if (m_.entries.size() != m_.types.size() || m_.host_stubs.size() != m_.types.size()) return "trampolines";
    for (std::uint32_t type : m_.func_types)
      if (type >= m_.types.size()) return "function types";
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
    for (const TableMeta& table : m_.tables)
      if (bad(table.init)) return "tables";
    for (const GlobalMeta& global : m_.globals)
      if (bad(global.init)) return "globals";
    for (const MemoryMeta& memory : m_.memories)
      if (memory.image_offset % abi::kHostPageSize != 0 || !in_image(memory.image_offset, memory.image_bytes) ||
          memory.page_size_log2 > 16)
        return "memories";
    for (const ElemMeta& elem : m_.elems) {
      if (bad(elem.offset) || (elem.mode == SegmentMode::Active && elem.table >= m_.tables.size()))
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
    case ExternKind::Tag: return 0;
    }
    return 0;
  }

  bool bad(const ConstExpr& expression) const {
    std::uint64_t depth = 0;
    for (const ConstStep& step : expression) {
      if (step.op > ConstOp::I64Mul) return true;
      if (step.op >= ConstOp::I32Add) {
        if (depth < 2) return true;
        --depth;
        continue;
      }
      if (step.op == ConstOp::GlobalGet && step.low >= m_.globals.size()) return true;
      if (step.op == ConstOp::RefFunc && step.low >= m_.func_types.size()) return true;
      ++depth;
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
