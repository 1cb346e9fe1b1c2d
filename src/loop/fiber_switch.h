// How the event loop starts and resumes fibers. Private to loop/.
#pragma once

#include <boost/context/detail/fcontext.hpp>

#include "loop/fiber.h"

namespace cusp::loop {

struct Fiber::Switch {
  static void prepare(Fiber& fiber, StackView stack, Entry entry, void* argument);
  // Runs the fiber until it suspends or ends. REQUIRES: on the loop's own stack.
  static void resume(Fiber& fiber);
  static void entry_point(boost::context::detail::transfer_t from);
};

} // namespace cusp::loop
