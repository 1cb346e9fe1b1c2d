// Making exceptions, and finding out which of them are still referred to.
#include "runtime/exceptions.h"

#include "runtime/context_x86_64.h"
#include "wasm/types.h"

namespace cusp::runtime {

namespace {

bool holds_exceptions(std::uint32_t raw) {
  auto type = wasm::ValType::from_raw(raw);
  if (!type.is_ref() || type.heap().is_concrete()) return false;
  return type.heap().abstract() == wasm::AbstractHeapType::Exn;
}

void mark_instance(ExceptionHeap& heap, const Instance& instance) {
  const artifact::ModuleMeta& meta = instance.meta();
  for (std::uint32_t i = 0; i < meta.globals.size(); ++i)
    if (holds_exceptions(meta.globals[i].type)) heap.mark(*static_cast<const std::uintptr_t*>(instance.global(i)));
  for (std::uint32_t i = 0; i < meta.tables.size(); ++i) {
    if (!holds_exceptions(meta.tables[i].element_type)) continue;
    const abi::TableRecord& table = *instance.table(i);
    heap.mark_range(table.elements, table.elements + table.length);
  }
}

// REQUIRES: called by a guest of the store.
[[gnu::noinline]] void collect_exceptions(Store& store) {
  Store::State& state = store.state();
  KeptRegisters kept;
  take_kept_registers(kept);
  auto mark = [&](const void* low, const void* high) { state.exceptions.mark_range(low, high); };
  mark(&kept, &kept + 1);
  state.execution.stacks.each_in_use(&kept, mark);
  for (const Instance* instance : state.linked) mark_instance(state.exceptions, *instance);
  if (state.gc_heap)
    mark(state.gc_heap->base(), state.gc_heap->base() + state.gc_heap->committed()); // fields of objects
  store.charge(std::uint64_t{0} - state.exceptions.sweep());
}

} // namespace

abi::Exception* new_exception(Store& store, const abi::TagRecord* tag, std::uint32_t values) {
  ExceptionHeap& heap = store.state().exceptions;
  abi::Exception* exception = heap.allocate(values);
  if (!exception && heap.wants_collection()) {
    collect_exceptions(store);
    exception = heap.allocate(values);
  }
  if (!exception) {
    const std::uint64_t bytes = ExceptionHeap::chunk_bytes(values);
    bool room = store.charge(bytes);
    if (!room) {
      collect_exceptions(store);
      exception = heap.allocate(values);
      room = !exception && store.charge(bytes);
    }
    if (room && !heap.grow(values)) store.charge(std::uint64_t{0} - bytes);
    if (!exception) exception = heap.allocate(values);
  }
  if (exception) exception->tag = tag;
  return exception;
}

} // namespace cusp::runtime
