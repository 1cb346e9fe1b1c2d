// One event loop per core: readiness (epoll), timers, ready fibers, and a door from other threads. Everything but post() and
// stop() is for the loop's own thread. Work that blocks in the kernel (file I/O, name look-up) goes to a BlockingPool.
// Blocking-style calls (sleep_until, run_blocking, Event::wait, wait_any) suspend the calling fiber; the thread serves others.
// Knows no wasm and no HTTP.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/result.h"
#include "loop/fiber.h"

namespace cusp::loop {

using base::Result;

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
inline constexpr TimePoint kNever = TimePoint::max();

// Where fibers wait until somebody says so. Set-and-stay until reset(). Loop thread only.
class Event {
public:
  bool is_set() const { return set_; }
  void set(); // wakes every waiter
  void reset() { set_ = false; }
  // Suspends until set or until the deadline; false at the deadline, and when the fiber is cancelled. REQUIRES: on a fiber.
  bool wait(TimePoint deadline = kNever);

private:
  friend struct AnyWait;
  struct Waiter {
    Fiber* fiber;
    Waiter* next;
    Waiter* previous;
  };
  bool set_ = false;
  Waiter* first_ = nullptr;
};

// Suspends until one of `events` is set or the deadline passes; wasi:io/poll stands on this. False at the deadline, and when the
// fiber is cancelled.
bool wait_any(std::span<Event* const> events, TimePoint deadline);

class BlockingPool {
public:
  explicit BlockingPool(unsigned max_threads);
  ~BlockingPool();
  void submit(std::function<void()> work); // thread-safe
private:
  struct State;
  std::unique_ptr<State> state_;
};

class EventLoop {
public:
  static Result<std::unique_ptr<EventLoop>> create(BlockingPool* pool);
  ~EventLoop();

  // The loop whose run() is on this thread; nullptr outside.
  static EventLoop* current();

  // Serves until stop() and no fiber is left, or until stop_now().
  void run();
  // For a host that comes in now and then: runs `fiber` at once and serves the loop until `done`, which that fiber, or another, sets. A
  // fiber that does not suspend costs two switches and no system call. REQUIRES: not on a fiber; `fiber` suspended, or not run yet.
  void run_until(Fiber* fiber, const bool& done);
  void stop();                           // thread-safe: leave run() once all fibers have ended
  void stop_now();                       // thread-safe: leave run() at the next turn
  void post(std::function<void()> work); // thread-safe: run on the loop's own stack

  // Starts a fiber; it first runs at the loop's next turn. Stacks of the default size (and a guard page) are pooled.
  static const std::size_t kDefaultStackBytes;
  Fiber* spawn(std::function<void()> body, std::size_t stack_bytes = kDefaultStackBytes);
  void wake(Fiber* fiber); // make a suspended fiber ready; a second wake before it runs is one wake
  // REQUIRES: on a fiber. Runs `fiber` now, until it suspends or ends, and then goes on; no other fiber in between.
  void run_first(Fiber* fiber);
  // Ends the waits of a fiber as if their deadlines had come, this one and all later ones; run_blocking() still waits for its work.
  void cancel(Fiber* fiber);
  std::size_t fibers_alive() const;

  // Watches a descriptor, edge-triggered: sets the events when it becomes readable, becomes writable, or the peer has hung up (`hangup` may be
  // null). Whoever drains the descriptor resets them. The events must live until forget(), which must come before close().
  Result<void> watch(int fd, Event& readable, Event& writable, Event* hangup = nullptr);
  void forget(int fd);
  void sleep_until(TimePoint deadline);
  // Runs `work` on the pool, suspending this fiber until it has ended. `work` must not touch guest memory or this fiber's locals
  // after a cancelled wait: there is no cancelled wait, the call returns only when the work has ended.
  void run_blocking(std::function<void()> work);

  // A clock read once per turn: cheap, at most one turn old.
  TimePoint turn_time() const;

  // Runs `body` on a fiber of a loop of its own and returns when it has ended; for commands (`cusp run`) and tests.
  static Result<void> run_one(std::function<void()> body);

  struct State;
  State& state() { return *state_; }

private:
  EventLoop();
  std::unique_ptr<State> state_;
};

} // namespace cusp::loop
