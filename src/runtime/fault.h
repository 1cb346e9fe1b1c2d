// What happens when guest code faults (DESIGN decisions 4, 7, 9). Handlers for SIGSEGV, SIGBUS, SIGILL and SIGFPE, installed once, on an
// alternate stack: a write-set fault is told by address and repaired; a trap is told by PC, noted, and the thread goes
// on at the activation; host code that reads a page which an artifact's file has lost reads zeros, and the artifact is
// marked; anything else goes to the handler that was there before.
#pragma once

#include "base/result.h"

namespace cusp::runtime {

base::Result<void> install_fault_handlers();

// Gives the calling thread an alternate signal stack, once. REQUIRES: before guest code or tracked memory is used on the thread.
void prepare_thread();

} // namespace cusp::runtime
