// What guest code calls in the runtime (abi/builtins.def). Bounds are checked before anything is touched. These functions have no
// destructors to run when a trap drops their frames.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>

#include "base/utf8.h"
#include "runtime/exceptions.h"
#include "runtime/gc.h"
#include "runtime/store_state.h"

namespace cusp::runtime {

namespace {

constexpr std::uint64_t kFailed = ~std::uint64_t{0};

bool in_bounds(std::uint64_t at, std::uint64_t count, std::uint64_t size) { return at <= size && count <= size - at; }

} // namespace

namespace {

std::uint64_t grow_alone(Store& store, abi::MemoryRecord& memory, std::uint64_t delta_pages) {
  std::uint64_t old_bytes = memory.byte_length, old_pages = old_bytes / memory.page_size;
  if (delta_pages == 0) return old_pages;
  if (delta_pages > (memory.max_bytes - old_bytes) / memory.page_size) return kFailed;
  std::uint64_t added = delta_pages * memory.page_size;
  if (!store.charge(added)) return kFailed;
  std::uint64_t from = round_to_pages(old_bytes), to = round_to_pages(old_bytes + added);
  if (!open_pages(memory.base + from, to - from)) {
    store.charge(std::uint64_t{0} - added);
    return kFailed;
  }
  std::atomic_ref(memory.byte_length).store(old_bytes + added, std::memory_order_release);
  store.state().grown = true;
  return old_pages;
}

} // namespace

std::uint64_t grow_memory(Store& store, abi::MemoryRecord& memory, std::uint64_t delta_pages) {
  SharedMemory* shared = shared_of(memory);
  if (!shared) return grow_alone(store, memory, delta_pages);
  std::lock_guard lock(shared->growth());
  return grow_alone(store, memory, delta_pages);
}

std::uint64_t grow_table(Store& store, abi::TableRecord& table, std::uint64_t delta, void* init) {
  std::uint64_t old = table.length;
  if (delta == 0) return old;
  if (delta > table.max_length - old || !store.charge(delta * sizeof(void*))) return kFailed;
  std::uint64_t from = round_to_pages(old * sizeof(void*)), to = round_to_pages((old + delta) * sizeof(void*));
  if (!open_pages(reinterpret_cast<std::uint8_t*>(table.elements) + from, to - from)) {
    store.charge(std::uint64_t{0} - delta * sizeof(void*));
    return kFailed;
  }
  table.length = old + delta;
  std::fill_n(table.elements + old, delta, init);
  store.state().grown = true;
  return old;
}

std::uint64_t elem_size(Instance& instance, std::uint32_t elem) {
  if (InstanceAccess::dropped_elems(instance)[elem]) return 0;
  const artifact::ElemMeta& segment = instance.meta().elems[elem];
  return segment.funcs.empty() ? segment.expressions.size() : segment.funcs.size();
}

std::uint64_t elem_value(Instance& instance, std::uint32_t elem, std::uint64_t item) {
  const artifact::ElemMeta& segment = instance.meta().elems[elem];
  if (segment.funcs.empty()) return InstanceAccess::elem_values(instance)[elem][item];
  return reinterpret_cast<std::uintptr_t>(instance.func(segment.funcs[item]));
}

bool init_table(Instance& instance, std::uint32_t table, std::uint32_t elem, std::uint64_t to, std::uint64_t from,
                std::uint64_t count) {
  abi::TableRecord& record = *instance.table(table);
  if (!in_bounds(from, count, elem_size(instance, elem)) || !in_bounds(to, count, record.length)) return false;
  for (std::uint64_t i = 0; i < count; ++i)
    record.elements[to + i] = reinterpret_cast<void*>(elem_value(instance, elem, from + i));
  return true;
}

bool init_memory(Instance& instance, std::uint32_t memory, std::uint32_t data, std::uint64_t to, std::uint64_t from,
                 std::uint64_t count) {
  const artifact::DataMeta& segment = instance.meta().datas[data];
  std::uint64_t size = InstanceAccess::dropped_datas(instance)[data] ? 0 : segment.bytes_size;
  abi::MemoryRecord& record = *instance.memory(memory);
  if (!in_bounds(from, count, size) || !in_bounds(to, count, byte_length(record))) return false;
  if (count != 0)
    std::memcpy(record.base + to, instance.code()->artifact().image().data() + segment.bytes_offset + from, count);
  return true;
}

void give_way(Store& store) {
  Execution& execution = store.state().execution;
  if (execution.interrupted && interruption_due(execution)) [[unlikely]]
    raise_trap(abi::Trap::Timeout);
}
// throw_x86_64.S
[[noreturn]] void builtin_throw_exception(abi::VmContext*, const abi::Exception*) asm("cusp_throw_exception");

namespace {

using abi::VmContext;

void give_way(VmContext* vmctx) { runtime::give_way(store_of(vmctx)); }

constexpr std::uint64_t kPiece = 1 << 20; // about as long as a host call takes; a memory of 4 GiB takes a second

void copy_bytes(VmContext* vmctx, std::uint8_t* to, const std::uint8_t* from, std::uint64_t n) {
  const bool backwards = to > from; // the pieces, where they overlap
  for (std::uint64_t left = n; left != 0;) {
    std::uint64_t size = std::min(kPiece, left), at = backwards ? left - size : n - left;
    std::memmove(to + at, from + at, size);
    left -= size;
    give_way(vmctx);
  }
}

std::uint64_t builtin_memory_grow(VmContext* vmctx, std::uint32_t memory, std::uint64_t delta) {
  std::uint64_t old = grow_memory(store_of(vmctx), *instance_of(vmctx).memory(memory), delta);
  give_way(vmctx);
  return old;
}

void builtin_memory_copy(VmContext* vmctx, std::uint32_t to, std::uint32_t from, std::uint64_t d, std::uint64_t s,
                         std::uint64_t n) {
  abi::MemoryRecord& target = *instance_of(vmctx).memory(to);
  abi::MemoryRecord& source = *instance_of(vmctx).memory(from);
  if (!in_bounds(d, n, byte_length(target)) || !in_bounds(s, n, byte_length(source)))
    raise_trap(abi::Trap::MemoryOutOfBounds);
  copy_bytes(vmctx, target.base + d, source.base + s, n);
}

// Checked and copied piece by piece, while a piece is in the cache. A piece ends between two characters.
std::uint32_t builtin_utf8_copy(VmContext* vmctx, std::uint32_t to, std::uint32_t from, std::uint32_t d,
                                std::uint32_t s, std::uint32_t n) {
  constexpr std::uint32_t kCached = 16 << 10;
  abi::MemoryRecord& target = *instance_of(vmctx).memory(to);
  abi::MemoryRecord& source = *instance_of(vmctx).memory(from);
  if (!in_bounds(d, n, byte_length(target)) || !in_bounds(s, n, byte_length(source)))
    raise_trap(abi::Trap::MemoryOutOfBounds);
  const char* text = reinterpret_cast<const char*>(source.base + s);
  std::uint8_t* at = target.base + d;
  for (std::uint32_t left = n; left != 0;) {
    std::uint32_t size = std::min(kCached, left);
    if (size < left)
      while (size > kCached - 4 && (text[size] & 0xc0) == 0x80) --size;
    if (base::Utf8 found = base::check_utf8({text, size}); found != base::Utf8::Valid)
      return static_cast<std::uint32_t>(size < left ? base::Utf8::Invalid : found);
    std::memcpy(at, text, size);
    text += size, at += size, left -= size;
    if (left != 0) give_way(vmctx);
  }
  return 0;
}

void builtin_memory_fill(VmContext* vmctx, std::uint32_t memory, std::uint64_t d, std::uint32_t byte, std::uint64_t n) {
  abi::MemoryRecord& target = *instance_of(vmctx).memory(memory);
  if (!in_bounds(d, n, byte_length(target))) raise_trap(abi::Trap::MemoryOutOfBounds);
  for (std::uint64_t at = 0; at < n; at += kPiece) {
    std::memset(target.base + d + at, static_cast<int>(byte & 0xff), std::min(kPiece, n - at));
    give_way(vmctx);
  }
}

void builtin_memory_init(VmContext* vmctx, std::uint32_t memory, std::uint32_t data, std::uint64_t d, std::uint32_t s,
                         std::uint32_t n) {
  if (!init_memory(instance_of(vmctx), memory, data, d, s, n)) raise_trap(abi::Trap::MemoryOutOfBounds);
  give_way(vmctx);
}

void builtin_data_drop(VmContext* vmctx, std::uint32_t data) {
  InstanceAccess::dropped_datas(instance_of(vmctx))[data] = true;
  store_of(vmctx).state().dropped = true;
}

// Where an atomic operator of `bytes` bytes goes; traps when that is nowhere.
std::uint8_t* atomic_address(abi::MemoryRecord& memory, std::uint64_t index, std::uint64_t offset, unsigned bytes) {
  std::uint64_t at = 0;
  const bool wraps = __builtin_add_overflow(index, offset, &at);
  if (at % bytes != 0) raise_trap(abi::Trap::UnalignedAtomic);
  if (wraps || !in_bounds(at, bytes, byte_length(memory))) raise_trap(abi::Trap::MemoryOutOfBounds);
  return memory.base + at;
}

// When a wait that may take `timeout` nanoseconds ends for certain: never later than the request.
loop::TimePoint wait_deadline(std::int64_t timeout) {
  std::int64_t at = earliest_deadline(current_activation());
  if (timeout >= 0) {
    const std::int64_t now = loop::Clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
    if (timeout < at - now) at = now + timeout;
  }
  return at == kNoDeadline ? loop::kNever : loop::TimePoint(std::chrono::nanoseconds(at));
}

std::uint32_t wait(VmContext* vmctx, std::uint32_t memory, std::uint64_t index, std::uint64_t offset, unsigned bytes,
                   std::uint64_t expected, std::int64_t timeout) {
  abi::MemoryRecord& record = *instance_of(vmctx).memory(memory);
  std::uint8_t* address = atomic_address(record, index, offset, bytes);
  SharedMemory* shared = shared_of(record);
  if (!shared) raise_trap(abi::Trap::ExpectedSharedMemory);
  SharedMemory::Wait how = shared->wait(address, bytes, expected, wait_deadline(timeout));
  if (how == SharedMemory::Wait::TimedOut && deadline_passed(current_activation())) raise_trap(abi::Trap::Timeout);
  return static_cast<std::uint32_t>(how);
}

std::uint32_t builtin_memory_wait32(VmContext* vmctx, std::uint32_t memory, std::uint64_t index, std::uint64_t offset,
                                    std::uint32_t expected, std::int64_t timeout) {
  return wait(vmctx, memory, index, offset, 4, expected, timeout);
}

std::uint32_t builtin_memory_wait64(VmContext* vmctx, std::uint32_t memory, std::uint64_t index, std::uint64_t offset,
                                    std::uint64_t expected, std::int64_t timeout) {
  return wait(vmctx, memory, index, offset, 8, expected, timeout);
}

// Nobody can wait on a memory that is not shared.
std::uint32_t builtin_memory_notify(VmContext* vmctx, std::uint32_t memory, std::uint64_t index, std::uint64_t offset,
                                    std::uint32_t most) {
  abi::MemoryRecord& record = *instance_of(vmctx).memory(memory);
  std::uint8_t* address = atomic_address(record, index, offset, 4);
  SharedMemory* shared = shared_of(record);
  return shared ? shared->notify(address, most) : 0;
}

std::uint64_t builtin_table_grow(VmContext* vmctx, std::uint32_t table, std::uint64_t delta, void* init) {
  std::uint64_t old = grow_table(store_of(vmctx), *instance_of(vmctx).table(table), delta, init);
  give_way(vmctx);
  return old;
}

void builtin_table_fill(VmContext* vmctx, std::uint32_t table, std::uint64_t i, void* value, std::uint64_t n) {
  abi::TableRecord& record = *instance_of(vmctx).table(table);
  if (!in_bounds(i, n, record.length)) raise_trap(abi::Trap::TableOutOfBounds);
  std::fill_n(record.elements + i, n, value);
  give_way(vmctx);
}

void builtin_table_copy(VmContext* vmctx, std::uint32_t to, std::uint32_t from, std::uint64_t d, std::uint64_t s,
                        std::uint64_t n) {
  abi::TableRecord& target = *instance_of(vmctx).table(to);
  abi::TableRecord& source = *instance_of(vmctx).table(from);
  if (!in_bounds(d, n, target.length) || !in_bounds(s, n, source.length)) raise_trap(abi::Trap::TableOutOfBounds);
  copy_bytes(vmctx, reinterpret_cast<std::uint8_t*>(target.elements + d),
             reinterpret_cast<const std::uint8_t*>(source.elements + s), n * sizeof(void*));
}

void builtin_table_init(VmContext* vmctx, std::uint32_t table, std::uint32_t elem, std::uint64_t d, std::uint32_t s,
                        std::uint32_t n) {
  if (!init_table(instance_of(vmctx), table, elem, d, s, n)) raise_trap(abi::Trap::TableOutOfBounds);
  give_way(vmctx);
}

void builtin_elem_drop(VmContext* vmctx, std::uint32_t elem) {
  InstanceAccess::dropped_elems(instance_of(vmctx))[elem] = true;
  store_of(vmctx).state().dropped = true;
}

abi::Exception* builtin_exception_new(VmContext* vmctx, const abi::TagRecord* tag, std::uint32_t values) {
  abi::Exception* exception = new_exception(store_of(vmctx), tag, values);
  if (!exception) raise_trap(abi::Trap::MemoryLimit);
  return exception;
}

void builtin_raise_trap(VmContext*, std::uint32_t trap) { raise_trap(static_cast<abi::Trap>(trap)); }

// Called by host stubs: the first argument is a HostFunc there, so the store is found through the activation.
void builtin_raise_pending(void*) {
  Store::State* state = Store::State::of(*current_activation()->execution);
  state->pending.raised = true;
  raise_trap(state->pending.set ? state->pending.info.trap : abi::Trap::HostError);
}

} // namespace

const void* const kBuiltins[abi::kBuiltinCount] = {
#define BUILTIN(name, ...) reinterpret_cast<const void*>(&builtin_##name),
#include "abi/builtins.def"
#undef BUILTIN
};

} // namespace cusp::runtime
