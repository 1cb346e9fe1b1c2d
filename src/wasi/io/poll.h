// Readiness: what a guest can wait for. A Waitable says whether it is ready now, and otherwise which event or which moment may change that.
// Waiting suspends the fiber; the thread serves others. Spec: wasi:io/poll.
#pragma once

#include <span>

#include "loop/event_loop.h"
#include "wasi/io/ref.h"

namespace cusp::wasi {

class Waitable : public Counted {
public:
  // May do I/O to find out. When it says no, event() is not set.
  virtual bool ready() = 0;
  // Set when it is worth asking again; nullptr: only time helps.
  virtual loop::Event* event() { return nullptr; }
  virtual loop::TimePoint when() { return loop::kNever; }
};

enum class WaitOutcome : std::uint8_t {
  Ready,
  Deadline, // the request is out of time
  Forever,  // nothing could ever end this wait
  Cancelled // this fiber is to end
};

// Suspends until one of them is ready. REQUIRES: on a fiber.
WaitOutcome wait_for_any(std::span<Waitable* const> what, loop::TimePoint deadline);
WaitOutcome wait_for(Waitable& what, loop::TimePoint deadline);

// The guest's handle of something to wait for.
class Pollable {
public:
  explicit Pollable(Ref<Waitable> what) : what_(std::move(what)) {}
  Waitable& what() const { return *what_; }

private:
  Ref<Waitable> what_;
};

// Ready from the start: files, closed streams.
class AlwaysReady final : public Waitable {
public:
  bool ready() override { return true; }
};

} // namespace cusp::wasi
