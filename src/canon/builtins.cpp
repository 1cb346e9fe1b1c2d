// Built-ins of tasks, subtasks and waitable sets.
#include "canon/builtins.h"

#include <fmt/format.h>

#include "canon/abi.h"
#include "canon/sentences.h"

namespace cusp::canon {

using component::BuiltinKind;

namespace {

// These look at nothing but the caller's own state and may be called where nothing else may, from realloc or post-return.
constexpr bool leaves_component(BuiltinKind kind) {
  return kind != BuiltinKind::ContextGet && kind != BuiltinKind::ContextSet && kind != BuiltinKind::BackpressureInc &&
         kind != BuiltinKind::BackpressureDec;
}

template <BuiltinKind kKind, void (*kFunction)(BuiltinCall&)>
std::uint32_t entry(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  if (leaves_component(kKind) && !record.instance->may_leave) [[unlikely]]
    return cannot_leave(record);
  Scheduler& scheduler = record.owner->state().scheduler;
  {
    BuiltinCall call{record, std::get<component::Builtin>(record.plan->kind), scheduler, values,
                     LiftLowerContext(record.owner, *record.instance, record.options, nullptr)};
    kFunction(call);
    if (call.cx.trapped()) [[unlikely]]
      return fail(record, call.cx.trap_info());
  }
  if (scheduler.failed()) [[unlikely]]
    return fail(record, scheduler.trap());
  return record.owner->slot().finish_host_call();
}

} // namespace

HostEntry builtin_entry(BuiltinKind kind) {
  static constexpr HostEntry kEntries[] = {
#define BUILTIN(opcode, Name, text, immediates, params, results) &entry<BuiltinKind::Name, &Builtins::Name>,
#include "component/canon_builtins.def"
  };
  return kEntries[static_cast<std::size_t>(kind)];
}

bool BuiltinCall::wait_for_event(Waitable& waitable) {
  Wait wait{Wait::For::Waitable, {}};
  wait.waitable = &waitable;
  waitable.has_sync_waiter = true;
  Woke woke = scheduler.wait_until(wait, false);
  waitable.has_sync_waiter = false;
  return goes_on(woke);
}

std::uint32_t BuiltinCall::add(std::unique_ptr<Waitable> waitable) {
  HandleEntry entry;
  entry.kind = HandleKind::Waitable, entry.object = waitable.get();
  std::uint32_t handle = cx.add_handle(entry);
  if (handle) waitable.release()->handle = handle;
  return handle;
}

// Spec: unpack_event.
void BuiltinCall::store_event(Event event, std::uint32_t pointer) {
  std::uint8_t* at = cx.range(pointer, 8, 4, "event");
  if (!at) return;
  store_raw(at, event.first), store_raw(at + 4, event.second);
  give(static_cast<std::uint32_t>(event.code));
}

// --- context, backpressure

void Builtins::ContextGet(BuiltinCall& call) {
  std::uint64_t value = call.scheduler.current().storage[call.plan.slot];
  call.give(call.plan.value == component::AddressType::I32 ? static_cast<std::uint32_t>(value) : value);
}
void Builtins::ContextSet(BuiltinCall& call) {
  bool is_i32 = call.plan.value == component::AddressType::I32;
  call.scheduler.current().storage[call.plan.slot] = is_i32 ? call.values[0].i32 : call.values[0].i64;
}

void Builtins::BackpressureInc(BuiltinCall& call) {
  if (++call.instance().backpressure == 1u << 16) call.cx.trap("backpressure counter overflow");
}
void Builtins::BackpressureDec(BuiltinCall& call) {
  if (call.instance().backpressure-- == 0) call.cx.trap("backpressure counter overflow: it is zero already");
}

// --- tasks

namespace {
constexpr const char* kResolvedTwice = "`task.return` or `task.cancel` called more than once for current task";
} // namespace

void Builtins::TaskReturn(BuiltinCall& call) {
  Task& task = call.scheduler.current().task;
  const LiftRecord* lift = task.lift;
  const auto& types = call.record.owner->code().types();
  const abi::MemoryRecord* memory = call.record.options.memory; // none: nothing of the result is in memory
  if (!lift || !lift->plan->options.is_async || call.plan.type != types.funcs[lift->plan->type].result ||
      (memory && memory != lift->options.memory) ||
      call.record.options.string_encoding != lift->options.string_encoding)
    return call.cx.trap("invalid `task.return` signature and/or options for current task");
  if (task.resolved()) return call.cx.trap(kResolvedTwice);
  LiftLowerContext cx(call.record.owner, call.instance(), call.record.options, &task);
  call.scheduler.return_value(static_cast<AsyncTask&>(task), cx, call.values, lift->layout->task_result_in_memory());
}

void Builtins::TaskCancel(BuiltinCall& call) {
  Task& task = call.scheduler.current().task;
  if (!task.lift || !task.lift->plan->options.is_async)
    return call.cx.trap("`task.cancel` called by a task that is not async");
  if (task.resolved()) return call.cx.trap(kResolvedTwice);
  if (task.state != Task::State::CancelDelivered)
    return call.cx.trap("`task.cancel` called by task which has not been cancelled");
  if (task.num_borrows) return call.cx.trap(std::string(kBorrowsRemain));
  auto& async = static_cast<AsyncTask&>(task);
  async.caller->resolve_cancelled();
  async.caller = nullptr;
  async.state = Task::State::Resolved;
}

// --- subtasks

void Builtins::SubtaskCancel(BuiltinCall& call) {
  bool is_async = call.plan.is_async;
  if (!is_async && !call.may_block()) return;
  Subtask* subtask = call.cx.subtask(call.argument(0));
  if (!subtask) return;
  if (subtask->resolve_delivered()) return call.cx.trap("`subtask.cancel` called after terminal status delivered");
  if (subtask->cancellation_requested) return call.cx.trap("`subtask.cancel` called more than once for a subtask");
  if (subtask->set() && !is_async) return call.cx.trap(std::string(kSyncInSet));
  if (!subtask->resolved()) {
    subtask->cancellation_requested = true;
    subtask->request_cancellation();
    if (call.scheduler.failed()) return;
    if (!subtask->resolved()) {
      if (is_async) return call.give(kBlocked);
      Wait wait{Wait::For::Subtask, {}};
      wait.waitable = subtask;
      subtask->has_sync_waiter = true;
      Woke woke = call.scheduler.wait_until(wait, false);
      subtask->has_sync_waiter = false;
      if (!call.goes_on(woke)) return;
    }
  }
  call.give(subtask->take_event().second);
}

void Builtins::SubtaskDrop(BuiltinCall& call) {
  Subtask* subtask = call.cx.subtask(call.argument(0));
  if (!subtask) return;
  if (!subtask->resolve_delivered()) return call.cx.trap("cannot drop a subtask which has not yet resolved");
  call.instance().handles.remove(subtask->handle);
  subtask->join(nullptr);
  subtask->release();
}

// --- waitable sets

void Builtins::WaitableSetNew(BuiltinCall& call) {
  auto set = std::make_unique<WaitableSet>();
  HandleEntry entry;
  entry.kind = HandleKind::WaitableSet, entry.object = set.get();
  if (std::uint32_t handle = call.cx.add_handle(entry)) {
    set.release();
    call.give(handle);
  }
}

void Builtins::WaitableSetWait(BuiltinCall& call) {
  if (!call.may_block()) return;
  WaitableSet* set = call.cx.waitable_set(call.argument(0));
  if (!set) return;
  std::uint32_t pointer = call.argument(1);
  Wait wait{Wait::For::Set, {}};
  wait.set = set;
  ++set->num_waiting;
  Woke woke = call.scheduler.wait_until(wait, call.plan.is_cancellable);
  if (!call.goes_on(woke)) return; // the set may be gone
  --set->num_waiting;
  call.store_event(woke == Woke::Cancelled ? Event{EventCode::TaskCancelled, 0, 0} : set->take_event(), pointer);
}

void Builtins::WaitableSetPoll(BuiltinCall& call) {
  WaitableSet* set = call.cx.waitable_set(call.argument(0));
  if (!set) return;
  Event event;
  if (call.scheduler.current().task.deliver_pending_cancel(call.plan.is_cancellable))
    event = {EventCode::TaskCancelled, 0, 0};
  else if (set->has_event()) event = set->take_event();
  call.store_event(event, call.argument(1));
}

void Builtins::WaitableSetDrop(BuiltinCall& call) {
  std::uint32_t handle = call.argument(0);
  WaitableSet* set = call.cx.waitable_set(handle);
  if (!set) return;
  if (!set->members.empty()) return call.cx.trap("cannot drop waitable set with waitables in it");
  if (set->num_waiting) return call.cx.trap("cannot drop waitable set with waiters");
  call.instance().handles.remove(handle);
  delete set;
}

void Builtins::WaitableJoin(BuiltinCall& call) {
  Waitable* waitable = call.cx.waitable(call.argument(0));
  if (!waitable) return;
  if (waitable->has_sync_waiter) return call.cx.trap(std::string(kSyncInSet));
  WaitableSet* set = nullptr;
  if (std::uint32_t handle = call.argument(1); handle && !(set = call.cx.waitable_set(handle))) return;
  waitable->join(set);
}

} // namespace cusp::canon
