#include "canon/host_call.h"

#include "canon/component_state.h"

namespace cusp::canon {

HostSubtask::HostSubtask(TrampolineRecord& record, abi::ValRaw* values, bool async_lowered)
    : Subtask(record.owner, *record.instance, record.options), record_(record), values_(values) {
  cx.call_ = this;
  if (async_lowered) cx.set_async_lowered();
  state = State::Started;
}

bool HostSubtask::start(std::uint32_t value_count) {
  if (cx.async_lowered()) {
    std::copy_n(values_, value_count, copied_);
    values_ = copied_;
  }
  Scheduler& scheduler = cx.component().state().scheduler;
  if (!scheduler.spawn(*this, [this] { run(); })) return false;
  started_ = false;
  if (returned_) complete();
  return true;
}

void HostSubtask::run() {
  Scheduler& scheduler = cx.component().state().scheduler;
  call_host(record_, cx, values_);
  if (!returned_) hand_over(nullptr, nullptr); // no result, or a trap
  scheduler.host_fiber_ended(*this);
  delete_if_done();
}

void HostSubtask::hand_over(void (*lower)(void*), void* what) {
  lower_ = lower, lower_what_ = what;
  returned_ = true;
  if (!started_) cx.component().state().scheduler.queue_completion(*this);
  // At the instance's end nobody comes, and the fiber was cancelled; it may have been cancelled for less, though.
  while (!completed_ && !cx.component().state().scheduler.is_ending()) loop::Fiber::suspend();
}

void HostSubtask::complete() {
  completed_ = true;
  bool cancelled = cancellation_requested && cx.trapped() && cx.trap_info().code == abi::Trap::Cancelled;
  if (cancelled) {
    progress(State::CancelledBeforeReturned);
  } else {
    if (lower_ && !cx.trapped()) lower_(lower_what_);
    if (cx.trapped()) cx.component().state().scheduler.fail(cx.trap_info());
    else progress(State::Returned);
  }
  fiber->loop().wake(fiber);
}

// The function learns of it at once, and may answer at once.
void HostSubtask::request_cancellation() {
  loop::EventLoop& loop = fiber->loop();
  loop.cancel(fiber);
  if (!returned_) {
    started_ = true;
    loop.run_first(fiber);
    started_ = false;
  }
  if (returned_ && !completed_) {
    cx.component().state().scheduler.cancel_completion(*this);
    complete();
  }
}

void CallContext::complete_later(void (*lower)(void*), void* what) { call_->hand_over(lower, what); }

bool CallContext::sleep_until(loop::TimePoint deadline) const {
  loop::Fiber* self = loop::Fiber::current();
  self->loop().sleep_until(deadline);
  return !self->cancelled();
}

} // namespace cusp::canon
