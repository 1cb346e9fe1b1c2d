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

// 0.3's waits are async, so nobody else is held up. What is over already does not suspend.
canon::HostResult<void> wait_until(canon::CallContext& cx, loop::TimePoint when) {
  if (when > loop::Clock::now() && !cx.sleep_until(when)) return canon::cancelled();
  return {};
}

std::uint64_t system_resolution() {
  timespec step = read_clock(&clock_getres, CLOCK_REALTIME);
  return static_cast<std::uint64_t>(step.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(step.tv_nsec);
}

void add_clocks_3(canon::Linker& linker) {
  linker.instance("wasi:clocks/system-clock@0.3.0")
      .func("now", [] { return to_instant(read_clock(&clock_gettime, CLOCK_REALTIME)); })
      .func("get-resolution", &system_resolution);
  linker.instance("wasi:clocks/monotonic-clock@0.3.0")
      .func("now", [] { return monotonic_now(); })
      .func("get-resolution", [] { return std::uint64_t{1}; })
      .func("wait-until", [](canon::CallContext& cx, std::uint64_t when) { return wait_until(cx, time_point(when)); })
      .func("wait-for",
            [](canon::CallContext& cx, std::uint64_t duration) { return wait_until(cx, time_after(duration)); });
  linker.instance("wasi:clocks/timezone@0.3.0")
      .func("iana-id", [] { return std::optional<std::string_view>("UTC"); })
      .func("utc-offset", [](Instant) { return std::optional<std::int64_t>(0); })
      .func("to-debug-string", [] { return std::string_view("UTC"); });
}

} // namespace

void add_clocks(canon::Linker& linker) {
  add_clocks_3(linker);
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
