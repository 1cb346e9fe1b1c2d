// A guest without a guest: a piece of memory, a realloc that is a bump allocator in C++, and the contexts to lift and
// lower with.
#pragma once

#include <cstring>
#include <gtest/gtest.h>

#include "canon/abi.h"
#include "canon/task.h"

namespace cusp::canon {

struct GuestMemory {
  explicit GuestMemory(component::StringEncoding encoding = component::StringEncoding::Utf8, std::size_t size = 65536)
      : bytes(size) {
    record = {bytes.data(), bytes.size(), bytes.size(), 65536};
    host = {&GuestMemory::realloc, nullptr, this, nullptr};
    options.memory = &record;
    options.realloc.host = &host;
    options.string_encoding = encoding;
  }
  ~GuestMemory() { state.handles.clear(); }
  static std::uint32_t realloc(abi::HostFunc* self, abi::ValRaw* values) {
    auto& memory = *static_cast<GuestMemory*>(self->environment);
    std::uint32_t old = values[0].i32, old_size = values[1].i32, alignment = values[2].i32, size = values[3].i32;
    ++memory.calls;
    memory.sizes.push_back(size);
    memory.saw_may_leave = memory.saw_may_leave || memory.state.may_leave;
    if (memory.forced) return values[0].i64 = *memory.forced, 0;
    if (memory.fails) return 1;
    std::uint32_t at = (memory.top + alignment - 1) & ~(alignment - 1);
    memory.top = at + size;
    if (old_size && at + size <= memory.bytes.size())
      std::memmove(memory.bytes.data() + at, memory.bytes.data() + old, std::min(old_size, size));
    values[0].i64 = at;
    return 0;
  }
  void put(std::uint32_t at, std::string_view data) { std::memcpy(bytes.data() + at, data.data(), data.size()); }
  template <class T> void put_raw(std::uint32_t at, T value) { store_raw(bytes.data() + at, value); }
  std::string get(std::uint32_t at, std::size_t size) const {
    return {reinterpret_cast<const char*>(bytes.data()) + at, size};
  }

  std::vector<std::uint8_t> bytes;
  abi::MemoryRecord record{};
  abi::HostFunc host{};
  RuntimeOptions options;
  InstanceState state;
  std::uint32_t top = 1024, calls = 0;
  std::vector<std::uint32_t> sizes;    // that realloc was asked for
  std::optional<std::uint32_t> forced; // what realloc gives
  bool fails = false, saw_may_leave = false;
};

// One use of a GuestMemory.
struct Use : CallContext {
  explicit Use(GuestMemory& memory, Task* task = nullptr)
      : CallContext(nullptr, memory.state, memory.options, task), memory(memory) {}
  GuestMemory& memory;

  template <class T> T load(std::uint32_t at) { return Abi<T>::load(*this, memory.bytes.data() + at); }
  template <class T> void store(std::uint32_t at, T value) {
    Abi<T>::store(*this, memory.bytes.data() + at, std::move(value));
  }
};

} // namespace cusp::canon
