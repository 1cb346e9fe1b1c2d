// Built-ins of threads. Spec: CanonicalABI.md, "canon thread.*".
#include <fmt/format.h>

#include "canon/builtins.h"
#include "wasm/types.h"

namespace cusp::canon {

namespace {

Thread* thread_of(BuiltinCall& call, std::uint32_t index) {
  Thread* thread = call.instance().threads.get(index);
  if (!thread) call.cx.trap(fmt::format("unknown thread index {}", index));
  return thread;
}

// nullptr after a trap.
Thread* suspended_thread(BuiltinCall& call, std::uint32_t index) {
  Thread* thread = thread_of(call, index);
  if (!thread || thread->state == Thread::State::Suspended) return thread;
  call.cx.trap("cannot resume thread which is not suspended");
  return nullptr;
}

void give_woke(BuiltinCall& call, Woke woke) {
  if (call.goes_on(woke)) call.give(woke == Woke::Cancelled);
}

// A cancellation that is due comes before everything else, the other thread's state included.
bool give_pending_cancel(BuiltinCall& call) {
  if (!call.scheduler.current().task.deliver_pending_cancel(call.plan.is_cancellable)) return false;
  call.give(1);
  return true;
}

// `next` runs at once; null: whoever is ready.
void suspend(BuiltinCall& call, Thread* next) {
  give_woke(call, call.scheduler.suspend(call.plan.is_cancellable, next));
}
void yield(BuiltinCall& call, Thread* next) {
  give_woke(call, call.scheduler.wait_until(Wait{}, call.plan.is_cancellable, next));
}

// The thread if it may be promoted: it is ready, and waits no longer.
Thread* promoted(BuiltinCall& call, Thread& thread) {
  if (!call.scheduler.is_ready(thread)) return nullptr;
  call.scheduler.stop_waiting(thread);
  return &thread;
}

// The canonical id of (func (param T)).
std::uint32_t start_type(bool is_i32) {
  static const std::uint32_t i32 = runtime::intern_type({{wasm::ValType::i32().raw()}, {}});
  static const std::uint32_t i64 = runtime::intern_type({{wasm::ValType::i64().raw()}, {}});
  return is_i32 ? i32 : i64;
}

[[gnu::cold]] void not_shared(BuiltinCall& call) { call.cx.trap("threads that share everything are not supported"); }

} // namespace

void Builtins::ThreadIndex(BuiltinCall& call) { call.give(call.scheduler.index_of(call.scheduler.current())); }

void Builtins::ThreadNewIndirect(BuiltinCall& call) {
  const abi::TableRecord& table = *call.record.table;
  bool index32 = call.plan.table_addresses == component::AddressType::I32;
  std::uint64_t index = index32 ? call.values[0].i32 : call.values[0].i64;
  if (index >= table.length) return call.cx.trap(std::string(abi::trap_text(abi::Trap::TableOutOfBounds)));
  const auto* function = static_cast<const abi::FuncRef*>(table.elements[index]);
  if (!function) return call.cx.trap("the start function index points to an uninitialized function");
  bool is_i32 = call.plan.value == component::AddressType::I32;
  if (function->type_id != start_type(is_i32)) return call.cx.trap("start function does not match expected type");
  CoreCallee callee = callee_of(call.record.owner->slot(), *call.record.owner->code().code(), *function);
  std::uint64_t argument = is_i32 ? call.values[1].i32 : call.values[1].i64;
  StackThread& thread = call.scheduler.new_thread(call.scheduler.current().task, callee, argument);
  call.give(thread.index);
}

void Builtins::ThreadResumeLater(BuiltinCall& call) {
  if (Thread* thread = suspended_thread(call, call.argument(0))) call.scheduler.resume_later(*thread);
}

void Builtins::ThreadSuspend(BuiltinCall& call) { suspend(call, nullptr); }
void Builtins::ThreadYield(BuiltinCall& call) { yield(call, nullptr); }
void Builtins::ThreadSuspendThenResume(BuiltinCall& call) {
  if (give_pending_cancel(call)) return;
  if (Thread* other = suspended_thread(call, call.argument(0))) suspend(call, other);
}
void Builtins::ThreadYieldThenResume(BuiltinCall& call) {
  if (give_pending_cancel(call)) return;
  if (Thread* other = suspended_thread(call, call.argument(0))) yield(call, other);
}
void Builtins::ThreadSuspendThenPromote(BuiltinCall& call) {
  if (give_pending_cancel(call)) return;
  if (Thread* other = thread_of(call, call.argument(0))) suspend(call, promoted(call, *other));
}
void Builtins::ThreadYieldThenPromote(BuiltinCall& call) {
  if (give_pending_cancel(call)) return;
  if (Thread* other = thread_of(call, call.argument(0))) yield(call, promoted(call, *other));
}

void Builtins::ThreadSpawnRef(BuiltinCall& call) { not_shared(call); }
void Builtins::ThreadSpawnIndirect(BuiltinCall& call) { not_shared(call); }
void Builtins::ThreadAvailableParallelism(BuiltinCall& call) { call.give(1); }

} // namespace cusp::canon
