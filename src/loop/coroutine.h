// A stack that runs in turns with whoever resumes it: resume() runs it until it blocks or ends, block() goes back. What runs on it
// is the resuming fiber itself (Fiber::current() says so), so that suspending there suspends that fiber, and any fiber of the loop
// may resume it the next time. Coroutines nest: one may resume another.
// Never: allocates, is resumed by two at a time, ends while frames with destructors are on it (whoever owns it sees to that).
#pragma once

#include "loop/fiber.h"

namespace cusp::loop {

class Coroutine {
public:
  Coroutine() = default;
  Coroutine(const Coroutine&) = delete;
  Coroutine& operator=(const Coroutine&) = delete;

  // Between start() and the end of `entry`.
  bool active() const { return active_; }
  const StackView& stack() const { return stack_; }

  // The first resume() will run entry(argument) at the top of `stack`. REQUIRES: not active.
  void start(StackView stack, Fiber::Entry entry, void* argument);
  // REQUIRES: on a fiber; active, and not running. True: `entry` has returned, and the stack is free.
  bool resume();
  // REQUIRES: called on this coroutine's own stack. Returns at the next resume().
  void block();

private:
  struct Switch;
  void* context_ = nullptr; // of this stack while it is blocked, of the resumer while it runs
  StackView stack_{}, resumer_stack_{};
  Fiber::Entry entry_ = nullptr;
  void* argument_ = nullptr;
  void* fake_stack_ = nullptr;
  bool active_ = false;
};

} // namespace cusp::loop
