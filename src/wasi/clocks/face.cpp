#include <ctime>

#include "canon/bind.h"
#include "wasi/clocks/clocks.h"
#include "wasi/linker.h"

namespace cusp::wasi {

namespace {

struct TimezoneDisplay {
  std::int32_t utc_offset = 0;
  std::string name;
  bool in_daylight_saving_time = false;
};
CUSP_RECORD(TimezoneDisplay, utc_offset, name, in_daylight_saving_time)

canon::Own<Pollable> timer(loop::TimePoint at) { return canon::make_own<Pollable>(make_ref<Timer>(at)); }

} // namespace

void add_clocks(canon::Linker& linker) {
  linker.instance("wasi:clocks/wall-clock@0.2.12")
      .func("now", [] { return to_datetime(read_clock(&clock_gettime, CLOCK_REALTIME)); })
      .func("resolution", [] { return to_datetime(read_clock(&clock_getres, CLOCK_REALTIME)); });

  linker.instance("wasi:clocks/monotonic-clock@0.2.12")
      .resource<Pollable>("pollable")
      .func("now", [] { return monotonic_now(); })
      .func("resolution", [] { return std::uint64_t{1}; })
      .func("subscribe-instant", [](std::uint64_t when) { return timer(time_point(when)); })
      .func("subscribe-duration", [](std::uint64_t duration) { return timer(time_after(duration)); });

  // Guests live in UTC: the host's place is no business of theirs.
  linker.instance("wasi:clocks/timezone@0.2.12")
      .func("display", [](Datetime) { return TimezoneDisplay{0, "UTC", false}; })
      .func("utc-offset", [](Datetime) { return std::int32_t{0}; });
}

} // namespace cusp::wasi
