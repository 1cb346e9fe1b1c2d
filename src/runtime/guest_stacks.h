// The stacks that the guest code of one store may be suspended on: the store's own, and as many more of the same size as its tasks
// need at a time, each with a guard below and counted against the memory limit while it is lent.
// Used by the store's thread. Never: allocates when the store's own stack will do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "loop/fiber.h"
#include "runtime/address_space.h"

namespace cusp::runtime {

class GuestStacks {
public:
  void set_up(loop::StackView own, std::size_t guard, class Store* store) {
    own_ = own, guard_ = guard, store_ = store;
  }
  const loop::StackView& own() const { return own_; }
  std::size_t guard() const { return guard_; }

  // base == nullptr: the memory limit, or the system, forbids another one.
  loop::StackView take() {
    if (own_taken_) [[unlikely]]
      return take_another();
    own_taken_ = true;
    return own_;
  }
  void give_back(loop::StackView stack) {
    if (stack.base == own_.base) own_taken_ = false;
    else give_back_another(stack);
  }
  bool any_in_use() const { return own_taken_ || free_.size() != spaces_.size(); }
  // each(low, high) for every stack that is lent, as far as it may hold anything: from `here` up on the stack that this is called
  // on, where `here` is an address in the caller's frame, and all of the others.
  template <class Each> void each_in_use(const void* here, Each each) const {
    auto visit = [&](const loop::StackView& stack) {
      const auto* at = static_cast<const std::byte*>(here);
      const std::byte* high = stack.base + stack.size;
      each(at > stack.base && at < high ? at : stack.base, high);
    };
    if (own_taken_) visit(own_);
    for (const Reservation& space : spaces_) {
      loop::StackView stack{reinterpret_cast<std::byte*>(space.base() + guard_), own_.size};
      if (std::ranges::find(free_, stack.base, &loop::StackView::base) == free_.end()) visit(stack);
    }
  }
  // Unmaps what is kept beyond a few. REQUIRES: none lent.
  void trim();

private:
  static constexpr std::size_t kKept = 4;
  [[gnu::cold, gnu::noinline]] loop::StackView take_another();
  [[gnu::cold, gnu::noinline]] void give_back_another(loop::StackView stack);

  loop::StackView own_{};
  std::size_t guard_ = 0;
  class Store* store_ = nullptr;
  bool own_taken_ = false;
  std::vector<loop::StackView> free_;
  std::vector<Reservation> spaces_; // guard, stack; in the order of making
};

} // namespace cusp::runtime
