#include "canon/copy.h"

#include <cstring>

#include <fmt/format.h>

#include "canon/component_state.h"
#include "canon/transfer.h"

namespace cusp::canon {

using component::TypeKind;
using component::ValType;

namespace {

bool is_number(ValType type) { return type.kind >= TypeKind::S8 && type.kind <= TypeKind::F64; }
bool is_none_or_number(const std::optional<ValType>& type) { return !type || is_number(*type); }

} // namespace

SharedCopy::SharedCopy(Scheduler& scheduler, bool is_future, std::optional<ValType> element)
    : is_future(is_future), scheduler_(&scheduler), element_(element), element_known_(true) {
  scheduler.attach(*this);
}

SharedCopy::SharedCopy(Scheduler& scheduler, bool is_future, const TypeDesc* desc)
    : is_future(is_future), scheduler_(&scheduler), desc_(desc) {
  scheduler.attach(*this);
}

bool SharedCopy::is_of(std::optional<ValType> element) {
  if (element_known_) return element_ == element;
  const ComponentCode::State& code = scheduler_->component().code().state();
  if (desc_ ? !element || !matches(*desc_, code.types(), *element, code.resources) : element.has_value()) return false;
  element_ = element, element_known_ = true;
  return true;
}

bool SharedCopy::is_of(const TypeDesc* element) {
  if (desc_ == element && !element_known_) return true;
  if (!element) return element_known_ ? !element_ : !desc_;
  if (!element_known_) return desc_ && to_string(*desc_) == to_string(*element);
  const ComponentCode::State& code = scheduler_->component().code().state();
  return element_ && matches(*element, code.types(), *element_, code.resources);
}

void SharedCopy::drop_end() {
  if (!dropped_) set_dropped();
  if (--ends_) return;
  if (scheduler_) scheduler_->detach(*this);
  delete this;
}

void SharedCopy::detach() {
  scheduler_ = nullptr;
  set_dropped();
}

void SharedCopy::set_dropped() {
  dropped_ = true;
  dropped_event_.set();
  if (pending_) notify_pending(CopyResult::Dropped);
}

void SharedCopy::notify_pending(CopyResult result) {
  CopyClient* client = pending_;
  pending_ = nullptr;
  client->done(result);
}

// Two ends in one component instance: only what has no pointers in it, for now. Spec: "temporary".
bool SharedCopy::may_meet(const CopyClient& client) {
  if (!client.buffer.instance || client.buffer.instance != pending_->buffer.instance || is_none_or_number(element_))
    return true;
  scheduler_->fail({"cannot read from and write to intra-component future/stream with non-numeric payload"});
  return false;
}

void SharedCopy::stream_copy(CopyClient& client) {
  if (dropped_) return client.done(CopyResult::Dropped);
  if (!pending_) {
    pending_ = &client;
    return;
  }
  if (!may_meet(client)) return;
  CopyBuffer& other = pending_->buffer;
  if (other.remain() > 0) {
    if (std::uint32_t count = std::min(client.buffer.remain(), other.remain())) {
      if (!(client.reads ? move_values(other, client.buffer, count) : move_values(client.buffer, other, count))) return;
      pending_->copied();
    }
    return client.done(CopyResult::Completed);
  }
  if (!client.reads && client.buffer.length == 0 && other.length == 0) return client.done(CopyResult::Completed);
  notify_pending(CopyResult::Completed);
  pending_ = &client;
}

void SharedCopy::future_copy(CopyClient& client) {
  if (dropped_ && !client.reads) return client.done(CopyResult::Dropped);
  if (!pending_) {
    pending_ = &client;
    return;
  }
  if (!may_meet(client)) return;
  CopyBuffer& other = pending_->buffer;
  if (!(client.reads ? move_values(other, client.buffer, 1) : move_values(client.buffer, other, 1))) return;
  notify_pending(CopyResult::Completed);
  client.done(CopyResult::Completed);
}

bool SharedCopy::move_values(CopyBuffer& from, CopyBuffer& to, std::uint32_t count) {
  bool copied = true;
  if (from.instance && to.instance) {
    copied = copy_between_guests(from, to, count);
  } else if (const ElementOps* ops = from.instance ? to.ops : from.ops) {
    // At least one side is the host's.
    const CopyBuffer& guest = from.instance ? from : to;
    auto at = [&](const CopyBuffer& b) {
      return static_cast<std::uint8_t*>(b.values) + std::size_t{b.progress} * ops->host_size;
    };
    if (!guest.instance) {
      ops->move(at(from), at(to), count);
    } else {
      LiftLowerContext cx(&scheduler_->component(), *guest.instance, *guest.options, nullptr);
      const component::TypeTable& types = scheduler_->component().code().types();
      std::uint32_t size = element_ ? types.size(*element_) : 0;
      // It was checked when the operation began, and memories only grow.
      std::uint8_t* memory =
          element_ ? guest.options->memory->base + guest.pointer + std::size_t{guest.progress} * size : nullptr;
      if (from.instance) ops->load(cx, memory, at(to), count);
      else ops->store(cx, memory, at(from), count);
      if (cx.trapped()) scheduler_->fail(cx.trap_info()), copied = false;
    }
  }
  from.progress += count;
  to.progress += count;
  return copied;
}

bool SharedCopy::copy_between_guests(CopyBuffer& from, CopyBuffer& to, std::uint32_t count) {
  if (!element_) return true;
  ComponentInstance& component = scheduler_->component();
  const ComponentCode::State& code = component.code().state();
  std::size_t size = code.types().size(*element_);
  const std::uint8_t* source = from.options->memory->base + from.pointer + from.progress * size;
  std::uint8_t* target = to.options->memory->base + to.pointer + to.progress * size;
  if (is_number(*element_)) {
    std::memmove(target, source, count * size);
    return true;
  }
  LiftLowerContext lift(&component, *from.instance, *from.options, nullptr);
  LiftLowerContext lower(&component, *to.instance, *to.options, nullptr);
  Transfer transfer(lift, lower, code.types(), code.resources);
  for (std::uint32_t i = 0; i < count && !lift.trapped() && !lower.trapped(); ++i)
    transfer.memory(source + i * size, target + i * size, *element_);
  if (lift.trapped()) scheduler_->fail(lift.trap_info());
  if (lower.trapped()) scheduler_->fail(lower.trap_info());
  return !lift.trapped() && !lower.trapped();
}

EventCode CopyEnd::event_code() const {
  if (kind == Kind::StreamEnd) return readable() ? EventCode::StreamRead : EventCode::StreamWrite;
  return readable() ? EventCode::FutureRead : EventCode::FutureWrite;
}

Event CopyEnd::deliver() {
  if (reclaim_) shared->reset_pending();
  State state_before = state;
  bool is_over = result_ == CopyResult::Dropped || (kind == Kind::FutureEnd && result_ == CopyResult::Completed);
  state = is_over ? State::Done : State::Idle;
  // Whoever cancels learns that the copy is over, and what it has brought.
  if (kind == Kind::StreamEnd && state_before == State::CancellingCopy && result_ == CopyResult::Completed)
    result_ = CopyResult::Cancelled;
  std::uint32_t payload = static_cast<std::uint32_t>(result_);
  if (kind == Kind::StreamEnd) payload |= buffer.progress << 4;
  return {event_code(), handle, payload};
}

} // namespace cusp::canon
