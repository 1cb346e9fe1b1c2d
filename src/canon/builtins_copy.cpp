// Built-ins of streams, futures and error contexts.
#include <fmt/format.h>

#include "canon/abi.h"
#include "canon/builtins.h"
#include "canon/error_context.h"

namespace cusp::canon {

using component::ValType;

namespace {

std::optional<ValType> element_of(const BuiltinCall& call) {
  return call.record.owner->code().types().defs[call.plan.type->index].element;
}

void make_pair(BuiltinCall& call, bool is_future) {
  auto* shared = new SharedCopy(call.scheduler, is_future, element_of(call));
  auto readable = std::make_unique<CopyEnd>(SharedEnd(*shared), true);
  auto writable = std::make_unique<CopyEnd>(SharedEnd(*shared), false);
  std::uint64_t read_handle = call.add(std::move(readable));
  if (!read_handle) return;
  std::uint64_t write_handle = call.add(std::move(writable));
  call.give(read_handle | write_handle << 32);
}

// The end that a handle names, of the type that the built-in is for. nullptr after a trap.
CopyEnd* end_of(BuiltinCall& call, bool is_future, bool readable) {
  std::uint32_t handle = call.argument(0);
  CopyEnd* end = call.cx.copy_end(handle, is_future, readable);
  if (!end || end->shared->is_of(element_of(call))) return end;
  call.cx.trap(fmt::format("handle index {} used with the wrong type, expected a {} of another type", handle,
                           is_future ? "future" : "stream"));
  return nullptr;
}

const char* not_idle(const CopyEnd& end) {
  if (end.copying()) return "cannot have concurrent operations active on a future/stream";
  if (end.kind == Waitable::Kind::StreamEnd)
    return end.readable() ? "cannot read from stream after being notified that the writable end dropped; "
                            "cannot read after being notified that the writable end dropped"
                          : "cannot write to stream after being notified that the readable end dropped; "
                            "cannot write after being notified that the readable end dropped";
  return end.readable() ? "cannot read from future after previous read succeeded"
                        : "cannot write to future after previous write succeeded or readable end dropped; "
                          "cannot write after being notified that the readable end dropped";
}

// Spec: BufferGuestImpl.
bool set_buffer(BuiltinCall& call, CopyEnd& end, std::uint32_t pointer, std::uint32_t count) {
  if (count > kMaxCopyLength) return call.cx.trap("stream read/write count too large"), false;
  if (std::optional<ValType> element = end.shared->element(); element && count) {
    const component::TypeTable& types = call.record.owner->code().types();
    std::uint64_t bytes = std::uint64_t{count} * types.size(*element);
    if (!call.cx.range(pointer, bytes, types.alignment(*element), end.readable() ? "read pointer" : "write pointer"))
      return false;
  }
  end.buffer = {};
  end.buffer.instance = &call.instance();
  end.buffer.options = &call.record.options;
  end.buffer.pointer = pointer;
  end.buffer.length = count;
  return true;
}

// Spec: stream_copy, future_copy.
void copy(BuiltinCall& call, bool is_future, bool readable) {
  bool is_async = call.plan.options.is_async;
  if (!is_async && !call.may_block()) return;
  CopyEnd* end = end_of(call, is_future, readable);
  if (!end) return;
  if (end->state != CopyEnd::State::Idle) return call.cx.trap(not_idle(*end));
  if (end->set() && !is_async) return call.cx.trap(std::string(kSyncInSet));
  if (!set_buffer(call, *end, call.argument(1), is_future ? 1 : call.argument(2))) return;
  end->state = CopyEnd::State::Copying;
  end->shared->copy(*end);
  if (call.scheduler.failed()) return;
  if (!end->has_event()) {
    if (is_async) return call.give(kBlocked);
    if (!call.wait_for_event(*end)) return;
  }
  call.give(end->take_event().second);
}

void cancel(BuiltinCall& call, bool is_future, bool readable) {
  bool is_async = call.plan.is_async;
  if (!is_async && !call.may_block()) return;
  CopyEnd* end = end_of(call, is_future, readable);
  if (!end) return;
  if (end->state != CopyEnd::State::Copying || end->has_sync_waiter)
    return call.cx.trap(fmt::format("stream or future {} cancelled when no {} is pending", readable ? "read" : "write",
                                    readable ? "read" : "write"));
  if (end->set() && !is_async) return call.cx.trap(std::string(kSyncInSet));
  end->state = CopyEnd::State::CancellingCopy;
  if (!end->has_event()) end->shared->cancel();
  if (!end->has_event()) {
    if (is_async) return call.give(kBlocked);
    if (!call.wait_for_event(*end)) return;
  }
  call.give(end->take_event().second);
}

void drop(BuiltinCall& call, bool is_future, bool readable) {
  CopyEnd* end = end_of(call, is_future, readable);
  if (!end) return;
  if (end->copying())
    return call.cx.trap(is_future ? "cannot drop busy future" : "cannot drop busy stream; cannot remove busy stream");
  if (is_future && !readable && end->state != CopyEnd::State::Done)
    return call.cx.trap("cannot drop future write end without first writing a value");
  call.instance().handles.remove(end->handle);
  end->release();
}

} // namespace

void Builtins::StreamNew(BuiltinCall& call) { make_pair(call, false); }
void Builtins::StreamRead(BuiltinCall& call) { copy(call, false, true); }
void Builtins::StreamWrite(BuiltinCall& call) { copy(call, false, false); }
void Builtins::StreamCancelRead(BuiltinCall& call) { cancel(call, false, true); }
void Builtins::StreamCancelWrite(BuiltinCall& call) { cancel(call, false, false); }
void Builtins::StreamDropReadable(BuiltinCall& call) { drop(call, false, true); }
void Builtins::StreamDropWritable(BuiltinCall& call) { drop(call, false, false); }
void Builtins::FutureNew(BuiltinCall& call) { make_pair(call, true); }
void Builtins::FutureRead(BuiltinCall& call) { copy(call, true, true); }
void Builtins::FutureWrite(BuiltinCall& call) { copy(call, true, false); }
void Builtins::FutureCancelRead(BuiltinCall& call) { cancel(call, true, true); }
void Builtins::FutureCancelWrite(BuiltinCall& call) { cancel(call, true, false); }
void Builtins::FutureDropReadable(BuiltinCall& call) { drop(call, true, true); }
void Builtins::FutureDropWritable(BuiltinCall& call) { drop(call, true, false); }

// --- error contexts

void Builtins::ErrorContextNew(BuiltinCall& call) {
  std::string_view message = call.cx.lift_string(call.argument(0), call.argument(1));
  if (call.cx.trapped()) return;
  auto context = std::make_unique<ErrorContext>();
  context->debug_message = message;
  if (std::uint32_t handle = call.cx.lower_error_context(*context)) {
    context.release();
    call.give(handle);
  }
}

void Builtins::ErrorContextDebugMessage(BuiltinCall& call) {
  ErrorContext* context = call.cx.lift_error_context(call.argument(0));
  if (!context) return;
  std::uint8_t* at = call.cx.range(call.argument(1), 8, 4, "invalid debug message pointer:");
  std::uint32_t pointer = 0, length = 0;
  if (at) call.cx.lower_string(context->debug_message, pointer, length);
  if (call.cx.trapped()) return;
  store_raw(at, pointer), store_raw(at + 4, length);
}

void Builtins::ErrorContextDrop(BuiltinCall& call) {
  std::uint32_t handle = call.argument(0);
  ErrorContext* context = call.cx.lift_error_context(handle);
  if (!context) return;
  call.instance().handles.remove(handle);
  context->drop_reference();
}

} // namespace cusp::canon
