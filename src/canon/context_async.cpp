// What a context does with handles of streams, futures, waitables and error contexts. The words are those that guests' developers know
// from Wasmtime. Spec: CanonicalABI.md, lift_async_value, lift_error_context, lower_stream, "Canonical Definitions".
#include <fmt/format.h>

#include "canon/component_state.h"
#include "canon/copy.h"
#include "canon/error_context.h"

namespace cusp::canon {

const HandleEntry* LiftLowerContext::entry(std::uint32_t handle) {
  if (trapped_) return nullptr;
  const HandleEntry* found = instance_.handles.get(handle);
  if (!found) trap(fmt::format("unknown handle index {}", handle));
  return found;
}

namespace {
[[gnu::cold]] void wrong_kind(LiftLowerContext& cx, std::uint32_t handle, const char* expected) {
  cx.trap(fmt::format("handle index {} used with the wrong type, expected {}", handle, expected));
}
} // namespace

Waitable* LiftLowerContext::waitable(std::uint32_t handle) {
  const HandleEntry* found = entry(handle);
  if (!found) return nullptr;
  if (found->kind == HandleKind::Waitable) return waitable_of(*found);
  wrong_kind(*this, handle, "waitable");
  return nullptr;
}

WaitableSet* LiftLowerContext::waitable_set(std::uint32_t handle) {
  const HandleEntry* found = entry(handle);
  if (!found) return nullptr;
  if (found->kind == HandleKind::WaitableSet) return waitable_set_of(*found);
  wrong_kind(*this, handle, "waitable-set");
  return nullptr;
}

Subtask* LiftLowerContext::subtask(std::uint32_t handle) {
  const HandleEntry* found = entry(handle);
  if (!found) return nullptr;
  if (found->kind == HandleKind::Waitable && waitable_of(*found)->kind == Waitable::Kind::Subtask)
    return static_cast<Subtask*>(waitable_of(*found));
  wrong_kind(*this, handle, "subtask");
  return nullptr;
}

CopyEnd* LiftLowerContext::copy_end(std::uint32_t handle, bool is_future, bool readable) {
  const HandleEntry* found = entry(handle);
  if (!found) return nullptr;
  auto kind = is_future ? Waitable::Kind::FutureEnd : Waitable::Kind::StreamEnd;
  if (found->kind == HandleKind::Waitable && waitable_of(*found)->kind == kind) {
    auto* end = static_cast<CopyEnd*>(waitable_of(*found));
    if (end->readable() == readable) return end;
  }
  wrong_kind(*this, handle,
             is_future ? (readable ? "readable future end" : "writable future end")
                       : (readable ? "readable stream end" : "writable stream end"));
  return nullptr;
}

CopyEnd* LiftLowerContext::liftable_end(std::uint32_t handle, bool is_future) {
  CopyEnd* end = copy_end(handle, is_future, true);
  if (!end) return nullptr;
  const char* what = is_future ? "future" : "stream";
  if (end->copying()) trap(fmt::format("cannot remove busy {}", what));
  else if (end->state == CopyEnd::State::Done)
    trap(is_future ? "cannot lift future after previous read succeeded"
                   : "cannot lift stream after being notified that the writable end dropped");
  else if (end->set()) trap(fmt::format("cannot lift {} while it's in a waitable set", what));
  return trapped_ ? nullptr : end;
}

SharedEnd LiftLowerContext::take_end(CopyEnd* end, bool is_of_type) {
  if (!end) return {};
  if (!is_of_type) {
    wrong_kind(*this, end->handle, "a stream or future of another type");
    return {};
  }
  SharedEnd shared = std::move(end->shared);
  instance_.handles.remove(end->handle);
  end->release();
  return shared;
}

SharedEnd LiftLowerContext::lift_copy(std::uint32_t handle, bool is_future, std::optional<component::ValType> element) {
  CopyEnd* end = liftable_end(handle, is_future);
  return take_end(end, end && end->shared->is_of(element));
}

SharedEnd LiftLowerContext::lift_copy(std::uint32_t handle, bool is_future, const TypeDesc* element) {
  CopyEnd* end = liftable_end(handle, is_future);
  return take_end(end, end && end->shared->is_of(element));
}

std::uint32_t LiftLowerContext::add_handle(const HandleEntry& entry) {
  std::uint32_t handle = instance_.handles.add(entry);
  if (!handle) trap("resource table has no free keys");
  return handle;
}

std::uint32_t LiftLowerContext::lower_copy(SharedEnd end) {
  if (trapped_) return 0;
  if (!end) return trap("the host gave a stream or future that it has let go of"), 0;
  if (end->scheduler() != &component_->state().scheduler)
    return trap("a stream or future of one component instance cannot be given to another"), 0;
  auto made = std::make_unique<CopyEnd>(std::move(end), true);
  HandleEntry entry;
  entry.kind = HandleKind::Waitable, entry.object = static_cast<Waitable*>(made.get());
  std::uint32_t handle = add_handle(entry);
  if (handle) made.release()->handle = handle;
  return handle;
}

ErrorContext* LiftLowerContext::lift_error_context(std::uint32_t handle) {
  const HandleEntry* found = entry(handle);
  if (!found) return nullptr;
  if (found->kind == HandleKind::ErrorContext) return error_context_of(*found);
  wrong_kind(*this, handle, "error-context");
  return nullptr;
}

std::uint32_t LiftLowerContext::lower_error_context(ErrorContext& context) {
  if (trapped_) return 0;
  HandleEntry entry;
  entry.kind = HandleKind::ErrorContext, entry.object = &context;
  std::uint32_t handle = add_handle(entry);
  if (handle) ++context.references;
  return handle;
}

} // namespace cusp::canon
