// An activation is one entry into guest code, on the machine stack of the fiber that made it. Activations of a fiber form a
// chain (guest → host → guest); Fiber::guest points at the innermost. Everything a signal handler must know of the store
// whose guest runs stands in its Execution: plain data, allocated beforehand.
// A trap resumes at the innermost activation's saved state. The frames dropped are guest frames only: a host function
// in between has an activation of its own and returns in the ordinary way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "abi/vm.h"
#include "runtime/guest_stacks.h"

namespace cusp::runtime {

class WriteSet;
struct Execution;

struct Activation {
  void* resume_sp = nullptr;    // first: enter_x86_64.S stores here
  Activation* outer = nullptr;  // of the fiber
  Activation* within = nullptr; // of the same execution on the same stack
  Execution* execution = nullptr;
  std::byte* stack = nullptr; // the low end of the stack it is on
};

inline constexpr std::uint32_t kMaxBacktrace = 64;
inline constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

struct Execution {
  GuestStacks stacks;
  WriteSet* write_set = nullptr;
  std::int64_t deadline_ns = kNoDeadline; // CLOCK_MONOTONIC
  // Set by the timer when it found host code running; tested where host code returns to the guest.
  volatile std::uint32_t interrupted = 0;
  // The stack that is in use now, whose guest may be entered again from there; all null: none.
  struct Running {
    Activation* innermost = nullptr;
    loop::Fiber* fiber = nullptr;
    std::byte* stack = nullptr; // its low end
  } running;
  // What a trap leaves behind.
  abi::Trap trap = abi::Trap::Internal;
  std::uint32_t pc_count = 0;
  std::uintptr_t pcs[kMaxBacktrace]; // in guest code, at or inside the instruction in question; innermost first
  // The exception thrown last, and the frame whose landing pad it went to: its backtrace is in `pcs`.
  const void* thrown = nullptr;
  std::uintptr_t landed_at = 0;
};

// Calls `entry` (an entry trampoline) on a stack of the execution, the current one when it is one already. False: trapped.
// REQUIRES: on a fiber. An execution runs on one fiber at a time: otherwise CannotEnter.
bool run_guest(Execution& execution, const void* entry, void* vmctx, const void* code, abi::ValRaw* values);

// The activation whose guest runs on this thread; nullptr: none. Async-signal-safe.
inline Activation* current_activation() {
  loop::Fiber* fiber = loop::Fiber::current();
  return fiber ? static_cast<Activation*>(fiber->guest) : nullptr;
}

// Notes trap and backtrace. `pc`: of the innermost guest instruction, 0 when unknown; `frame`: where the rbp chain starts.
// Stops at the activation. Async-signal-safe.
void record_trap(Activation& activation, abi::Trap trap, std::uintptr_t pc, std::uintptr_t frame,
                 std::uintptr_t stack_low);

// From built-ins: ends the innermost activation with a trap. The frames between (C++ without destructors, guest) are dropped.
[[noreturn]] void raise_trap(abi::Trap trap);

// The same for a trap that has been noted in the execution already.
[[noreturn]] void drop_guest(Activation& activation);

// Where host code is about to return to the guest: lets other fibers run when the timer asked for it; true when the
// deadline has passed, and the guest must be stopped with Timeout.
bool interruption_due(Execution& execution);

// The earliest deadline of this activation and those around it, or kNoDeadline. CLOCK_MONOTONIC. Async-signal-safe.
std::int64_t earliest_deadline(const Activation* activation);
// The deadline of this activation or of one around it has passed. Async-signal-safe.
bool deadline_passed(const Activation* activation);

extern "C" std::uint32_t cusp_enter_guest(Activation*, const void* entry, void* vmctx, const void* code,
                                          abi::ValRaw* values);
extern "C" [[noreturn]] void cusp_leave_guest(Activation*);

} // namespace cusp::runtime
