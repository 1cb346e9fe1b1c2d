#include "loop/coroutine.h"

#include <boost/context/detail/fcontext.hpp>

#include "loop/sanitizers.h"
#include "loop/thread_state.h"

namespace cusp::loop {

namespace context = boost::context::detail;

struct Coroutine::Switch {
  static void entry_point(context::transfer_t from) {
    auto* self = static_cast<Coroutine*>(from.data);
    self->context_ = from.fctx;
    sanitizers::arrive(nullptr);
    self->entry_(self->argument_);
    self->active_ = false;
    sanitizers::leave(nullptr, self->resumer_stack_.base, self->resumer_stack_.size);
    context::jump_fcontext(self->context_, self);
    __builtin_unreachable();
  }
  static StackView& active_stack() { return thread_state().current->active_stack_; }
};

void Coroutine::start(StackView stack, Fiber::Entry entry, void* argument) {
  stack_ = stack;
  entry_ = entry;
  argument_ = argument;
  active_ = true;
  context_ = context::make_fcontext(stack.base + stack.size, stack.size, &Switch::entry_point);
}

bool Coroutine::resume() {
  StackView& active = Switch::active_stack();
  resumer_stack_ = active;
  active = stack_;
  void* fake_stack = nullptr;
  sanitizers::leave(&fake_stack, stack_.base, stack_.size);
  context::transfer_t back = context::jump_fcontext(context_, this);
  sanitizers::arrive(fake_stack);
  context_ = back.fctx;
  active = resumer_stack_;
  return !active_;
}

void Coroutine::block() {
  sanitizers::leave(&fake_stack_, resumer_stack_.base, resumer_stack_.size);
  context::transfer_t back = context::jump_fcontext(context_, this);
  sanitizers::arrive(fake_stack_);
  context_ = back.fctx;
}

} // namespace cusp::loop
