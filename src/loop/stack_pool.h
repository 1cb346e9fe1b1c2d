// Stacks for fibers: mapped with a guard page below, kept for reuse. One per loop; not thread-safe. Private to loop/.
#pragma once

#include <sys/mman.h>

#include <vector>

#include "base/result.h"
#include "loop/fiber.h"

namespace cusp::loop {

class StackPool {
public:
  explicit StackPool(std::size_t default_bytes) : default_bytes_(default_bytes) {}
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool() {
    for (StackView stack : free_) unmap(stack);
  }

  // base == nullptr when the system has no memory left.
  StackView take(std::size_t bytes) {
    if (bytes == default_bytes_ && !free_.empty()) {
      StackView stack = free_.back();
      free_.pop_back();
      return stack;
    }
    void* memory = mmap(nullptr, bytes + kGuard, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return {};
    mprotect(memory, kGuard, PROT_NONE);
    return {static_cast<std::byte*>(memory) + kGuard, bytes};
  }
  void give_back(StackView stack) {
    if (stack.size == default_bytes_ && free_.size() < kMostKept) free_.push_back(stack);
    else unmap(stack);
  }

private:
  static constexpr std::size_t kGuard = 4096, kMostKept = 1024;
  static void unmap(StackView stack) { munmap(stack.base - kGuard, stack.size + kGuard); }
  std::size_t default_bytes_;
  std::vector<StackView> free_;
};

} // namespace cusp::loop
