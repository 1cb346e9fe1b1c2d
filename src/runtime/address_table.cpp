#include "runtime/address_table.h"

namespace cusp::runtime {

AddressTable::Entry* AddressTable::insert(std::uintptr_t begin, std::uintptr_t end, const void* owner) {
  std::lock_guard lock(mutex_);
  for (Chunk* chunk = &first_;;) {
    for (Entry& entry : chunk->entries) {
      if (entry.begin.load(std::memory_order_relaxed) != kFree) continue;
      entry.end.store(end, std::memory_order_relaxed);
      entry.owner.store(owner, std::memory_order_relaxed);
      entry.begin.store(begin, std::memory_order_release);
      return &entry;
    }
    Chunk* next = chunk->next.load(std::memory_order_relaxed);
    if (next == nullptr) {
      next = new Chunk;
      chunk->next.store(next, std::memory_order_release);
    }
    chunk = next;
  }
}

void AddressTable::remove(Entry* entry) {
  std::lock_guard lock(mutex_);
  entry->begin.store(kFree, std::memory_order_release);
}

const void* AddressTable::find(std::uintptr_t address) const {
  for (const Chunk* chunk = &first_; chunk; chunk = chunk->next.load(std::memory_order_acquire)) {
    for (const Entry& entry : chunk->entries) {
      std::uintptr_t begin = entry.begin.load(std::memory_order_acquire);
      if (address < begin) continue;
      if (address >= entry.end.load(std::memory_order_relaxed)) continue;
      const void* owner = entry.owner.load(std::memory_order_relaxed);
      // The entry may have been given to another range between the loads above; then `begin` changed first.
      std::atomic_thread_fence(std::memory_order_acquire);
      if (entry.begin.load(std::memory_order_relaxed) == begin) return owner;
    }
  }
  return nullptr;
}

// Never destroyed: a handler may run after main(). Made by install_fault_handlers(), before any handler can ask.
AddressTable& guest_code_table() {
  static auto* const table = new AddressTable;
  return *table;
}

AddressTable& write_set_table() {
  static auto* const table = new AddressTable;
  return *table;
}

AddressTable& memory_table() {
  static auto* const table = new AddressTable;
  return *table;
}

AddressTable& artifact_table() {
  static auto* const table = new AddressTable;
  return *table;
}

} // namespace cusp::runtime
