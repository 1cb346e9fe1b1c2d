// What component scripts import from their host, as the reference's runner gives it: functions in all the ways in which a function can
// be, and a resource whose destructor counts.
#pragma once

#include "canon/bind.h"

namespace cusp::cli {

// The host state of an instance. Must outlive it.
struct WastHost {
  std::uint32_t drops = 0;
  std::uint32_t last_drop = 0;
};

// Instances that are linked by it need a WastHost as their host state.
void add_wast_host(canon::Linker& linker);

} // namespace cusp::cli
