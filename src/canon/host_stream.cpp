#include "canon/host_stream.h"

#include "canon/component_state.h"

namespace cusp::canon {

using base::ErrorCode;

namespace {

// The host's side of an operation, on the stack of the fiber that waits for it.
struct Operation final : CopyClient {
  explicit Operation(SharedCopy& shared, bool reads) : shared(shared), reads(reads) {}
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
  const bool reads;
  bool over = false, dropped = false;
};

} // namespace

void HostEnd::counted(bool add) {
  Scheduler* scheduler = end_ ? end_->scheduler() : nullptr;
  if (scheduler) add ? scheduler->expect_one() : scheduler->unexpect_one();
}

base::Result<std::uint32_t> HostEnd::transfer(bool reads, void* values, const ElementOps* ops, std::size_t count) {
  if (count > kMaxCopyLength) count = kMaxCopyLength;
  std::uint32_t moved = 0;
  while (end_ && moved < count) {
    Scheduler* scheduler = end_->scheduler();
    if (!scheduler) break;
    if (scheduler->held_here())
      return base::fail(ErrorCode::Trap, "a host function that is not async cannot wait for the guest that called it");
    if (!scheduler->hold()) return base::fail(ErrorCode::Timeout, "the wait for the guest was cancelled");
    Operation operation(*end_.operator->(), reads);
    operation.buffer.values = values, operation.buffer.ops = ops;
    operation.buffer.length = static_cast<std::uint32_t>(count), operation.buffer.progress = moved;
    reads ? end_->read(operation) : end_->write(operation);
    scheduler->let_go();
    auto is_over = [](const void* what) { return static_cast<const Operation*>(what)->over; };
    auto driven = operation.over ? Scheduler::Drive::Done : scheduler->drive_until(is_over, &operation, 1);
    moved = operation.buffer.progress;
    if (driven != Scheduler::Drive::Done) {
      if (end_->pending() == &operation) end_->reset_pending();
      if (driven == Scheduler::Drive::Failed)
        return std::unexpected(scheduler->component().poison(Trap(scheduler->trap())));
      if (driven == Scheduler::Drive::Deadlock) return base::fail(ErrorCode::Trap, std::string(kDeadlock));
      if (driven == Scheduler::Drive::Ending) break;
      return base::fail(ErrorCode::Timeout, "the wait for the guest was cancelled");
    }
    if (operation.dropped || (reads && moved)) break;
  }
  return moved;
}

SharedCopy* detail::make_shared_copy(ComponentInstance& component, bool is_future, const TypeDesc* element) {
  return new SharedCopy(component.state().scheduler, is_future, element);
}

} // namespace cusp::canon
