#include "runtime/gc.h"

#include <cstring>

#include "runtime/activation.h"
#include "runtime/store_state.h"

namespace cusp::runtime {

namespace {

// Opens more of the heap, as far as the store's limits allow.
bool grow_heap(Store& store, GcHeap& heap, std::uint64_t bytes) {
  const std::uint64_t added = heap.grow(bytes, store.memory_left());
  if (added == 0) return false;
  store.charge(added);
  store.state().grown = true;
  return true;
}

[[gnu::noinline]] std::uint32_t allocate_slowly(Store& store, std::uint64_t bytes, Allocation by) {
  GcHeap& heap = *store.state().gc_heap;
  if (bytes > heap.largest_object()) return 0;
  if (by == Allocation::Host) {
    const std::uint64_t due = heap.set_due(~std::uint64_t{0});
    std::uint32_t at = heap.allocate(bytes);
    if (at == 0 && grow_heap(store, heap, bytes)) at = heap.allocate(bytes);
    heap.set_due(due);
    return at;
  }
  give_way(store);
  bool collected = heap.collection_due();
  if (collected) store.collect_garbage();
  for (;;) {
    if (std::uint32_t at = heap.allocate(bytes)) return at;
    if (grow_heap(store, heap, bytes)) continue;
    if (collected) return 0;
    store.collect_garbage();
    collected = true;
  }
}

} // namespace

std::uint32_t new_object(Store& store, std::uint32_t id, std::uint32_t length, std::uint64_t bytes, Allocation by) {
  GcHeap& heap = *store.state().gc_heap;
  std::uint32_t at = heap.allocate(bytes);
  if (at == 0) [[unlikely]]
    at = allocate_slowly(store, bytes, by);
  if (at == 0) return 0;
  heap.header(at).type_id = id;
  if (length != 0) heap.header(at).length = length; // a structure may have no such word
  return at;
}

abi::Trap why_no_room(Store& store, std::uint64_t bytes) {
  return bytes > store.state().gc_heap->largest_object() ? abi::Trap::AllocationTooLarge : abi::Trap::MemoryLimit;
}

void store_value(std::uint8_t* at, abi::GcStorage storage, const abi::ValRaw& value) {
  // Little-endian: the low bytes come first.
  std::memcpy(at, &value, abi::storage_size(storage));
}

std::uint32_t any_of_extern(Store& store, std::uint64_t reference, Allocation by) {
  if ((reference & abi::kExternIsAny) != 0 || reference == 0) return static_cast<std::uint32_t>(reference);
  const std::uint32_t box = new_object(store, abi::kExternBoxId, 0, sizeof(abi::GcExternBox), by);
  if (box != 0) reinterpret_cast<abi::GcExternBox&>(store.state().gc_heap->header(box)).value = reference;
  return box;
}

std::uint64_t extern_of_any(Store& store, std::uint32_t reference) {
  if (reference == 0) return 0;
  if ((reference & 1) == 0) {
    abi::GcHeader& header = store.state().gc_heap->header(reference);
    if (header.type_id == abi::kExternBoxId) return reinterpret_cast<abi::GcExternBox&>(header).value;
  }
  return abi::kExternIsAny | reference;
}

// ---- built-ins ----

namespace {

bool in_bounds(std::uint64_t at, std::uint64_t count, std::uint64_t size) { return at <= size && count <= size - at; }

std::uint32_t new_or_trap(abi::VmContext* vmctx, std::uint32_t id, std::uint32_t length, std::uint64_t bytes) {
  Store& store = store_of(vmctx);
  const std::uint32_t at = new_object(store, id, length, bytes, Allocation::Guest);
  if (at == 0) raise_trap(why_no_room(store, bytes));
  return at;
}

// The bytes of a data segment from `s`. Traps when they are not all there.
const std::uint8_t* segment_bytes(abi::VmContext* vmctx, std::uint32_t data, std::uint64_t s, std::uint64_t bytes) {
  Instance& instance = instance_of(vmctx);
  const artifact::DataMeta& segment = instance.meta().datas[data];
  const std::uint64_t size = InstanceAccess::dropped_datas(instance)[data] ? 0 : segment.bytes_size;
  if (!in_bounds(s, bytes, size)) raise_trap(abi::Trap::MemoryOutOfBounds);
  return instance.code()->artifact().image().data() + segment.bytes_offset + s;
}

void check_segment_elements(abi::VmContext* vmctx, std::uint32_t elem, std::uint64_t s, std::uint64_t n) {
  if (!in_bounds(s, n, elem_size(instance_of(vmctx), elem))) raise_trap(abi::Trap::TableOutOfBounds);
}

// REQUIRES: in bounds.
void copy_elements(abi::VmContext* vmctx, std::uint32_t elem, std::uint32_t s, std::uint32_t n, std::uint8_t* to,
                   std::uint32_t size) {
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint64_t value = elem_value(instance_of(vmctx), elem, s + i);
    std::memcpy(to + std::uint64_t{i} * size, &value, size);
  }
}

std::uint8_t* checked_elements(abi::VmContext* vmctx, std::uint32_t array, std::uint32_t at, std::uint32_t n,
                               std::uint32_t size) {
  GcHeap& heap = *store_of(vmctx).state().gc_heap;
  if (array == 0) raise_trap(abi::Trap::NullReference);
  if (!in_bounds(at, n, heap.header(array).length)) raise_trap(abi::Trap::ArrayOutOfBounds);
  return array_data(heap, array, size) + std::uint64_t{at} * size;
}

} // namespace

