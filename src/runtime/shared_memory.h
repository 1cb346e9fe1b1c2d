// A memory that several agents use at once, each in a store and on a thread of its own (threads proposal). It belongs to all of them: a store
// keeps the shared_ptr, and the record that compiled code reads is here, not in a VM context. Its size only grows, under the
// mutex; others read it atomically. Writes to it are not tracked: a slot puts it back by looking at the page tables.
// Waiting suspends the fiber, so that the thread serves others meanwhile; the waker may be on any thread.
// Who waits is in one list, first come first woken. Everything here but the record is under the mutex.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "loop/event_loop.h"
#include "runtime/address_space.h"
#include "runtime/address_table.h"

namespace cusp::runtime {

// Address space of a memory or table that is not part of a slot.
struct OwnedSpace {
  Reservation space;
  AddressRegistration guarded; // memories
};

class SharedMemory : public std::enable_shared_from_this<SharedMemory> {
public:
  // `space`: empty where the memory lies in a slot.
  explicit SharedMemory(OwnedSpace space) : space_(std::move(space)) {}

  abi::MemoryRecord record{}; // its `shared` is this object

  // What the operator gives. Spec: memory.atomic.wait32.
  enum class Wait : std::uint32_t { Woken, NotEqual, TimedOut };
  // REQUIRES: on a fiber; `bytes` (4 or 8) at `address` are in the memory and aligned.
  Wait wait(const std::uint8_t* address, unsigned bytes, std::uint64_t expected, loop::TimePoint deadline);
  // Wakes at most `most` of those who wait at `address`; returns how many.
  std::uint32_t notify(const std::uint8_t* address, std::uint32_t most);

  std::mutex& growth() { return mutex_; }

private:
  struct Waiter {
    const std::uint8_t* address;
    loop::EventLoop* loop;
    loop::Event woken{};
    bool notified = false;
    Waiter *next = nullptr, *previous = nullptr;
  };
  void append(Waiter& waiter);
  void remove(Waiter& waiter);

  OwnedSpace space_;
  std::mutex mutex_;
  Waiter *first_ = nullptr, *last_ = nullptr;
};

inline SharedMemory* shared_of(const abi::MemoryRecord& memory) { return static_cast<SharedMemory*>(memory.shared); }

} // namespace cusp::runtime
