#include "app/handler_use.h"

#include <algorithm>

namespace cusp::app {

// The slot has one deadline: the first of its requests'. Without a request the last one stays, for what the guest goes on with.
void HandlerUses::limit(HandlerUse& use) {
  if (use.deadlines.empty()) return;
  loop::TimePoint first = *std::ranges::min_element(use.deadlines);
  use.context.deadline = first;
  use.lease->slot().set_deadline(first == loop::kNever ? std::nullopt
                                                       : std::optional<std::int64_t>(first.time_since_epoch().count()));
}

Result<std::shared_ptr<HandlerUse>> HandlerUses::begin(canon::InstancePool& pool, std::uint64_t id,
                                                       loop::TimePoint deadline) {
  std::shared_ptr<HandlerUse> use;
  for (auto one = reusable_.rbegin(); one != reusable_.rend() && !use; ++one)
    if ((*one)->active < service_.options->instance_concurrency) use = *one;
  if (!use) {
    use = std::make_shared<HandlerUse>(service_, log_, id);
    use->context.deadline = deadline;
    use->lease = CUSP_TRY(pool.acquire(&use->context));
    use->lease->set_before_wait([](void* context) { static_cast<wasi::Context*>(context)->flush(); });
    if (service_.options->instance_reuse > 1) reusable_.push_back(use);
  }
  ++use->active;
  use->deadlines.push_back(deadline);
  limit(*use);
  if (++use->taken >= service_.options->instance_reuse) std::erase(reusable_, use);
  return use;
}

void HandlerUses::end(std::shared_ptr<HandlerUse> use, loop::TimePoint deadline) {
  --use->active;
  use->deadlines.erase(std::ranges::find(use->deadlines, deadline));
  use->idle_since = loop::Clock::now();
  limit(*use);
  if (use->lease->poisoned()) std::erase(reusable_, use);
  if (!use->active && !use->driver && !use->lease->poisoned() && !use->lease->is_idle()) drive(use);
}

void HandlerUses::drive(const std::shared_ptr<HandlerUse>& use) {
  driven_.push_back(use);
  use->driver = loop_.spawn([this, use] {
    (void)use->lease->finish(); // what it fails with has nobody to go to
    use->driver = nullptr;
    std::erase(driven_, use);
    if (use->lease->poisoned()) std::erase(reusable_, use);
  });
  if (!use->driver) std::erase(driven_, use); // no memory: it ends here
}

void HandlerUses::trim(loop::TimePoint since) {
  std::erase_if(reusable_, [&](const auto& use) { return !use->active && !use->driver && use->idle_since < since; });
}

void HandlerUses::end_all() {
  reusable_.clear();
  for (const auto& use : driven_)
    if (use->driver) loop_.cancel(use->driver);
}

} // namespace cusp::app
