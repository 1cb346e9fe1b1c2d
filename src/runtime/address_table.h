// Which of our objects does this address belong to? Asked by signal handlers on any thread, so look-up takes no lock and
// allocates nothing; changes are rare (loading code, making a slot) and take a mutex. Entries live in chunks that are
// reused and never freed, so a reader can never touch freed memory.
// A handler asks only about addresses that the interrupted thread is using, so the entry it finds cannot go away meanwhile.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

namespace cusp::runtime {

class AddressTable {
public:
  struct Entry {
    std::atomic<std::uintptr_t> begin{kFree}, end{0};
    std::atomic<const void*> owner{nullptr};
  };

  Entry* insert(std::uintptr_t begin, std::uintptr_t end, const void* owner);
  void remove(Entry* entry);
  // The owner of the entry that holds `address`, or nullptr. Async-signal-safe.
  const void* find(std::uintptr_t address) const;

private:
  static constexpr std::uintptr_t kFree = ~std::uintptr_t{0};
  struct Chunk {
    Entry entries[64];
    std::atomic<Chunk*> next{nullptr};
  };
  Chunk first_;
  std::mutex mutex_;
};

// The signal handlers' tables; the process's only global state.
AddressTable& guest_code_table(); // owner: GuestCode
AddressTable& write_set_table();  // owner: WriteSet
AddressTable& memory_table(); // linear memories, guards included; owner: the GuestCode whose image may be mapped there
AddressTable& artifact_table(); // mapped artifact files; owner: GuestCode

// A range of executable guest code and where its trap stubs are.
struct GuestCode {
  const std::uint8_t* begin = nullptr;
  const std::uint8_t* end = nullptr;
  const std::uint8_t* trap_stubs = nullptr; // kTrapCount stubs, abi::kTrapStubSize apart
  const void* owner = nullptr;              // the Code
  // A page of the artifact's file is gone: it was cut off under its mapping. Set by the fault handler, for good.
  mutable std::atomic<bool> damaged{false};
};

// The guest code that `pc` lies in, or nullptr. Async-signal-safe.
inline const GuestCode* find_guest_code(std::uintptr_t pc) {
  return static_cast<const GuestCode*>(guest_code_table().find(pc));
}

// Keeps an entry in a table for as long as it lives.
class AddressRegistration {
public:
  AddressRegistration() = default;
  AddressRegistration(AddressTable& table, const void* begin, const void* end, const void* owner)
      : table_(&table),
        entry_(table.insert(reinterpret_cast<std::uintptr_t>(begin), reinterpret_cast<std::uintptr_t>(end), owner)) {}
  AddressRegistration(AddressRegistration&& other) noexcept : table_(other.table_), entry_(other.entry_) {
    other.entry_ = nullptr;
  }
  AddressRegistration& operator=(AddressRegistration&& other) noexcept {
    std::swap(table_, other.table_);
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~AddressRegistration() {
    if (entry_) table_->remove(entry_);
  }

private:
  AddressTable* table_ = nullptr;
  AddressTable::Entry* entry_ = nullptr;
};

} // namespace cusp::runtime
