// How a call from the host comes to run where a guest can.
#pragma once

#include "embed/errors.h"
#include "embed/thread.h"

namespace cusp::embed {

// Runs `body` (a base::Result<void>) on a fiber of the instance's thread, within the time that a call may take. Null: all went well. State has
// `thread`, `calls` (of the host's, under way), limits(), set_deadline(), to_error().
template <class State, class F> std::unique_ptr<Error> enter(State& state, F body) {
  if (Thread::existing() != state.thread.get()) return std::make_unique<Error>(wrong_thread("an instance"));
  base::Result<void> done;
  state.thread->run([&] {
    bool timed = state.calls++ == 0 && state.limits().call_time;
    if (timed)
      state.set_deadline(loop::Clock::now() +
                         std::chrono::duration_cast<loop::Clock::duration>(*state.limits().call_time));
    done = body();
    if (timed) state.set_deadline(loop::kNever);
    --state.calls;
  });
  if (done) [[likely]]
    return nullptr;
  return std::make_unique<Error>(state.to_error(std::move(done).error()));
}

// As stores and slots want it.
inline std::optional<std::int64_t> steady_ns(loop::TimePoint deadline) {
  if (deadline == loop::kNever) return std::nullopt;
  return deadline.time_since_epoch().count();
}

} // namespace cusp::embed
