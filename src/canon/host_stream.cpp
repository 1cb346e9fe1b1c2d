#include "canon/host_stream.h"

#include "canon/component_state.h"

namespace cusp::canon {

using base::ErrorCode;

// The host's side of an operation, on the stack of the fiber that waits for it.
struct HostEnd::Operation final : CopyClient {
  Operation(SharedCopy& shared, bool reads) : CopyClient(reads), shared(shared) {}
  // A reader is content with what there is; a writer stays until all is taken.
  void copied() override {
    if (!reads && buffer.remain()) return;
    shared.reset_pending();
    over = true;
  }
  void done(CopyResult result) override {
    over = true;
    dropped = result == CopyResult::Dropped;
  }
  SharedCopy& shared;
  bool over = false, dropped = false;
};

void HostEnd::counted(bool add) {
  Scheduler* scheduler = end_ ? end_->scheduler() : nullptr;
  if (scheduler) add ? scheduler->expect_one() : scheduler->unexpect_one();
}

base::Result<bool> HostEnd::run(Operation& operation) {
  Scheduler* scheduler = end_->scheduler();
  if (!scheduler) return false;
  if (scheduler->held_here())
    return base::fail(ErrorCode::Trap, "a host function that is not async cannot wait for the guest that called it");
  if (!scheduler->hold()) return base::fail(ErrorCode::Timeout, "the wait for the guest was cancelled");
  if (const CopyClient* pending = end_->pending(); pending && pending->reads == operation.reads) {
    scheduler->let_go();
    return base::fail(ErrorCode::InvalidArgument, "an end of a stream or future has one operation at a time");
  }
  end_->copy(operation);
  scheduler->let_go();
  auto is_over = [](const void* what) { return static_cast<const Operation*>(what)->over; };
  if (operation.over) return true;
  auto driven = scheduler->drive_until(is_over, &operation, 1);
  if (driven == Scheduler::Drive::Done) return true;
  if (end_->pending() == &operation) end_->reset_pending();
  if (driven == Scheduler::Drive::Failed)
    return std::unexpected(scheduler->component().poison(Trap(scheduler->trap())));
  if (driven == Scheduler::Drive::Deadlock) return base::fail(ErrorCode::Trap, std::string(kDeadlock));
  if (driven == Scheduler::Drive::Ending) return false;
  return base::fail(ErrorCode::Timeout, "the wait for the guest was cancelled");
}

base::Result<std::uint32_t> HostEnd::transfer(bool reads, void* values, const ElementOps* ops, std::size_t count) {
  if (count > kMaxCopyLength) count = kMaxCopyLength;
  std::uint32_t moved = 0;
  while (end_ && moved < count) {
    Operation operation(*end_.operator->(), reads);
    operation.buffer.values = values, operation.buffer.ops = ops;
    operation.buffer.length = static_cast<std::uint32_t>(count), operation.buffer.progress = moved;
    base::Result<bool> ran = run(operation);
    moved = operation.buffer.progress;
    if (!ran) return std::unexpected(std::move(ran).error());
    if (!*ran || operation.dropped || (reads && moved)) break;
  }
  return moved;
}

// By an operation on nothing, which ends when the peer comes and leaves that one waiting.
base::Result<std::uint32_t> HostEnd::wait_for_peer(bool reads) {
  while (!is_closed()) {
    if (const CopyClient* pending = end_->pending(); pending && pending->reads != reads)
      return pending->buffer.remain() ? pending->buffer.remain() : kMaxCopyLength;
    Operation nothing(*end_.operator->(), reads);
    if (!CUSP_TRY(run(nothing)) || nothing.dropped) break;
  }
  return 0;
}

SharedCopy* detail::make_shared_copy(ComponentInstance& component, bool is_future, const TypeDesc* element) {
  return new SharedCopy(component.state().scheduler, is_future, element);
}

} // namespace cusp::canon
