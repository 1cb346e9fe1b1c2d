// Objects of garbage-collected types: making them, and references at the boundary of guest and host. The heap itself is
// gc_heap.h; what keeps an object alive is gc_collect.cpp's. Private to the room, but for what Store offers.
#pragma once

#include <cstdint>

#include "abi/vm.h"
#include "runtime/gc_heap.h"
#include "runtime/store.h"

namespace cusp::runtime {

// Who asks for an object. A host's references stand where no collection looks for them, so that its requests only grow the
// heap.
enum class Allocation : std::uint8_t { Guest, Host };

// A new object with its header, otherwise zero. 0: there is no room; why_no_room() tells the trap.
std::uint32_t new_object(Store& store, std::uint32_t id, std::uint32_t length, std::uint64_t bytes, Allocation by);
abi::Trap why_no_room(Store& store, std::uint64_t bytes);

// Bytes of an array of `length` elements of `size` bytes.
constexpr std::uint64_t array_bytes(std::uint64_t length, std::uint32_t size) {
  return abi::array_data_offset(size) + (length + 1) * size;
}
inline std::uint8_t* array_data(GcHeap& heap, std::uint32_t array, std::uint32_t size) {
  return heap.base() + array + abi::array_data_offset(size);
}

// A value as a field or element holds it.
void store_value(std::uint8_t* at, abi::GcStorage storage, const abi::ValRaw& value);

// any.convert_extern and extern.convert_any. The former gives 0 for a reference that is not null when there is no room.
std::uint32_t any_of_extern(Store& store, std::uint64_t reference, Allocation by);
std::uint64_t extern_of_any(Store& store, std::uint32_t reference);

// Built-ins (abi/builtins.def).
std::uint32_t builtin_gc_struct_new(abi::VmContext* vmctx, std::uint32_t id, std::uint32_t size);
std::uint32_t builtin_gc_array_new(abi::VmContext* vmctx, std::uint32_t id, std::uint32_t length, std::uint32_t size);
std::uint32_t builtin_gc_array_new_data(abi::VmContext* vmctx, std::uint32_t id, std::uint32_t data, std::uint32_t s,
                                        std::uint32_t n, std::uint32_t size);
std::uint32_t builtin_gc_array_new_elem(abi::VmContext* vmctx, std::uint32_t id, std::uint32_t elem, std::uint32_t s,
                                        std::uint32_t n, std::uint32_t size);
void builtin_gc_array_copy(abi::VmContext* vmctx, std::uint32_t to, std::uint32_t d, std::uint32_t from,
                           std::uint32_t s, std::uint32_t n, std::uint32_t size);
void builtin_gc_array_init_data(abi::VmContext* vmctx, std::uint32_t to, std::uint32_t data, std::uint32_t d,
                                std::uint32_t s, std::uint32_t n, std::uint32_t size);
void builtin_gc_array_init_elem(abi::VmContext* vmctx, std::uint32_t to, std::uint32_t elem, std::uint32_t d,
                                std::uint32_t s, std::uint32_t n, std::uint32_t size);
std::uint32_t builtin_gc_box_extern(abi::VmContext* vmctx, void* value);

} // namespace cusp::runtime
