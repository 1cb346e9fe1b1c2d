// What keeps objects alive, and the walk from there. Roots: globals, tables and element segments of the store's instances,
// by type; whatever looks like a reference, conservatively, on the stacks that guest code of the store runs or waits on (its
// frames, the frames of host code in between, signal frames with the registers of a guest that gave way), in the
// registers, in the results area, in payloads of exceptions, and in globals and tables of the host's making.
// A word is taken for a reference when either half is an offset into an object, or the whole an address in one: an
// optimiser may leave nothing else of a reference. Offsets and addresses inside an object count as well as its start.
#include <algorithm>
#include <cstring>

#include <sanitizer/asan_interface.h>

#include "runtime/context_x86_64.h"
#include "runtime/gc.h"
#include "runtime/store_state.h"
#include "runtime/type_registry.h"

namespace cusp::runtime {

namespace {

class Collection {
public:
  Collection(GcHeap& heap, std::vector<std::uint32_t>& grey) : heap_(heap), grey_(grey) { heap.begin_marking(); }

  void reference(std::uint32_t any) {
    if ((any & 1) == 0) heap_.mark(any, grey_);
  }
  void extern_reference(std::uint64_t value) {
    if ((value & abi::kExternIsAny) != 0) reference(static_cast<std::uint32_t>(value));
  }
  void by_kind(RootKind kind, std::uint64_t value) {
    if (kind == RootKind::Any) reference(static_cast<std::uint32_t>(value));
    else if (kind == RootKind::Extern) extern_reference(value);
  }

  // [begin, end), whatever it holds.
  [[gnu::no_sanitize_address]] void words(const void* begin, const void* end) {
    const std::uintptr_t base = reinterpret_cast<std::uintptr_t>(heap_.base());
    auto at = (reinterpret_cast<std::uintptr_t>(begin) + 7) & ~std::uintptr_t{7};
    for (; at + 8 <= reinterpret_cast<std::uintptr_t>(end); at += 8) {
      const std::uint64_t word = *reinterpret_cast<const volatile std::uint64_t*>(at);
      heap_.mark(word & 0xffffffff, grey_);
      heap_.mark(word >> 32, grey_);
      heap_.mark(word - base, grey_);
    }
  }

  void table(const abi::TableRecord& table, RootKind kind) {
    for (std::uint64_t i = 0; i < table.length; ++i) by_kind(kind, reinterpret_cast<std::uintptr_t>(table.elements[i]));
  }

  void finish() {
    while (!grey_.empty()) {
      const std::uint32_t object = grey_.back();
      grey_.pop_back();
      references_of(object);
    }
    heap_.sweep();
  }

private:
  void references_of(std::uint32_t object) {
    const abi::GcHeader& header = heap_.header(object);
    if (header.type_id >> 2 == 0) return; // a box, or a cell that was taken and no more
    const GcShape& shape = *shape_of(header.type_id);
    const std::uint8_t* bytes = heap_.base() + object;
    auto any_at = [&](const std::uint8_t* at) { reference(*reinterpret_cast<const std::uint32_t*>(at)); };
    auto extern_at = [&](const std::uint8_t* at) { extern_reference(*reinterpret_cast<const std::uint64_t*>(at)); };
    if (shape.kind == abi::TypeKind::Struct) {
      for (std::uint32_t offset : shape.any) any_at(bytes + offset);
      for (std::uint32_t offset : shape.externs) extern_at(bytes + offset);
      return;
    }
    const std::uint8_t* at = bytes + abi::array_data_offset(shape.size);
    const std::uint8_t* end = at + std::uint64_t{header.length} * shape.size;
    if (shape.element == abi::GcStorage::Any)
      for (; at != end; at += shape.size) any_at(at);
    else if (shape.element == abi::GcStorage::Extern)
      for (; at != end; at += shape.size) extern_at(at);
  }

  GcHeap& heap_;
  std::vector<std::uint32_t>& grey_;
};

void mark_instance(Collection& collection, Instance& instance) {
  const artifact::ModuleMeta& meta = instance.meta();
  auto ids = instance.code()->type_ids(instance.module_index());
  auto kind_of = [&](std::uint32_t raw) { return root_kind(canonical_value(raw, ids)); };
  for (std::uint32_t i = meta.shape.imported_globals; i < meta.globals.size(); ++i)
    if (RootKind kind = kind_of(meta.globals[i].type); kind != RootKind::None)
      collection.by_kind(kind, static_cast<const abi::ValRaw*>(instance.global(i))->i64);
  for (std::uint32_t i = meta.shape.imported_tables; i < meta.tables.size(); ++i)
    if (RootKind kind = kind_of(meta.tables[i].element_type); kind != RootKind::None)
      collection.table(*instance.table(i), kind);
  const auto& values = InstanceAccess::elem_values(instance);
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    if (values[i].empty() || InstanceAccess::dropped_elems(instance)[i]) continue;
    const RootKind kind = kind_of(meta.elems[i].type);
    for (std::uint64_t value : values[i]) collection.by_kind(kind, value);
  }
}

} // namespace

void recover_heap(Store& store) {
  const Execution& execution = store.state().execution;
  if (!store.state().gc_heap) return;
  store.state().gc_heap->retire_runs();
  if (execution.stacks.any_in_use()) return;
  constexpr std::size_t kRecent = 64 * 1024; // what deeper calls left is seldom overlaid
  const loop::StackView& stack = execution.stacks.own();
  const std::size_t bytes = std::min<std::size_t>(kRecent, stack.size);
  ASAN_UNPOISON_MEMORY_REGION(stack.base + (stack.size - bytes), bytes); // frames that were dropped left their marks
  std::memset(stack.base + (stack.size - bytes), 0, bytes);
}

[[gnu::noinline]] void Store::collect_garbage() {
  if (!state_->gc_heap) return;
  KeptRegisters kept;
  take_kept_registers(kept);
  Collection collection(*state_->gc_heap, state_->gc_grey);
  collection.words(&kept, &kept + 1);
  state_->execution.stacks.each_in_use(&kept, [&](const void* low, const void* high) { collection.words(low, high); });
  collection.words(results_, results_ + abi::kResultsAreaSize);
  for (const abi::ValRaw& global : state_->globals) collection.words(&global, &global + 1);
  for (const abi::TableRecord& table : state_->tables) collection.words(table.elements, table.elements + table.length);
  state_->exceptions.each_payload([&](const void* low, const void* high) { collection.words(low, high); });
  for (Instance* instance : state_->linked) mark_instance(collection, *instance);
  collection.finish();
}

} // namespace cusp::runtime
