#include "wasi/clocks/clocks.h"

namespace cusp::wasi {

timespec read_clock(int (*read)(clockid_t, timespec*), clockid_t clock) {
  timespec time{};
  read(clock, &time);
  return time;
}

loop::TimePoint time_point(std::uint64_t instant) {
  static_assert(std::is_same_v<loop::Clock::duration, std::chrono::nanoseconds>);
  constexpr auto kLast = static_cast<std::uint64_t>(loop::kNever.time_since_epoch().count());
  return instant >= kLast ? loop::kNever
                          : loop::TimePoint(std::chrono::nanoseconds(static_cast<std::int64_t>(instant)));
}

loop::TimePoint time_after(std::uint64_t duration) {
  std::uint64_t now = monotonic_now();
  return duration > ~std::uint64_t{0} - now ? loop::kNever : time_point(now + duration);
}

} // namespace cusp::wasi
