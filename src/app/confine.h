// Gives up what a serving process does not need: programs to start, files outside the granted directories, other networks' ports. Private to app/.
// What is given up is given up for every thread made afterwards and for good. DESIGN: a serving cusp locks itself in.
#pragma once

#include "app/host.h"

namespace cusp::app {

struct Confinement {
  bool landlock = false; // the kernel confines path look-ups to the granted directories and what the resolver reads
  bool seccomp = false;  // system calls are filtered
};

// REQUIRES: everything that needs other rights is open, no thread has been started. What the kernel does not offer is left out and shows in the
// result. Error: Io when something that it offers could not be set up.
Result<Confinement> confine_to(const Grants& grants);

} // namespace cusp::app
