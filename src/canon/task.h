// Tasks, threads, subtasks and waitables: what the canonical ABI counts in. A call of a function that cannot block makes a
// SyncTask on the C++ stack and runs where its caller runs; every other call makes an AsyncTask, whose threads have stacks of their
// own while they need them. Who runs when is scheduler.h's. Spec: CanonicalABI.md, "Threads", "Tasks", "Waitable State",
// "Subtask State".
#pragma once

#include <cstdint>
#include <string_view>

#include "canon/context.h"
#include "canon/list.h"
#include "runtime/guest_thread.h"

namespace cusp::canon {

struct LiftRecord;
struct SyncTask;
struct StackThread;
struct AsyncTask;
class Scheduler;
class Waitable;
class WaitableSet;
class Subtask;

inline constexpr std::string_view kNoResult = "async-lifted export failed to produce a result";

enum class EventCode : std::uint32_t { None, Subtask, StreamRead, StreamWrite, FutureRead, FutureWrite, TaskCancelled };
struct Event {
  EventCode code = EventCode::None;
  std::uint32_t first = 0, second = 0;
};

// What a built-in gives that did not wait for its operation to end. Spec: BLOCKED.
inline constexpr std::uint32_t kBlocked = 0xffff'ffff;

// How a blocked thread came to run again. Ended: the instance is done with; unwind.
enum class Woke : std::uint8_t { Normally, Cancelled, Ended };

// What a waiting thread waits for. Spec: Thread.ready_func.
struct Wait {
  enum class For : std::uint8_t {
    Turn,         // nothing: its turn
    Entry,        // the task's instance lets it in
    Exclusive,    // nobody uses the instance exclusively
    Waitable,     // `waitable` has an event
    Set,          // one of `set` has an event
    ExclusiveSet, // the two above
    Subtask,      // `waitable` is resolved
  };
  For what = For::Turn;
  union {
    canon::Waitable* waitable = nullptr;
    WaitableSet* set;
  };
};

// Spec: Thread. The implicit thread of a SyncTask is this and no more: it blocks by running others on top of itself.
struct Thread {
  enum class State : std::uint8_t { Running, Suspended, Waiting };
  explicit Thread(Task& task) : task(task) {}

  Task& task;
  State state = State::Running;
  bool has_stack = false; // a StackThread
  bool cancellable = false;
  Woke woke = Woke::Normally;
  std::uint32_t index = 0; // in InstanceState::threads; 0: nobody has asked for it yet
  Wait wait;
  std::uint64_t storage[2] = {0, 0}; // context.get, context.set
  ListLink<Thread> waiting;
};

// One call into a component instance.
struct Task {
  enum class State : std::uint8_t { Initial, Started, PendingCancel, CancelDelivered, Resolved };

  InstanceState* instance = nullptr;
  const LiftRecord* lift = nullptr; // none: a destructor, or a start function
  State state = State::Initial;
  bool is_async = false;         // an AsyncTask
  std::uint32_t num_borrows = 0; // borrow handles lowered for this call and not dropped yet
  // Who called: the instances entered are the callee and those around it, but for those that are around the caller too.
  // None: the host.
  component::ComponentInstanceIndex caller_instance{};

  bool resolved() const { return state == State::Resolved; }
  // A cancellation that waits for the task to be ready for it is delivered now. Spec: deliver_pending_cancel.
  bool deliver_pending_cancel(bool cancellable) {
    if (!cancellable || state != State::PendingCancel) return false;
    state = State::CancelDelivered;
    return true;
  }
};

struct SyncTask : Task {
  Thread thread{*this};
  // The call around it, to which the scheduler goes back.
  Thread* outer = nullptr;
  SyncTask* outer_scope = nullptr;
  AsyncTask* heir = nullptr; // owns the threads made here, which may outlive it
};

// Who called an AsyncTask: gives the arguments when it starts and takes the result when it has one.
// Spec: OnStart, OnResolve.
class TaskCaller {
public:
  // Fills in the flat parameters of the callee. On a trap either context is left trapped; see failure().
  virtual void start(LiftLowerContext& callee, abi::ValRaw* flat) = 0;
  // `values`: the flat result, or the address of the result in the callee's memory.
  virtual void resolve(LiftLowerContext& callee, const abi::ValRaw* values, bool in_memory) = 0;
  virtual void resolve_cancelled() = 0;
  // Why the caller's side of start() or resolve() failed; null: it did not.
  virtual const Trap* failure() const = 0;

protected:
  ~TaskCaller() = default;
};

// A thread with a stack of its own while it has frames to keep: made by thread.new-indirect, or the implicit one of an AsyncTask.
struct StackThread : Thread {
  enum class Step : std::uint8_t { Enter, WaitToEnter, Start, Callback, Function };
  explicit StackThread(Task& task) : Thread(task) { has_stack = true; }

