// Interruption without code in the guest (DESIGN decision 8): a timer signal per thread, only while that thread has guests. The
// handler finds guest code running and either stops it (deadline passed) or lets the other fibers of the loop run; it
// finds host code running and leaves a note (Execution::interrupted).
// The timer is not set per request: it keeps ticking while guests come and go, slows down while all guests of the
// thread are suspended in host functions, and stops a while after the last one ended.
#pragma once

#include "base/result.h"

namespace cusp::runtime {

base::Result<void> install_preemption();

// Around the outermost entry into guest code of a fiber; on the fiber's thread. Two counters, unless the timer must be started.
void preempt_guest_begins();
void preempt_guest_ends();

// The signal that the timer sends; fault handlers keep it out.
int preemption_signal();

} // namespace cusp::runtime
