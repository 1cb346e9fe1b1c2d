// An async host function under way. It runs on a fiber of its own, as straight-line code, and may suspend as it likes; its caller
// goes on when it first does. Its result is handed over by whoever holds the instance then, while the fiber waits.
#pragma once

#include "canon/scheduler.h"

namespace cusp::canon {

struct TrampolineRecord;

class HostSubtask final : public Subtask, public HostFiber {
public:
  // `values`: of the lowered function. They are copied when the call can outlive its caller's frame (async-lowered).
  HostSubtask(TrampolineRecord& record, abi::ValRaw* values, bool async_lowered);

  // Runs the function until it suspends or has given its result. False: there is no memory for its stack.
  bool start(std::uint32_t value_count);
  void request_cancellation() override;
  void release() override {
    released_ = true;
    delete_if_done();
  }
  // The lowered function's result goes here.
  abi::ValRaw* values() { return values_; }

private:
  friend class CallContext;
  ~HostSubtask() override = default;
  void run();                                       // on the fiber
  void hand_over(void (*lower)(void*), void* what); // on the fiber
  void complete() override;                         // by the holder
  void delete_if_done() {
    if (released_ && !fiber) delete this;
  }

  TrampolineRecord& record_;
  abi::ValRaw* values_;
  abi::ValRaw copied_[component::kMaxFlatAsyncParams + 1];
  void (*lower_)(void*) = nullptr;
  void* lower_what_ = nullptr;
  bool started_ = true;   // the caller waits for the fiber's first suspension, and completes the call itself
  bool returned_ = false; // the function has; complete() is due
  bool completed_ = false;
  bool released_ = false;
};

} // namespace cusp::canon