  Scheduler* scheduler = nullptr;
  Step step = Step::Enter; // what it does on a new stack; an implicit thread keeps none between callbacks
  bool ended = false;
  Event event;         // Callback
  CoreCallee function; // Function
  std::uint64_t argument = 0;
  runtime::GuestThread stack;
  ListLink<StackThread> all;
};

struct AsyncTask : Task {
  AsyncTask() { is_async = true; }
  TaskCaller* caller = nullptr; // until resolved
  StackThread implicit{*this};
  std::uint32_t threads = 0; // registered and not ended
  std::uint32_t listed = 0;  // known to the scheduler
  bool needs_exclusive = false;
};

class Waitable {
public:
  enum class Kind : std::uint8_t { Subtask, StreamEnd, FutureEnd };
  explicit Waitable(Kind kind) : kind(kind) {}
  virtual ~Waitable() { join(nullptr); }
  Waitable(const Waitable&) = delete;
  Waitable& operator=(const Waitable&) = delete;
  // It has left its table, or never was in one: deletes it, when nothing else needs it any more.
  virtual void release() { delete this; }

  bool has_event() const { return has_event_; }
  void set_event();
  // REQUIRES: has_event(). Takes it, with what its delivery brings about.
  Event take_event() {
    clear_event();
    return deliver();
  }
  void join(WaitableSet* to);
  WaitableSet* set() const { return set_; }

  const Kind kind;
  bool has_sync_waiter = false;
  std::uint32_t handle = 0; // in the table that it is in
  ListLink<Waitable> member, ready;

protected:
  virtual Event deliver() = 0;

private:
  void clear_event();
  bool has_event_ = false;
  WaitableSet* set_ = nullptr;
};

class WaitableSet {
public:
  ~WaitableSet() {
    while (Waitable* first = members.first()) first->join(nullptr);
  }
  bool has_event() const { return !ready.empty(); }
  // REQUIRES: has_event(). The one that has waited longest.
  Event take_event() { return ready.first()->take_event(); }

  LinkedList<Waitable, &Waitable::member> members;
  LinkedList<Waitable, &Waitable::ready> ready;
  std::uint32_t num_waiting = 0;
};

// A call that has not returned yet, as its caller sees it. `cx` is the caller's side of it; what it lends is given back when the
// caller learns of the end.
class Subtask : public Waitable {
public:
  enum class State : std::uint8_t { Starting, Started, Returned, CancelledBeforeStarted, CancelledBeforeReturned };

  Subtask(ComponentInstance* component, InstanceState& instance, const RuntimeOptions& options)
      : Waitable(Kind::Subtask), cx(component, instance, options, nullptr) {}

  bool resolved() const { return state >= State::Returned; }
  bool resolve_delivered() const { return delivered_; }
  // Spec: deliver_resolve.
  void deliver_resolve() {
    delivered_ = true;
    cx.release_lenders();
  }
  // Spec: on_progress. Events are for subtasks that have a handle.
  void progress(State to) {
    state = to;
    if (handle) set_event();
  }
  // Spec: on_cancel. The caller is cx.instance().
  virtual void request_cancellation() = 0;

  State state = State::Starting;
  bool cancellation_requested = false;
  CallContext cx;

private:
  Event deliver() override {
    if (resolved()) deliver_resolve();
    return {EventCode::Subtask, handle, static_cast<std::uint32_t>(state)};
  }
  bool delivered_ = false;
};

} // namespace cusp::canon