std::uint32_t builtin_gc_struct_new(abi::VmContext* vmctx, std::uint32_t id, std::uint32_t size) {
  return new_or_trap(vmctx, id, 0, size);
}

std::uint32_t builtin_gc_array_new(abi::VmContext* vmctx, std::uint32_t id, std::uint32_t length, std::uint32_t size) {
  return new_or_trap(vmctx, id, length, array_bytes(length, size));
}

std::uint32_t builtin_gc_array_new_data(abi::VmContext* vmctx, std::uint32_t id, std::uint32_t data, std::uint32_t s,
                                        std::uint32_t n, std::uint32_t size) {
  const std::uint64_t bytes = std::uint64_t{n} * size;
  const std::uint8_t* from = segment_bytes(vmctx, data, s, bytes);
  const std::uint32_t array = new_or_trap(vmctx, id, n, array_bytes(n, size));
  if (n != 0) std::memcpy(array_data(*store_of(vmctx).state().gc_heap, array, size), from, bytes);
  return array;
}

std::uint32_t builtin_gc_array_new_elem(abi::VmContext* vmctx, std::uint32_t id, std::uint32_t elem, std::uint32_t s,
                                        std::uint32_t n, std::uint32_t size) {
  check_segment_elements(vmctx, elem, s, n);
  const std::uint32_t array = new_or_trap(vmctx, id, n, array_bytes(n, size));
  copy_elements(vmctx, elem, s, n, array_data(*store_of(vmctx).state().gc_heap, array, size), size);
  return array;
}

void builtin_gc_array_copy(abi::VmContext* vmctx, std::uint32_t to, std::uint32_t d, std::uint32_t from,
                           std::uint32_t s, std::uint32_t n, std::uint32_t size) {
  std::uint8_t* target = checked_elements(vmctx, to, d, n, size);
  const std::uint8_t* source = checked_elements(vmctx, from, s, n, size);
  std::memmove(target, source, std::uint64_t{n} * size);
  give_way(store_of(vmctx));
}

void builtin_gc_array_init_data(abi::VmContext* vmctx, std::uint32_t to, std::uint32_t data, std::uint32_t d,
                                std::uint32_t s, std::uint32_t n, std::uint32_t size) {
  std::uint8_t* target = checked_elements(vmctx, to, d, n, size);
  const std::uint64_t bytes = std::uint64_t{n} * size;
  const std::uint8_t* from = segment_bytes(vmctx, data, s, bytes);
  if (n != 0) std::memcpy(target, from, bytes);
  give_way(store_of(vmctx));
}

void builtin_gc_array_init_elem(abi::VmContext* vmctx, std::uint32_t to, std::uint32_t elem, std::uint32_t d,
                                std::uint32_t s, std::uint32_t n, std::uint32_t size) {
  std::uint8_t* target = checked_elements(vmctx, to, d, n, size);
  check_segment_elements(vmctx, elem, s, n);
  copy_elements(vmctx, elem, s, n, target, size);
  give_way(store_of(vmctx));
}

std::uint32_t builtin_gc_box_extern(abi::VmContext* vmctx, void* value) {
  const std::uint32_t box = any_of_extern(store_of(vmctx), reinterpret_cast<std::uintptr_t>(value), Allocation::Guest);
  if (box == 0) raise_trap(why_no_room(store_of(vmctx), sizeof(abi::GcExternBox)));
  return box;
}

} // namespace cusp::runtime
