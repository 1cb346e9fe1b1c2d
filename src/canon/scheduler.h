// Who runs in a component instance. One thread at a time does, on the stack of the fiber that holds the instance; whoever wants
// something of the guest from outside (a call, a stream, a future) holds the instance for as long as it takes, and drives it: runs
// whichever thread is ready, one after the other, until it has what it wants. So an instance needs no fiber of its own, and no
// thread ever runs at a time when the specification does not allow it.
// A thread that blocks goes back to whoever resumed it: the driver, the caller that it was called from asynchronously, or a call of
// a function that cannot block, which then looks for others of its own instance to run (SyncTask; Spec: canon lift).
// Owned by a ComponentInstance; used on its event loop. Spec: CanonicalABI.md, "Threads", "Tasks", "Embedding API".
#pragma once

#include <string_view>

#include "canon/task.h"
#include "loop/event_loop.h"

namespace cusp::canon {

inline constexpr std::string_view kCannotBlock = "cannot block a synchronous task before returning";
inline constexpr std::string_view kDeadlock = "deadlock detected: event loop cannot make further progress";

// A fiber that works for the instance beside its threads: an async host function under way, or one that a host function left
// behind to feed a stream.
struct HostFiber {
  loop::Fiber* fiber = nullptr;
  ListLink<HostFiber> alive, completed;
  bool awaited = false; // the guest's work is not done before it has ended, or waits for the guest
  // Its result is handed to the guest: called by whoever holds the instance.
  virtual void complete() {}

protected:
  ~HostFiber() = default;
};

// What outside refers to the instance and must forget it when that ends: the shared part of streams and futures.
struct Attachment {
  ListLink<Attachment> attached;
  virtual void detach() = 0;

protected:
  ~Attachment() = default;
};

class Scheduler {
public:
  explicit Scheduler(ComponentInstance& component) : component_(component) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ComponentInstance& component() const { return component_; }

  // --- the running thread
  Thread& current() const { return *current_; }
  // A call of a function that cannot block, around the callee's code.
  void begin(SyncTask& task) {
    task.outer = current_, task.outer_scope = scope_;
    current_ = &task.thread, scope_ = &task;
  }
  void end(SyncTask& task) {
    if (task.thread.index) forget_index(task.thread);
    if (task.heir) leave_heir(task);
    current_ = task.outer, scope_ = task.outer_scope;
  }

  // Runs an AsyncTask from its beginning until it blocks or ends. REQUIRES: its instance entered.
  void start(AsyncTask& task);
  // Runs a thread that is suspended or waiting, until it blocks. `scope`: the call that looks on meanwhile, if any.
  void resume(Thread& thread, Woke woke, SyncTask* scope = nullptr);
  void resume_later(Thread& thread) { start_waiting(thread, Wait{}); }
  // Takes a thread out of those that wait; it is suspended then, and must be resumed.
  void stop_waiting(Thread& thread) {
    waiting_.remove(&thread);
    thread.state = Thread::State::Suspended;
  }
  static bool is_ready(const Thread& thread) {
    return thread.state == Thread::State::Waiting && is_over(thread.wait, thread);
  }

  // Blocks the running thread; with `next`, that one runs at once. Spec: Thread.suspend, wait_until, switch_to_internal.
  Woke suspend(bool cancellable, Thread* next = nullptr) { return block(nullptr, cancellable, next); }
  Woke wait_until(Wait wait, bool cancellable, Thread* next = nullptr) { return block(&wait, cancellable, next); }
  // Whether the running thread could block now. Operations that may have to wait ask before they begin: whether a guest's
  // program works shall not depend on the time at which its peers come.
  bool may_block() const { return !scope_ || candidate(*scope_) != nullptr; }

  std::uint32_t index_of(Thread& thread);
  // A suspended thread of the running thread's task. Null: no function to call, and a trap is noted.
  StackThread& new_thread(Task& task, const CoreCallee& function, std::uint64_t argument);
  void request_cancellation(AsyncTask& task, component::ComponentInstanceIndex caller);
  // Spec: Task.return_. False: it traps, and that is noted.
  bool return_value(AsyncTask& task, LiftLowerContext& cx, const abi::ValRaw* values, bool in_memory);

  // --- traps: the first one counts
  void fail(const Trap& trap) {
    if (!failed_) failed_ = true, trap_ = trap;
  }
  bool failed() const { return failed_; }
  const Trap& trap() const { return trap_; }

