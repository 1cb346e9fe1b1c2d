// A fiber is one straight line of work (a connection, a request, an outgoing call) that may suspend without blocking its
// thread. It belongs to the thread (event loop) that made it for its whole life.
// A fiber may move to another stack for the length of one call (call_on_stack): a guest runs on its slot's stack, yet it is
// the same fiber, so suspending inside the guest suspends the whole request and no hand-over is needed.
// Built on Boost.Context's fcontext; every switch carries ASan and TSan annotations.
// Never: allocates on a switch, touches a signal mask, throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace cusp::loop {

// Memory for a stack: [base, base + size). Guards are the owner's business.
struct StackView {
  std::byte* base = nullptr;
  std::size_t size = 0;
};

class EventLoop;

class Fiber {
public:
  using Entry = void (*)(void* argument);

  // The fiber that runs on this thread now; nullptr on the loop's own stack. Async-signal-safe.
  static Fiber* current();

  // REQUIRES: called on a fiber. Returns to the loop; goes on when somebody calls EventLoop::wake(fiber).
  // Async-signal-safe when the interrupted code is guest code: the preemption handler calls it.
  static void suspend();

  // REQUIRES: called on a fiber. Lets everything that is ready on this loop run once, then goes on.
  // Async-signal-safe when the interrupted code is guest code.
  static void yield();

  // REQUIRES: called on a fiber. Runs entry(argument) on `stack` and returns when it returns. Inside, current() is the same fiber.
  // Two context switches, a few nanoseconds. A trap inside must unwind to the entry function on that same stack first.
  static void call_on_stack(StackView stack, Entry entry, void* argument);

  // What belongs to the work of this fiber (request id, deadline, limits). Owned by whoever sets it.
  void* local = nullptr;

  // The innermost activation of guest code on this fiber; belongs to runtime/, whose signal handlers find the guest by it.
  void* guest = nullptr;

  EventLoop& loop() const { return *loop_; }

  // EventLoop::cancel() was called: every wait with a deadline, and sleeping, ends at once from now on.
  bool cancelled() const { return cancelled_; }

  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

private:
  friend class EventLoop;
  friend class Coroutine;
  friend struct AnyWait;
  struct Switch;
  Fiber() = default;

  EventLoop* loop_ = nullptr;
  void* context_ = nullptr;  // fcontext of the innermost stack while suspended
  StackView own_stack_{};    // the stack the fiber started on
  StackView active_stack_{}; // the stack it runs on now (ASan needs its bounds)
  Fiber* next_ready_ = nullptr;
  bool queued_ = false;
  bool finished_ = false;
  bool cancelled_ = false;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
  void* asan_fake_stack_ = nullptr;
  void* tsan_fiber_ = nullptr;
};

} // namespace cusp::loop
