// Times as wasi:clocks has them, and the wait for one.
#pragma once

#include <ctime>

#include "canon/describe.h"
#include "wasi/io/poll.h"

namespace cusp::wasi {

struct Datetime {
  std::uint64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
};
CUSP_RECORD(Datetime, seconds, nanoseconds)

// The same in 0.3, where times before 1970 can be said.
struct Instant {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
};
CUSP_RECORD(Instant, seconds, nanoseconds)

inline Instant to_instant(const timespec& time) { return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)}; }

inline Datetime to_datetime(const timespec& time) {
  if (time.tv_sec < 0) return {}; // before 1970 cannot be said
  return {static_cast<std::uint64_t>(time.tv_sec), static_cast<std::uint32_t>(time.tv_nsec)};
}

// clock_gettime or clock_getres, of a clock that exists.
timespec read_clock(int (*read)(clockid_t, timespec*), clockid_t clock);

// The monotonic clock is the loop's: steady-clock nanoseconds.
inline std::uint64_t monotonic_now() {
  return static_cast<std::uint64_t>(loop::Clock::now().time_since_epoch().count());
}

// The moment `instant` nanoseconds on that clock, or kNever when it is beyond it.
loop::TimePoint time_point(std::uint64_t instant);
// `duration` from now, without wrapping round.
loop::TimePoint time_after(std::uint64_t duration);

class Timer final : public Waitable {
public:
  explicit Timer(loop::TimePoint at) : at_(at) {}
  bool ready() override { return at_ != loop::kNever && loop::Clock::now() >= at_; }
  loop::TimePoint when() override { return at_; }

private:
  loop::TimePoint at_;
};

} // namespace cusp::wasi
