#include "loop/fiber.h"

#include <boost/context/detail/fcontext.hpp>

#include "loop/event_loop.h"
#include "loop/fiber_switch.h"
#include "loop/sanitizers.h"
#include "loop/thread_state.h"

namespace cusp::loop {

namespace context = boost::context::detail;

ThreadState& thread_state() {
  static thread_local ThreadState state;
  return state;
}

Fiber* Fiber::current() { return thread_state().current; }

namespace {

// noinline: the address of a thread_local must not be kept across a switch.
[[gnu::noinline]] void jump_to_loop(Fiber* fiber, void** saved_fake_stack, bool last) {
  ThreadState& thread = thread_state();
  sanitizers::leave(last ? nullptr : saved_fake_stack, thread.loop_stack, thread.loop_stack_size);
  context::transfer_t back = context::jump_fcontext(thread.loop_context, fiber);
  thread_state().loop_context = back.fctx;
  sanitizers::arrive(*saved_fake_stack, &thread_state().loop_stack, &thread_state().loop_stack_size);
}

} // namespace

void Fiber::Switch::entry_point(context::transfer_t from) {
  ThreadState& thread = thread_state();
  thread.loop_context = from.fctx;
  sanitizers::arrive(nullptr, &thread.loop_stack, &thread.loop_stack_size);
  auto* fiber = static_cast<Fiber*>(from.data);
  fiber->entry_(fiber->argument_);
  fiber->finished_ = true;
  jump_to_loop(fiber, &fiber->asan_fake_stack_, true);
  __builtin_unreachable();
}

void Fiber::Switch::prepare(Fiber& fiber, StackView stack, Entry entry, void* argument) {
  fiber.own_stack_ = fiber.active_stack_ = stack;
  fiber.entry_ = entry;
  fiber.argument_ = argument;
  fiber.finished_ = false;
  fiber.context_ = context::make_fcontext(stack.base + stack.size, stack.size, &Switch::entry_point);
}

void Fiber::Switch::resume(Fiber& fiber) {
  ThreadState& thread = thread_state();
  thread.current = &fiber;
  sanitizers::leave(&thread.loop_fake_stack, fiber.active_stack_.base, fiber.active_stack_.size);
  context::transfer_t back = context::jump_fcontext(fiber.context_, &fiber);
  sanitizers::arrive(thread.loop_fake_stack);
  thread.current = nullptr;
  fiber.context_ = back.fctx;
}

void Fiber::suspend() {
  Fiber* fiber = thread_state().current;
  jump_to_loop(fiber, &fiber->asan_fake_stack_, false);
}

void Fiber::yield() {
  Fiber* fiber = thread_state().current;
  fiber->loop_->wake(fiber);
  suspend();
}

namespace {

struct StackCall {
  Fiber::Entry entry;
  void* argument;
  StackView caller_stack;
};

void on_other_stack(context::transfer_t from) {
  const void* caller_base = nullptr;
  std::size_t caller_size = 0;
  sanitizers::arrive(nullptr, &caller_base, &caller_size);
  auto* call = static_cast<StackCall*>(from.data);
  call->entry(call->argument);
  sanitizers::leave(nullptr, call->caller_stack.base, call->caller_stack.size);
  context::jump_fcontext(from.fctx, nullptr);
  __builtin_unreachable();
}

} // namespace

void Fiber::call_on_stack(StackView stack, Entry entry, void* argument) {
  Fiber* fiber = thread_state().current;
  StackCall call{entry, argument, fiber->active_stack_};
  void* fake_stack = nullptr;
  fiber->active_stack_ = stack;
  sanitizers::leave(&fake_stack, stack.base, stack.size);
  context::jump_fcontext(context::make_fcontext(stack.base + stack.size, stack.size, &on_other_stack), &call);
  sanitizers::arrive(fake_stack);
  fiber->active_stack_ = call.caller_stack;
}

} // namespace cusp::loop
