// What a thread knows about the fiber that runs on it. Read by signal handlers: plain words, written in the order that keeps them true.
#pragma once

#include <cstddef>

namespace cusp::loop {

class Fiber;
class EventLoop;

struct ThreadState {
  Fiber* current = nullptr;         // running now; nullptr on the loop's own stack
  EventLoop* loop = nullptr;        // whose run() is on this thread
  void* loop_context = nullptr;     // fcontext of the loop's stack while a fiber runs
  const void* loop_stack = nullptr; // the loop's own stack, for AddressSanitizer
  std::size_t loop_stack_size = 0;
  void* loop_fake_stack = nullptr;
};

ThreadState& thread_state();

} // namespace cusp::loop
