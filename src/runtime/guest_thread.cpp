#include "runtime/guest_thread.h"

#include <atomic>

#include "runtime/preempt.h"

namespace cusp::runtime {

bool GuestThread::start(Execution& execution, loop::Fiber::Entry entry, void* argument) {
  loop::StackView stack = execution.stacks.take();
  if (!stack.base) return false;
  execution_ = &execution;
  innermost_ = nullptr;
  coroutine_.start(stack, entry, argument);
  return true;
}

bool GuestThread::resume() {
  Execution& execution = *execution_;
  loop::Fiber* fiber = loop::Fiber::current();
  auto* outer = static_cast<Activation*>(fiber->guest);
  Execution::Running before = execution.running;
  // The first activation of this thread lies on that of whoever resumes it now.
  for (Activation* first = innermost_; first; first = first->within)
    if (!first->within) first->outer = outer;
  if (!outer) preempt_guest_begins();
  execution.running = {innermost_, fiber, coroutine_.stack().base};
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (innermost_) fiber->guest = innermost_;
  bool ended = coroutine_.resume();
  fiber->guest = outer;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  innermost_ = execution.running.innermost;
  execution.running = before;
  if (!outer) preempt_guest_ends();
  if (ended) execution.stacks.give_back(coroutine_.stack());
  return ended;
}

} // namespace cusp::runtime
