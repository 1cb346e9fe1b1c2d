// Guest code that may block: what runs on one of the stacks of a store while the guest code on the others is suspended inside its
// host calls. Whoever resumes it may be another fiber each time.
// What must be true of an execution while one of its threads runs, for the signal handlers too, is swapped in by resume() and out
// again by block(): Execution::running and Fiber::guest never refer to a thread that does not run.
#pragma once

#include "loop/coroutine.h"
#include "runtime/activation.h"

namespace cusp::runtime {

class GuestThread {
public:
  bool active() const { return coroutine_.active(); }

  // Takes a stack; the first resume() will run entry(argument) on it. False: no stack is to be had.
  bool start(Execution& execution, loop::Fiber::Entry entry, void* argument);
  // REQUIRES: on a fiber; active and not running. Runs until block() or the end; true at the end, when the stack is given back.
  bool resume();
  // REQUIRES: runs on this thread, in host code that guest code of this execution called (or in none).
  void block() { coroutine_.block(); }

private:
  loop::Coroutine coroutine_;
  Execution* execution_ = nullptr;
  Activation* innermost_ = nullptr; // while it is blocked
};

} // namespace cusp::runtime
