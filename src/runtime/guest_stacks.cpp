#include "runtime/guest_stacks.h"

#include "runtime/store.h"

namespace cusp::runtime {

loop::StackView GuestStacks::take_another() {
  if (!store_->charge(own_.size)) return {};
  if (free_.empty()) {
    base::Result<Reservation> space = Reservation::create(guard_ + own_.size);
    if (!space || !open_pages(space->base() + guard_, own_.size)) {
      store_->charge(std::uint64_t{0} - own_.size);
      return {};
    }
    free_.push_back({reinterpret_cast<std::byte*>(space->base() + guard_), own_.size});
    spaces_.push_back(std::move(*space));
  }
  loop::StackView stack = free_.back();
  free_.pop_back();
  return stack;
}

void GuestStacks::give_back_another(loop::StackView stack) {
  store_->charge(std::uint64_t{0} - own_.size);
  free_.push_back(stack);
}

void GuestStacks::trim() {
  if (spaces_.size() <= kKept) return;
  spaces_.resize(kKept);
  free_.clear();
  for (const Reservation& space : spaces_)
    free_.push_back({reinterpret_cast<std::byte*>(space.base() + guard_), own_.size});
}

} // namespace cusp::runtime
