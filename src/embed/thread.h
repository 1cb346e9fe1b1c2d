// What a host's thread runs guests on: an event loop and one fiber that is parked between calls. Calls from the host's own stack move to that
// fiber, which costs two switches; where the host is on a fiber already (in a host function, a task, run()), they go straight on.
// One per thread, made at its first use, kept by that thread and by the instances made on it.
#pragma once

#include <functional>
#include <memory>

#include "loop/event_loop.h"

namespace cusp::embed {

using base::Result;

class Thread {
public:
  // Of the calling thread. Error: Io.
  static Result<std::shared_ptr<Thread>> here();
  // The same, when it has one.
  static const Thread* existing();
  ~Thread();
  Thread(const Thread&) = delete;

  // Runs `body` on a fiber of this thread and returns when it has ended. REQUIRES: on this thread.
  template <class F> void run(F&& body) {
    if (loop::Fiber::current()) return body();
    run_parked([](void* f) { (*static_cast<std::remove_reference_t<F>*>(f))(); }, &body);
  }
  // Starts a fiber, which runs until it first suspends. Null: there is no memory for its stack.
  loop::Fiber* start(std::function<void()> body);
  // Serves the thread's fibers until `event` is set. False: the waiting fiber was cancelled.
  bool wait(loop::Event& event, loop::TimePoint deadline = loop::kNever);

private:
  Thread() : pool_(4) {}
  void run_parked(void (*body)(void*), void* argument);
  loop::BlockingPool pool_;
  std::unique_ptr<loop::EventLoop> loop_;
  loop::Fiber* parked_ = nullptr;
  void (*body_)(void*) = nullptr; // what the parked fiber is to run; null: it is to end
  void* argument_ = nullptr;
  bool done_ = false;
};

} // namespace cusp::embed
