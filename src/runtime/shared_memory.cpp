#include "runtime/shared_memory.h"

#include <atomic>

namespace cusp::runtime {

namespace {

std::uint64_t load(const std::uint8_t* address, unsigned bytes) {
  auto* at = const_cast<std::uint8_t*>(address);
  if (bytes == 4) return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(at)).load();
  return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(at)).load();
}

} // namespace

void SharedMemory::append(Waiter& waiter) {
  waiter.previous = last_;
  (last_ ? last_->next : first_) = &waiter;
  last_ = &waiter;
}

void SharedMemory::remove(Waiter& waiter) {
  (waiter.previous ? waiter.previous->next : first_) = waiter.next;
  (waiter.next ? waiter.next->previous : last_) = waiter.previous;
}

SharedMemory::Wait SharedMemory::wait(const std::uint8_t* address, unsigned bytes, std::uint64_t expected,
                                      loop::TimePoint deadline) {
  Waiter waiter{.address = address, .loop = loop::EventLoop::current()};
  {
    // Nobody is woken between the look and the list.
    std::lock_guard lock(mutex_);
    if (load(address, bytes) != expected) return Wait::NotEqual;
    append(waiter);
  }
  bool woken = waiter.woken.wait(deadline);
  {
    // Whoever wakes holds the mutex until it has done with the waiter and its loop.
    std::lock_guard lock(mutex_);
    if (!waiter.notified) {
      remove(waiter);
      return Wait::TimedOut;
    }
  }
  if (!woken) waiter.woken.wait(); // woken at the last moment: the news is under way
  return Wait::Woken;
}

std::uint32_t SharedMemory::notify(const std::uint8_t* address, std::uint32_t most) {
  std::uint32_t count = 0;
  std::lock_guard lock(mutex_);
  for (Waiter *at = first_, *next = nullptr; at && count < most; at = next) {
    next = at->next;
    if (at->address != address) continue;
    remove(*at);
    at->notified = true;
    at->loop->post([at] { at->woken.set(); });
    ++count;
  }
  return count;
}

} // namespace cusp::runtime
