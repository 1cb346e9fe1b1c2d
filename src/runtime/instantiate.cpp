// Instantiation of one core module, step by step as the specification has it (4.5.4): imports are checked against what is given,
// then everything the module defines is made, then active segments are copied in order; a segment out of bounds traps
// and what was written before it stays.
#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "runtime/gc.h"
#include "runtime/store_state.h"
#include "wasm/types.h"

namespace cusp::runtime {

using artifact::ExternKind;
using base::ErrorCode;

namespace {

std::string limits_text(std::uint64_t min, const std::optional<std::uint64_t>& max) {
  return max ? fmt::format("{}..{}", min, *max) : fmt::format("{} or more", min);
}

bool limits_match(std::uint64_t given_min, const std::optional<std::uint64_t>& given_max, std::uint64_t min,
                  const std::optional<std::uint64_t>& max) {
  return given_min >= min && (!max || (given_max && *given_max <= *max));
}

std::string_view kind_text(std::size_t kind) {
  constexpr std::string_view kNames[] = {"a function", "a table", "a memory", "a global", "a tag"};
  return kind < std::size(kNames) ? kNames[kind] : "something else";
}

// Empty: it matches. Otherwise what was expected and what was given.
std::string mismatch(const artifact::ModuleMeta& meta, std::span<const std::uint32_t> type_ids,
                     const artifact::ImportMeta& import, const Extern& given) {
  std::size_t wanted_kind = static_cast<std::size_t>(import.kind);
  if (given.index() != wanted_kind)
    return fmt::format("expected {}, found {}", kind_text(wanted_kind), kind_text(given.index()));
  switch (import.kind) {
  case ExternKind::Func: {
    const abi::FuncRef* func = std::get<ExternFunc>(given).func;
    std::uint32_t wanted = type_ids[meta.func_types[import.index]];
    if (is_type_subtype(func->type_id, wanted)) return {};
    return fmt::format("expected a function {}, found {}", type_text(wanted), type_text(func->type_id));
  }
  case ExternKind::Table: {
    const auto& table = std::get<ExternTable>(given);
    const artifact::TableMeta& wanted = meta.tables[import.index];
    const std::uint32_t element = canonical_value(wanted.element_type, type_ids);
    if (table.element_type != element || table.index64 != wanted.index64)
      return fmt::format("expected a table of {}, found one of {}", wasm::ValType::from_raw(element).to_string(),
                         wasm::ValType::from_raw(table.element_type).to_string());
    if (!limits_match(table.table->length, table.max, wanted.min, wanted.max))
      return fmt::format("expected a table of {} elements, found {}", limits_text(wanted.min, wanted.max),
                         limits_text(table.table->length, table.max));
    return {};
  }
  case ExternKind::Memory: {
    const auto& memory = std::get<ExternMemory>(given);
    const artifact::MemoryMeta& wanted = meta.memories[import.index];
    if (memory.memory64 != wanted.memory64) return "one of the memories has 64-bit addresses, the other 32-bit ones";
    if (memory.shared != wanted.shared) return "one of the memories is shared, the other is not";
    if (memory.page_size_log2 != wanted.page_size_log2) return "the memories' page sizes differ";
    std::uint64_t pages = byte_length(*memory.memory) >> memory.page_size_log2;
    if (!limits_match(pages, memory.max, wanted.min, wanted.max))
      return fmt::format("expected a memory of {} pages, found {}", limits_text(wanted.min, wanted.max),
                         limits_text(pages, memory.max));
    return {};
  }
  case ExternKind::Global: {
    const auto& global = std::get<ExternGlobal>(given);
    const artifact::GlobalMeta& wanted = meta.globals[import.index];
    // A mutable global must have the very type: it is written as well as read.
    const std::uint32_t type = canonical_value(wanted.type, type_ids);
    const bool matches = wanted.is_mutable ? global.type == type : is_value_subtype(global.type, type);
    if (matches && global.is_mutable == wanted.is_mutable) return {};
    auto text = [](std::uint32_t type, bool is_mutable) {
      return (is_mutable ? "mutable " : "constant ") + wasm::ValType::from_raw(type).to_string();
    };
    return fmt::format("expected a {}, found a {}", text(type, wanted.is_mutable),
                       text(global.type, global.is_mutable));
  }
  case ExternKind::Tag: {
    const std::uint32_t wanted = type_ids[meta.tags[import.index]], found = std::get<ExternTag>(given).tag->type_id;
    if (found == wanted) return {};
    return fmt::format("expected a tag {}, found {}", type_text(wanted), type_text(found));
  }
  }
  return "it is of no kind";
}

} // namespace

void Instantiation::prepare(Instance& instance, Store& store, std::shared_ptr<const Code> code, std::uint32_t module,
                            abi::VmContext* vmctx) {
  instance.vmctx_ = vmctx;
  instance.code_ = std::move(code);
  instance.module_ = module;
  instance.store_ = &store;
  instance.dropped_elems_.assign(instance.meta().elems.size(), false);
  instance.dropped_datas_.assign(instance.meta().datas.size(), false);
}

Result<void> Instantiation::check_imports() const {
  const artifact::ModuleMeta& meta = instance.meta();
  auto type_ids = instance.code_->type_ids(instance.module_);
  for (std::size_t i = 0; i < meta.imports.size(); ++i) {
    const artifact::ImportMeta& import = meta.imports[i];
    if (i >= imports.size())
      return base::fail(ErrorCode::Unlinkable,
                        fmt::format("unknown import: `{}`.`{}` was not given", import.module, import.name));
    if (std::string problem = mismatch(meta, type_ids, import, imports[i]); !problem.empty())
      return base::fail(ErrorCode::Unlinkable,
                        fmt::format("incompatible import type for `{}`.`{}`: {}", import.module, import.name, problem));
  }
  return {};
}

Result<void> Instantiation::link() {
  const artifact::ModuleMeta& meta = instance.meta();
  const Code& code = *instance.code_;
  abi::VmLayout layout(meta.shape);
  auto* bytes = reinterpret_cast<std::uint8_t*>(instance.vmctx_);
  std::uint64_t store_base = store.state().store_base;
  auto type_ids = code.type_ids(instance.module_);

  abi::VmContext& vmctx = *instance.vmctx_;
  vmctx.store_base = store_base;
  vmctx.builtins = kBuiltins;
  vmctx.funcrefs = funcrefs;
  vmctx.type_ids = type_ids.data();
  vmctx.results = store.results_;
  vmctx.instance = &instance;
  vmctx.store = &store;
  vmctx.types = type_records();
  vmctx.fuel = &store.state().fuel;
  vmctx.instances = store.state().component.instances;
  vmctx.resources = store.state().component.resources;

  instance.imports_.assign(imports.begin(), imports.begin() + static_cast<std::ptrdiff_t>(meta.imports.size()));
  for (std::size_t i = 0; i < meta.imports.size(); ++i) {
    const artifact::ImportMeta& import = meta.imports[i];
    switch (import.kind) {
    case ExternKind::Func: {
      abi::FuncRef func = *std::get<ExternFunc>(imports[i]).func;
      if (func.code == nullptr) {
        std::uint32_t type = meta.func_types[import.index];
        std::uint32_t stub = type < meta.host_stubs.size() ? meta.host_stubs[type] : artifact::kNoText;
        if (stub == artifact::kNoText)
          return base::fail(ErrorCode::Internal, fmt::format("the artifact has no stub for host functions of type {}",
                                                             type_text(func.type_id)));
        func.code = code.text(stub);
        auto* host = reinterpret_cast<abi::HostFunc*>(store_base + static_cast<std::uint64_t>(func.vmctx_delta));
        func.vmctx_delta = static_cast<std::int64_t>(
            reinterpret_cast<std::uint64_t>(store.state().for_importer(host, &vmctx)) - store_base);
      }
      funcrefs[import.index] = func;
      auto* entry = reinterpret_cast<abi::FuncImport*>(bytes + layout.func_import(import.index));
      entry->code = func.code;
      entry->vmctx = reinterpret_cast<void*>(store_base + static_cast<std::uint64_t>(func.vmctx_delta));
      break;
    }
    case ExternKind::Table: {
      abi::TableRecord* record = std::get<ExternTable>(imports[i]).table;
      *reinterpret_cast<abi::TableEntry*>(bytes + layout.table_entry(import.index)) = {record->elements, record};
      break;
    }
    case ExternKind::Memory: {
      abi::MemoryRecord* record = std::get<ExternMemory>(imports[i]).memory;
      *reinterpret_cast<abi::MemoryEntry*>(bytes + layout.memory_entry(import.index)) = {record->base, record};
      break;
    }
    case ExternKind::Global:
      *reinterpret_cast<void**>(bytes + layout.imported_global(import.index)) =
          std::get<ExternGlobal>(imports[i]).global;
      break;
    case ExternKind::Tag:
      *reinterpret_cast<abi::TagRecord**>(bytes + layout.imported_tag(import.index)) =
          std::get<ExternTag>(imports[i]).tag;
      break;
    }
  }
  std::int64_t own_delta = static_cast<std::int64_t>(reinterpret_cast<std::uint64_t>(bytes) - store_base);
  std::uint32_t imported = meta.shape.imported_funcs;
  for (std::size_t i = imported; i < meta.func_types.size(); ++i)
    funcrefs[i] = {code.text(meta.func_text[i - imported]), own_delta, type_ids[meta.func_types[i]], 0};
  return {};
}

Result<void> Instantiation::define(Placement& placement) {
  const artifact::ModuleMeta& meta = instance.meta();
  abi::VmLayout layout(meta.shape);
  auto* bytes = reinterpret_cast<std::uint8_t*>(instance.vmctx_);
  if (meta.uses_gc_heap) CUSP_TRY(define_gc_heap(placement));
  for (std::uint32_t i = 0; i < meta.shape.defined_tags; ++i)
    *reinterpret_cast<abi::TagRecord*>(bytes + layout.tag_record(i)) = {
        instance.code_->type_ids(instance.module_)[meta.tags[meta.shape.imported_tags + i]], 0};
  for (std::uint32_t i = 0; i < meta.shape.defined_memories; ++i) {
    auto* record = reinterpret_cast<abi::MemoryRecord*>(bytes + layout.memory_record(i));
    std::uint32_t index = meta.shape.imported_memories + i;
    record = CUSP_TRY(placement.memory(i, meta.memories[index], *record));
    *reinterpret_cast<abi::MemoryEntry*>(bytes + layout.memory_entry(index)) = {record->base, record};
    CUSP_TRY(store.charge_initial(record->byte_length));
  }
  for (std::uint32_t i = 0; i < meta.shape.defined_tables; ++i) {
    auto* record = reinterpret_cast<abi::TableRecord*>(bytes + layout.table_record(i));
    std::uint32_t index = meta.shape.imported_tables + i;
    CUSP_TRY(placement.table(i, meta.tables[index], *record));
    *reinterpret_cast<abi::TableEntry*>(bytes + layout.table_entry(index)) = {record->elements, record};
    CUSP_TRY(store.charge_initial(record->length * sizeof(void*)));
  }
  for (const artifact::ExportMeta& e : meta.exports)
    if (e.kind == ExternKind::Memory && e.name == "memory") instance.exported_memory_ = instance.memory(e.index);
  store.state().linked.push_back(&instance);
  return {};
}

Result<void> Instantiation::define_gc_heap(Placement& placement) {
  GcHeap*& heap = store.state().gc_heap;
  if (!heap) {
    heap = CUSP_TRY(placement.gc_heap());
    store.memory_in_use_ += heap->committed();
  }
  instance.vmctx_->gc_heap = heap->base();
  return {};
}

bool Instantiation::evaluate_items() {
  const artifact::ModuleMeta& meta = instance.meta();
  instance.elem_values_.assign(meta.elems.size(), {});
  for (std::size_t i = 0; i < meta.elems.size(); ++i) {
    instance.elem_values_[i].reserve(meta.elems[i].expressions.size());
    for (const artifact::ConstExpr& expression : meta.elems[i].expressions) {
      auto value = evaluate(instance, expression);
      if (!value) return false;
      instance.elem_values_[i].push_back(value->i64);
    }
  }
  return true;
}

Result<void> Instantiation::initialise() {
  const artifact::ModuleMeta& meta = instance.meta();
  auto trapped = [&](abi::Trap trap) {
    store.last_trap_ = {trap, std::string(abi::trap_text(trap)), {}};
    return base::fail(ErrorCode::Trap, store.last_trap_.message);
  };
  for (std::uint32_t i = meta.shape.imported_globals; i < meta.globals.size(); ++i) {
    auto value = evaluate(instance, meta.globals[i].init);
    if (!value) return trapped(abi::Trap::MemoryLimit);
    std::memcpy(instance.global(i), &*value, sizeof *value);
  }
  for (std::uint32_t i = meta.shape.imported_tables; i < meta.tables.size(); ++i) {
    if (meta.tables[i].init.empty()) continue;
    auto value = evaluate(instance, meta.tables[i].init);
    if (!value) return trapped(abi::Trap::MemoryLimit);
    abi::TableRecord* table = instance.table(i);
    if (value->ref) std::fill_n(table->elements, table->length, value->ref);
  }
  if (!evaluate_items()) return trapped(abi::Trap::MemoryLimit);
  for (std::uint32_t i = 0; i < meta.elems.size(); ++i) {
    const artifact::ElemMeta& elem = meta.elems[i];
    if (elem.mode == artifact::SegmentMode::Active) {
      std::uint64_t count = elem_size(instance, i);
      abi::ValRaw offset = evaluate(instance, elem.offset).value_or(abi::ValRaw{});
      std::uint64_t to = meta.tables[elem.table].index64 ? offset.i64 : offset.i32;
      if (!init_table(instance, elem.table, i, to, 0, count)) return trapped(abi::Trap::TableOutOfBounds);
    }
    if (elem.mode != artifact::SegmentMode::Passive) instance.dropped_elems_[i] = true;
  }
  for (std::uint32_t i = 0; i < meta.datas.size(); ++i) {
    const artifact::DataMeta& data = meta.datas[i];
    if (data.mode != artifact::SegmentMode::Active) continue;
    if (!data.folded) {
      abi::ValRaw offset = evaluate(instance, data.offset).value_or(abi::ValRaw{});
      std::uint64_t to = meta.memories[data.memory].memory64 ? offset.i64 : offset.i32;
      if (!init_memory(instance, data.memory, i, to, 0, data.bytes_size)) return trapped(abi::Trap::MemoryOutOfBounds);
    }
    instance.dropped_datas_[i] = true;
  }
  return {};
}

Result<void> Instantiation::run_start() {
  if (!instance.meta().start) return {};
  abi::ValRaw none[1];
  return store.call(*instance.func(*instance.meta().start), none);
}

// ---- Instance ----

abi::FuncRef* Instance::func(std::uint32_t index) const { return &vmctx_->funcrefs[index]; }

abi::MemoryRecord* Instance::memory(std::uint32_t index) const {
  auto* entry = reinterpret_cast<std::uint8_t*>(vmctx_) + abi::VmLayout(meta().shape).memory_entry(index);
  return reinterpret_cast<abi::MemoryEntry*>(entry)->record;
}

abi::TableRecord* Instance::table(std::uint32_t index) const {
  auto* entry = reinterpret_cast<std::uint8_t*>(vmctx_) + abi::VmLayout(meta().shape).table_entry(index);
  return reinterpret_cast<abi::TableEntry*>(entry)->record;
}

void* Instance::global(std::uint32_t index) const {
  abi::VmLayout layout(meta().shape);
  auto* bytes = reinterpret_cast<std::uint8_t*>(vmctx_);
  std::uint32_t imported = meta().shape.imported_globals;
  if (index < imported) return *reinterpret_cast<void**>(bytes + layout.imported_global(index));
  return bytes + layout.defined_global(index - imported);
}

abi::TagRecord* Instance::tag(std::uint32_t index) const {
  abi::VmLayout layout(meta().shape);
  auto* bytes = reinterpret_cast<std::uint8_t*>(vmctx_);
  std::uint32_t imported = meta().shape.imported_tags;
  if (index < imported) return *reinterpret_cast<abi::TagRecord**>(bytes + layout.imported_tag(index));
  return reinterpret_cast<abi::TagRecord*>(bytes + layout.tag_record(index - imported));
}

Extern Instance::item(artifact::ExternKind kind, std::uint32_t index) const {
  const artifact::ModuleMeta& m = meta();
  auto ids = code_->type_ids(module_);
  // An import keeps the type of what was given for it, which may be narrower than the import's.
  if (kind != ExternKind::Func)
    for (std::size_t i = 0; i < m.imports.size(); ++i)
      if (m.imports[i].kind == kind && m.imports[i].index == index) return imports_[i];
  switch (kind) {
  case ExternKind::Table: {
    const artifact::TableMeta& t = m.tables[index];
    return ExternTable{table(index), canonical_value(t.element_type, ids), t.min, t.max, t.index64};
  }
  case ExternKind::Memory: return memory_extern(memory(index), m.memories[index]);
  case ExternKind::Global:
    return ExternGlobal{global(index), canonical_value(m.globals[index].type, ids), m.globals[index].is_mutable};
  case ExternKind::Tag: return ExternTag{tag(index)};
  case ExternKind::Func: break;
  }
  return ExternFunc{func(index)};
}

std::optional<Extern> Instance::exported(std::string_view name) const {
  for (const artifact::ExportMeta& e : meta().exports)
    if (e.name == name) return item(e.kind, e.index);
  return std::nullopt;
}

} // namespace cusp::runtime
