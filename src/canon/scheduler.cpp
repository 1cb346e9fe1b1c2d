#include "canon/scheduler.h"

#include <fmt/format.h>

#include "canon/component_state.h"
#include "canon/sentences.h"

namespace cusp::canon {

using component::ComponentInstanceIndex;

namespace {

const RuntimeOptions kNoOptions;
const RuntimeOptions& options_of(const Task& task) { return task.lift ? task.lift->options : kNoOptions; }

// A guest that only ever yields lets the rest of the event loop run once in so many turns.
constexpr std::uint32_t kTurnsPerYield = 16;

AsyncTask& async_task(Thread& thread) { return static_cast<AsyncTask&>(thread.task); }

bool has_backpressure(const AsyncTask& task) {
  return task.instance->backpressure || (task.needs_exclusive && task.instance->exclusive_thread);
}

bool is_exclusive_implicit(const Thread& thread) {
  if (!thread.has_stack) return false;
  const auto& task = static_cast<const AsyncTask&>(thread.task);
  return task.needs_exclusive && &task.implicit == &thread;
}

} // namespace

// --- threads

bool Scheduler::is_over(const Wait& wait, const Thread& thread) {
  bool exclusive = thread.task.instance->exclusive_thread != nullptr;
  switch (wait.what) {
  case Wait::For::Turn: return true;
  case Wait::For::Entry: return !has_backpressure(static_cast<const AsyncTask&>(thread.task));
  case Wait::For::Exclusive: return !exclusive;
  case Wait::For::Waitable: return wait.waitable->has_event();
  case Wait::For::Set: return wait.set->has_event();
  case Wait::For::ExclusiveSet: return !exclusive && wait.set->has_event();
  case Wait::For::Subtask: return static_cast<const Subtask*>(wait.waitable)->resolved();
  }
  return false;
}

void Scheduler::start_waiting(Thread& thread, Wait wait) {
  thread.state = Thread::State::Waiting;
  thread.wait = wait;
  waiting_.push_back(&thread);
}

// Implicit threads that need the instance for themselves are left alone during a call that cannot block: they would use the one
// stack in linear memory that the call is using.
Thread* Scheduler::candidate(const SyncTask& scope) const {
  for (Thread* thread = waiting_.first(); thread; thread = waiting_.next(thread))
    if (thread->task.instance == scope.instance && thread != scope.instance->exclusive_thread && is_ready(*thread) &&
        !is_exclusive_implicit(*thread))
      return thread;
  return nullptr;
}

Woke Scheduler::block(const Wait* wait, bool cancellable, Thread* next) {
  Thread& self = *current_;
  if (self.task.deliver_pending_cancel(cancellable)) return Woke::Cancelled;
  // What has come already is not waited for; only a yield always gives others their turn.
  if (wait && wait->what != Wait::For::Turn && is_over(*wait, self)) return Woke::Normally;
  self.cancellable = cancellable;
  if (wait) start_waiting(self, *wait);
  else self.state = Thread::State::Suspended;
  if (!self.has_stack) return block_here(static_cast<SyncTask&>(self.task), next);
  switch_to_ = next;
  static_cast<StackThread&>(self).stack.block();
  return self.woke;
}

Woke Scheduler::block_here(SyncTask& task, Thread* next) {
  Thread& self = task.thread;
  if (next) resume(*next, Woke::Normally, &task);
  while (self.state != Thread::State::Running && !failed_) {
    if (Thread* other = candidate(task)) resume(*other, Woke::Normally, &task);
    else fail({fmt::format("{}: {}", kDeadlock, kCannotBlock)});
  }
  waiting_.remove(&self);
  self.state = Thread::State::Running;
  return failed_ ? Woke::Ended : self.woke;
}

void Scheduler::resume(Thread& first, Woke woke, SyncTask* scope) {
  Thread* outer = current_;
  SyncTask* outer_scope = scope_;
  for (Thread* thread = &first; thread;) {
    waiting_.remove(thread);
    thread->state = Thread::State::Running;
    thread->woke = woke;
    if (!thread->has_stack) break; // it is below, in block_here(), and looks
    current_ = thread, scope_ = scope, switch_to_ = nullptr;
    run(static_cast<StackThread&>(*thread));
    thread = failed_ ? nullptr : switch_to_;
    woke = Woke::Normally;
  }
  switch_to_ = nullptr;
  current_ = outer, scope_ = outer_scope;
}

void Scheduler::start(AsyncTask& task) {
  task.implicit.scheduler = this;
  list(task.implicit);
  resume(task.implicit, Woke::Normally);
}

// The thread may be gone when this returns.
void Scheduler::run(StackThread& thread) {
  if (!thread.stack.active()) {
    if (!before_stack(thread)) return;
    auto body = [](void* argument) {
      auto& self = *static_cast<StackThread*>(argument);
      self.scheduler->on_stack(self);
    };
    if (!thread.stack.start(component_.slot().execution(), body, &thread))
      return fail({"there is no memory for the stack of another task", abi::Trap::MemoryLimit});
  }
  if (thread.stack.resume() && thread.ended && !ending_) end_thread(thread);
}

void Scheduler::park(StackThread& thread, StackThread::Step step, Wait wait) {
  thread.step = step;
  thread.cancellable = true;
  start_waiting(thread, wait);
}

// What an implicit thread does before it needs a stack. False: it waits on, or has ended. Spec: enter_implicit_thread, canon lift.
bool Scheduler::before_stack(StackThread& thread) {
  using Step = StackThread::Step;
  if (thread.step == Step::Function) return true;
  AsyncTask& task = async_task(thread);
  InstanceState& instance = *task.instance;
  switch (thread.step) {
  case Step::Enter:
    if (has_backpressure(task) || instance.num_waiting_to_enter) {
      ++instance.num_waiting_to_enter;
      return park(thread, Step::WaitToEnter, {Wait::For::Entry, {}}), false;
    }
    break;
  case Step::WaitToEnter:
    --instance.num_waiting_to_enter;
    if (thread.woke != Woke::Cancelled) break;
    task.state = Task::State::Resolved;
    task.caller->resolve_cancelled();
    unlist(thread);
    delete &task;
    return false;
  default: // a callback is due
    thread.event = {};
    if (thread.wait.what == Wait::For::ExclusiveSet) {
      --thread.wait.set->num_waiting;
      if (thread.woke != Woke::Cancelled) thread.event = thread.wait.set->take_event();
    }
    if (thread.woke == Woke::Cancelled) thread.event = {EventCode::TaskCancelled, 0, 0};
    instance.exclusive_thread = &thread;
    return true;
  }
  if (task.needs_exclusive) instance.exclusive_thread = &thread;
  task.threads = 1;
  thread.step = Step::Start;
  return true;
}

void Scheduler::on_stack(StackThread& thread) {
  using Step = StackThread::Step;
  Task& task = thread.task;
  if (thread.step == Step::Start) return start_callee(thread, async_task(thread));
  abi::ValRaw values[3];
  LiftLowerContext cx(&component_, *task.instance, options_of(task), &task);
  if (thread.step == Step::Function) {
    values[0].i64 = thread.argument;
    if (!cx.call_core(thread.function, values)) return fail(cx.trap_info());
    thread.ended = true;
    if (--async_task(thread).threads == 0 && !task.resolved()) fail({std::string(kNoResult)});
    return;
  }
  values[0].i64 = static_cast<std::uint32_t>(thread.event.code);
  values[1].i64 = thread.event.first, values[2].i64 = thread.event.second;
  if (!cx.call_core(task.lift->callback, values)) return fail(cx.trap_info());
  handle_callback_result(thread, async_task(thread), values[0].i32);
}

// Spec: canon lift, thread_func.
void Scheduler::start_callee(StackThread& thread, AsyncTask& task) {
  const LiftRecord& lift = *task.lift;
  LiftLowerContext cx(&component_, *task.instance, lift.options, &task);
  abi::ValRaw flat[component::kMaxFlatParams];
  task.state = Task::State::Started;
  task.caller->start(cx, flat);
  if (task.caller->failure()) return fail(*task.caller->failure());
  if (!cx.call_core(lift.core, flat)) return fail(cx.trap_info());
  if (lift.plan->options.is_async) {
    if (lift.callback) return handle_callback_result(thread, task, flat[0].i32);
    return end_implicit(task);
  }
  std::uint64_t flat_result = flat[0].i64;
  if (!return_value(task, cx, flat, lift.layout->result_in_memory())) return;
  if (lift.options.post_return) {
    flat[0].i64 = flat_result;
    task.instance->may_leave = false;
    if (!cx.call_core(lift.options.post_return, flat)) return fail(cx.trap_info());
    task.instance->may_leave = true;
  }
  end_implicit(task);
}

bool Scheduler::return_value(AsyncTask& task, LiftLowerContext& cx, const abi::ValRaw* values, bool in_memory) {
  if (task.num_borrows) cx.trap(std::string(kBorrowsRemain));
  else task.caller->resolve(cx, values, in_memory);
  if (cx.trapped()) return fail(cx.trap_info()), false;
  if (task.caller->failure()) return fail(*task.caller->failure()), false;
  task.state = Task::State::Resolved;
  task.caller = nullptr;
  returned_ = true;
  return true;
}

// What an implicit thread does with what its core function or callback gave. It keeps no stack while it waits.
void Scheduler::handle_callback_result(StackThread& thread, AsyncTask& task, std::uint32_t packed) {
  using Step = StackThread::Step;
  constexpr std::uint32_t kExit = 0, kYield = 1, kWait = 2;
  InstanceState& instance = *task.instance;
  for (;;) {
    std::uint32_t code = packed & 0xf;
    if (code == kExit) return end_implicit(task);
    if (code > kWait) return fail({fmt::format("unsupported callback code: {}", code)});
    WaitableSet* set = nullptr;
    if (code == kWait) {
      LiftLowerContext cx(&component_, instance, task.lift->options, &task);
      if (!(set = cx.waitable_set(packed >> 4))) return fail(cx.trap_info());
    }
    instance.exclusive_thread = nullptr;
    if (!task.deliver_pending_cancel(true)) {
      if (code == kYield) return park(thread, Step::Callback, {Wait::For::Exclusive, {}});
      Wait wait{Wait::For::ExclusiveSet, {}};
      wait.set = set;
      ++set->num_waiting;
      return park(thread, Step::Callback, wait);
    }
    instance.exclusive_thread = &thread;
    abi::ValRaw values[3];
    values[0].i64 = static_cast<std::uint32_t>(EventCode::TaskCancelled), values[1].i64 = values[2].i64 = 0;
    LiftLowerContext cx(&component_, instance, task.lift->options, &task);
    if (!cx.call_core(task.lift->callback, values)) return fail(cx.trap_info());
    packed = values[0].i32;
  }
}

void Scheduler::end_implicit(AsyncTask& task) {
  task.implicit.ended = true;
  if (task.needs_exclusive) task.instance->exclusive_thread = nullptr;
  if (--task.threads == 0 && !task.resolved()) fail({std::string(kNoResult)});
}

void Scheduler::end_thread(StackThread& thread) {
  AsyncTask& task = async_task(thread);
  unlist(thread);
  if (&thread != &task.implicit) delete &thread;
  if (task.threads == 0) delete &task;
}

std::uint32_t Scheduler::index_of(Thread& thread) {
  if (!thread.index) thread.index = thread.task.instance->threads.add(&thread);
  return thread.index;
}

void Scheduler::list(StackThread& thread) {
  threads_.push_back(&thread);
  ++async_task(thread).listed;
}

void Scheduler::unlist(StackThread& thread) {
  if (thread.index) forget_index(thread);
  waiting_.remove(&thread);
  threads_.remove(&thread);
  --async_task(thread).listed;
}

void Scheduler::forget_index(Thread& thread) {
  thread.task.instance->threads.remove(thread.index);
  thread.index = 0;
}

// A SyncTask may end before the threads made in it: these belong to a task beside it, which counts as resolved.
StackThread& Scheduler::new_thread(Task& task, const CoreCallee& function, std::uint64_t argument) {
  index_of(*current_);
  AsyncTask* owner = nullptr;
  if (task.is_async) {
    owner = static_cast<AsyncTask*>(&task);
  } else {
    AsyncTask*& heir = static_cast<SyncTask&>(task).heir;
    if (!heir) {
      heir = new AsyncTask;
      heir->instance = task.instance, heir->lift = task.lift, heir->state = Task::State::Resolved;
      heir->threads = 1; // the SyncTask's own
    }
    owner = heir;
  }
  auto* thread = new StackThread(*owner);
  thread->scheduler = this;
  thread->step = StackThread::Step::Function;
  thread->state = Thread::State::Suspended;
  thread->function = function;
  thread->argument = argument;
  ++owner->threads;
  list(*thread);
  index_of(*thread);
  return *thread;
}

void Scheduler::leave_heir(SyncTask& task) {
  if (--task.heir->threads == 0) delete task.heir;
}

void Scheduler::request_cancellation(AsyncTask& task, ComponentInstanceIndex caller) {
  if (task.state == Task::State::Initial) {
    task.state = Task::State::CancelDelivered;
    return resume(task.implicit, Woke::Cancelled);
  }
  const Thread* exclusive = task.instance->exclusive_thread;
  bool skip_implicit = task.needs_exclusive && exclusive && exclusive != &task.implicit;
  StackThread* chosen = nullptr;
  for (StackThread* thread = threads_.first(); thread && !chosen; thread = threads_.next(thread))
    if (&thread->task == &task && thread->cancellable && thread->state != Thread::State::Running &&
        !(skip_implicit && thread == &task.implicit))
      chosen = thread;
  ComponentInstance::State& state = component_.state();
  ComponentInstanceIndex callee = task.instance->index;
  if (!chosen || !state.enter(callee, caller)) {
    task.state = Task::State::PendingCancel;
    return;
  }
  task.state = Task::State::CancelDelivered;
  resume(*chosen, Woke::Cancelled);
  state.leave(callee, caller);
}

// --- from outside

bool Scheduler::run_one() {
  if (HostFiber* host = completions_.first()) {
    completions_.remove(host);
    host->complete();
    return true;
  }
  for (Thread* thread = waiting_.first(); thread; thread = waiting_.next(thread)) {
    if (!is_ready(*thread)) continue;
    ComponentInstanceIndex instance = thread->task.instance->index;
    if (!component_.state().enter(instance, {})) continue;
    bool only_yielded = thread->wait.what == Wait::For::Turn || thread->wait.what == Wait::For::Exclusive;
    resume(*thread, Woke::Normally);
    if (failed_) return true;
    component_.state().leave(instance, {});
    if (only_yielded) ++turns_;
    return true;
  }
  return false;
}

Scheduler::Drive Scheduler::drive_until(bool (*done)(const void*), const void* what, std::uint32_t own) {
  loop::Fiber* self = loop::Fiber::current();
  const HostFiber* host = own_fiber();
  if (host) ++own;
  for (;;) {
    if (ending_) return Drive::Ending;
    if (failed_) return Drive::Failed; // a trap after the result counts as well
    if (done(what)) return Drive::Done;
    if (self->cancelled()) return Drive::Cancelled;
    if (std::exchange(returned_, false) && waiters_) { // to whoever has its result now
      loop::Fiber::yield();
      continue;
    }
    if (!holder_) {
      holder_ = self;
      const std::uint32_t turns = turns_;
      if (run_one()) {
        let_go();
        // With the instance free: among the others are fibers that want to hold it.
        if (turns_ != turns && turns_ % kTurnsPerYield == 0) loop::Fiber::yield();
        continue;
      }
      holder_ = nullptr; // nothing has changed, and nobody else need look: two who wait would wake each other for ever
      if (expected_ + host_count_ <= waiting_outside_ + own) return Drive::Deadlock;
    }
    component_.before_wait();
    if (!wait_for_change(own, host && host->awaited)) return self->cancelled() ? Drive::Cancelled : Drive::TimedOut;
  }
}

bool Scheduler::wait_for_change(std::uint32_t own, bool awaited) {
  Waiter waiter;
  waiter.own = own, waiter.awaited = awaited;
  waiter.next = waiters_;
  waiters_ = &waiter;
  waiting_outside_ += own;
  if (awaited && ++awaited_waiting_ == awaited_) // whoever waits for no more than that
    for (Waiter* other = waiter.next; other; other = other->next)
      if (!other->own) other->changed.set();
  bool changed = waiter.changed.wait(component_.slot().deadline());
  waiting_outside_ -= waiter.own;
  if (waiter.awaited) --awaited_waiting_;
  Waiter** at = &waiters_;
  while (*at != &waiter) at = &(*at)->next;
  *at = waiter.next;
  if (ending_) quiet_.set();
  return changed;
}

bool Scheduler::wait_to_hold() {
  loop::Fiber* self = loop::Fiber::current();
  const HostFiber* host = own_fiber();
  while (holder_ && !ending_)
    if (!wait_for_change(host ? 1 : 0, host && host->awaited)) break;
  if (holder_ || ending_) return false;
  holder_ = self;
  return true;
}

void Scheduler::notify() {
  for (Waiter* waiter = waiters_; waiter; waiter = waiter->next) {
    waiter->changed.set();
    waiting_outside_ -= std::exchange(waiter->own, 0); // it may bring progress itself now
    if (std::exchange(waiter->awaited, false)) --awaited_waiting_;
  }
  if (ending_) quiet_.set();
}

// The guest stands still meanwhile: who would drive it waits as well.
void Scheduler::settle() {
  bool held = held_here();
  if (!held && !hold()) return;
  while (!is_settled() && !ending_)
    if (!wait_for_change(0, false)) break;
  if (!held) let_go();
}

// --- host fibers

bool Scheduler::spawn(HostFiber& host, std::function<void()> body) {
  loop::Fiber* self = loop::Fiber::current();
  host.fiber = self->loop().spawn(std::move(body));
  if (!host.fiber) return false;
  host.fiber->local = self->local;
  host_fibers_.push_back(&host);
  ++host_count_;
  if (host.awaited) ++awaited_;
  self->loop().run_first(host.fiber);
  return true;
}

void Scheduler::host_fiber_ended(HostFiber& host) {
  host_fibers_.remove(&host);
  completions_.remove(&host);
  --host_count_;
  if (host.awaited) --awaited_;
  host.fiber = nullptr;
  quiet_.set();
  notify();
}

HostFiber* Scheduler::own_fiber() const {
  loop::Fiber* self = loop::Fiber::current();
  HostFiber* host = host_fibers_.first();
  while (host && host->fiber != self) host = host_fibers_.next(host);
  return host;
}

// Host fibers first, for they hold on to the guest; then the threads, by unwinding their stacks; then what others hold.
void Scheduler::end_all() {
  ending_ = true;
  notify();
  for (HostFiber* host = host_fibers_.first(); host; host = host_fibers_.next(host))
    host->fiber->loop().cancel(host->fiber);
  while (holder_ || host_count_ || waiters_) {
    quiet_.reset();
    quiet_.wait();
  }
  while (StackThread* thread = threads_.last()) {
    AsyncTask& task = async_task(*thread);
    if (thread->stack.active()) resume(*thread, Woke::Ended);
    unlist(*thread);
    if (&task.implicit != thread) delete thread;
    if (task.listed == 0) delete &task;
  }
  while (Attachment* attachment = attachments_.first()) {
    attachments_.remove(attachment);
    attachment->detach();
  }
  ending_ = false;
  current_ = nullptr, scope_ = nullptr;
}

} // namespace cusp::canon
