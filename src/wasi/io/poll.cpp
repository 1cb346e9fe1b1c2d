#include "wasi/io/poll.h"

#include <vector>

namespace cusp::wasi {

WaitOutcome wait_for_any(std::span<Waitable* const> what, loop::TimePoint deadline) {
  constexpr std::size_t kUsual = 8;
  loop::Event* few[kUsual];
  std::vector<loop::Event*> many;
  for (;;) {
    for (Waitable* one : what)
      if (one->ready()) return WaitOutcome::Ready;
    std::span<loop::Event*> events(few);
    if (what.size() > kUsual) {
      many.resize(what.size());
      events = many;
    }
    std::size_t count = 0;
    loop::TimePoint until = deadline;
    for (Waitable* one : what) {
      if (loop::Event* event = one->event()) events[count++] = event;
      until = std::min(until, one->when());
    }
    if (count == 0 && until == loop::kNever) return WaitOutcome::Forever;
    bool woken = loop::wait_any(events.first(count), until);
    if (!woken && loop::Fiber::current()->cancelled()) return WaitOutcome::Cancelled;
    if (!woken && loop::Clock::now() >= deadline) {
      for (Waitable* one : what)
        if (one->ready()) return WaitOutcome::Ready;
      return WaitOutcome::Deadline;
    }
  }
}

WaitOutcome wait_for(Waitable& what, loop::TimePoint deadline) {
  Waitable* one = &what;
  return wait_for_any(std::span<Waitable* const>(&one, 1), deadline);
}

} // namespace cusp::wasi
