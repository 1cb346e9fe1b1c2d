// Tasks, subtasks and waitables: what the canonical ABI counts in. Synchronous calls need a task only as the scope of
// borrows; the rest is what async will be built on, and is here so that handle tables and calls are shaped for it: one
// instance may come to serve several tasks. Spec: CanonicalABI.md, "Tasks", "Waitable State", "Subtask State";
// Concurrency.md.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "component/link_plan.h"

namespace cusp::canon {

// One call into a component instance. Lives on the caller's stack.
struct Task {
  enum class State : std::uint8_t { Initial, Started, PendingCancel, CancelDelivered, Resolved };
  component::LiftIndex lift{};
  component::ComponentInstanceIndex instance{};
  State state = State::Initial;
  std::uint32_t num_borrows = 0;     // borrow handles lowered for this call and not dropped yet
  Task* caller = nullptr;            // the task around this one in the same ComponentInstance
  std::uint32_t storage[2] = {0, 0}; // context.get, context.set
  // Who called: the instances entered are the callee and those around it, but for those that are around the caller too.
  // None: the host.
  component::ComponentInstanceIndex caller_instance{};
};

enum class EventCode : std::uint32_t { None, Subtask, StreamRead, StreamWrite, FutureRead, FutureWrite, TaskCancelled };
struct Event {
  EventCode code = EventCode::None;
  std::uint32_t first = 0, second = 0;
};

class WaitableSet;

struct Waitable {
  enum class Kind : std::uint8_t { Subtask, StreamEnd, FutureEnd };
  Kind kind = Kind::Subtask;
  bool has_sync_waiter = false;
  std::optional<Event> pending_event;
  WaitableSet* set = nullptr;
};

struct Subtask : Waitable {
  enum class State : std::uint8_t { Starting, Started, Returned, CancelledBeforeStarted, CancelledBeforeReturned };
  State state = State::Starting;
  bool cancellation_requested = false;
  std::vector<std::uint32_t> lenders; // handles lent until the call is resolved
};

class WaitableSet {
public:
  std::vector<Waitable*> elements;
  std::uint32_t num_waiting = 0;
};

} // namespace cusp::canon