  // --- from outside
  bool held_here() const { return holder_ && holder_ == loop::Fiber::current(); }
  // Waits while another fiber holds the instance. False: this fiber was cancelled, or the instance is ending.
  // REQUIRES: on a fiber; not held here.
  bool hold() {
    if (!holder_ && !ending_) [[likely]] {
      holder_ = loop::Fiber::current();
      return true;
    }
    return wait_to_hold();
  }
  void let_go() {
    holder_ = nullptr;
    if (waiters_ || ending_) [[unlikely]]
      notify();
  }
  enum class Drive : std::uint8_t { Done, Failed, Deadlock, Cancelled, Ending, TimedOut };
  // Runs what is ready until `done(what)`. `own`: how much of what is expected is this fiber's own doing, and so will not come
  // while it waits here. REQUIRES: on a fiber; not held here.
  Drive drive_until(bool (*done)(const void*), const void* what, std::uint32_t own = 0);
  // What is not a thread and may still bring progress: ends of streams and futures in the host's hands.
  void expect_one() { ++expected_; }
  void unexpect_one() {
    --expected_;
    notify();
  }
  bool is_ending() const { return ending_; }
  // Waits until all fibers that are awaited wait for the guest. REQUIRES: on a fiber.
  void settle();
  bool is_settled() const { return awaited_ == awaited_waiting_; }
  // Somebody who waits outside should look again.
  void notify();

  // Runs `body` on a fiber of its own, at once, until it suspends; `host` is known to the instance until `body` ends.
  // False: no memory for its stack.
  bool spawn(HostFiber& host, std::function<void()> body);
  // What the running fiber is to this instance; null for one from outside.
  HostFiber* own_fiber() const;
  void host_fiber_ended(HostFiber& host);
  void queue_completion(HostFiber& host) {
    completions_.push_back(&host);
    notify();
  }
  void cancel_completion(HostFiber& host) { completions_.remove(&host); }

  void attach(Attachment& attachment) { attachments_.push_back(&attachment); }
  void detach(Attachment& attachment) { attachments_.remove(&attachment); }

  // Ends all threads and host fibers; the trap, if any, stays. REQUIRES: not held here; on a fiber unless nothing is left to end.
  void end_all();
  bool needs_ending() const { return !threads_.empty() || host_count_ || waiters_ || !attachments_.empty(); }
  // No thread has anything to do any more, and no fiber that is awaited.
  bool is_idle() const { return threads_.empty() && is_settled(); }
  // REQUIRES: nothing is left to end.
  void forget_trap() { failed_ = false, trap_ = {}; }

private:
  struct Waiter {
    loop::Event changed;
    std::uint32_t own = 0; // both until it is told to look again
    bool awaited = false;
    Waiter* next = nullptr;
  };
  static bool is_over(const Wait& wait, const Thread& thread);
  bool wait_to_hold();
  bool wait_for_change(std::uint32_t own, bool awaited);
  bool run_one();
  Thread* candidate(const SyncTask& scope) const;
  void start_waiting(Thread& thread, Wait wait);
  Woke block(const Wait* wait, bool cancellable, Thread* next);
  Woke block_here(SyncTask& task, Thread* next);
  // What a StackThread does: see scheduler.cpp.
  void run(StackThread& thread);
  bool before_stack(StackThread& thread);
  void on_stack(StackThread& thread);
  void start_callee(StackThread& thread, AsyncTask& task);
  void handle_callback_result(StackThread& thread, AsyncTask& task, std::uint32_t packed);
  void park(StackThread& thread, StackThread::Step step, Wait wait);
  void end_implicit(AsyncTask& task);
  void end_thread(StackThread& thread);
  void forget_index(Thread& thread);
  void leave_heir(SyncTask& task);
  void list(StackThread& thread);
  void unlist(StackThread& thread);

  ComponentInstance& component_;
  Thread* current_ = nullptr;
  SyncTask* scope_ = nullptr;   // the innermost call that looks on while the running thread blocks
  Thread* switch_to_ = nullptr; // whom the thread that has just blocked wants to run next
  LinkedList<Thread, &Thread::waiting> waiting_;
  LinkedList<StackThread, &StackThread::all> threads_;

  loop::Fiber* holder_ = nullptr;
  Waiter* waiters_ = nullptr;
  LinkedList<HostFiber, &HostFiber::alive> host_fibers_;
  LinkedList<HostFiber, &HostFiber::completed> completions_;
  LinkedList<Attachment, &Attachment::attached> attachments_;
  std::uint32_t host_count_ = 0, expected_ = 0, waiting_outside_ = 0, turns_ = 0;
  std::uint32_t awaited_ = 0, awaited_waiting_ = 0;
  loop::Event quiet_; // end_all() waits for others to leave
  bool failed_ = false, ending_ = false;
  bool returned_ = false; // a task has, since anybody looked
  Trap trap_;
};

} // namespace cusp::canon
