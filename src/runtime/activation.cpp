#include "runtime/activation.h"

#include <atomic>
#include <ctime>

#include "artifact/unwind_table.h"
#include "runtime/address_table.h"
#include "runtime/code.h"
#include "runtime/fault.h"
#include "runtime/preempt.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace cusp::runtime {

namespace {

struct Entering {
  Activation activation;
  const void* entry;
  void* vmctx;
  const void* code;
  abi::ValRaw* values;
  bool completed;
};

// The activation is whole before a handler can see it, and no longer visible when it goes. The fiber and the activation around
// this one may be others at the end: a thread that blocked is resumed from anywhere.
void enter(void* argument) {
  auto& e = *static_cast<Entering*>(argument);
  Execution& execution = *e.activation.execution;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  execution.running.fiber->guest = &e.activation;
  execution.running.innermost = &e.activation;
  e.completed = cusp_enter_guest(&e.activation, e.entry, e.vmctx, e.code, e.values) == 0;
  execution.running.fiber->guest = e.activation.outer;
  execution.running.innermost = e.activation.within;
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

bool refuse(Execution& execution, abi::Trap trap) {
  execution.trap = trap;
  execution.pc_count = 0;
  return false;
}

} // namespace

bool run_guest(Execution& execution, const void* entry, void* vmctx, const void* code, abi::ValRaw* values) {
  loop::Fiber* fiber = loop::Fiber::current();
  auto* outer = static_cast<Activation*>(fiber->guest);
  Execution::Running& running = execution.running;
  if (running.stack) {
    if (running.fiber != fiber) return refuse(execution, abi::Trap::CannotEnter);
    Entering entering{
        {nullptr, outer, running.innermost, &execution, running.stack}, entry, vmctx, code, values, false};
    enter(&entering);
    return entering.completed;
  }
  loop::StackView stack = execution.stacks.take();
  if (!stack.base) return refuse(execution, abi::Trap::MemoryLimit);
  Entering entering{{nullptr, outer, nullptr, &execution, stack.base}, entry, vmctx, code, values, false};
  running = {nullptr, fiber, stack.base};
  if (!outer) preempt_guest_begins();
  loop::Fiber::call_on_stack(stack, enter, &entering);
  if (!outer) preempt_guest_ends();
  running = {};
  execution.stacks.give_back(stack);
  return entering.completed;
}

namespace {

// Where the function that `pc` lies in, whose frame this is, keeps its return address.
std::uintptr_t return_slot(std::uintptr_t pc, std::uintptr_t frame) {
  const GuestCode* guest = pc ? find_guest_code(pc) : nullptr;
  // What an artifact that shrank has left is not to be read in a handler.
  if (!guest || guest->damaged.load(std::memory_order_relaxed)) return frame + 8;
  auto table = static_cast<const Code*>(guest->owner)->artifact().unwind_table();
  auto layout =
      artifact::lookup_frame(table, static_cast<std::uint32_t>(pc - reinterpret_cast<std::uintptr_t>(guest->begin)));
  return frame + 8 + (layout ? 8 * std::uintptr_t{layout->gap} : 0);
}

} // namespace

void record_trap(Activation& activation, abi::Trap trap, std::uintptr_t pc, std::uintptr_t frame,
                 std::uintptr_t stack_low) {
  Execution& execution = *activation.execution;
  execution.trap = trap;
  execution.thrown = nullptr;
  std::uint32_t count = 0;
  if (pc) execution.pcs[count++] = pc;
  auto high = reinterpret_cast<std::uintptr_t>(activation.resume_sp);
  while (count < kMaxBacktrace && frame >= stack_low && frame + 16 <= high && frame % 8 == 0) {
    const std::uintptr_t slot = return_slot(pc, frame);
    if (slot >= high) break;
    // A return address belongs to the call before it.
    pc = *reinterpret_cast<const std::uintptr_t*>(slot) - 1;
    if (find_guest_code(pc)) execution.pcs[count++] = pc;
    const std::uintptr_t outer = *reinterpret_cast<const std::uintptr_t*>(frame);
    if (outer <= frame) break;
    frame = outer;
  }
  execution.pc_count = count;
}

[[noreturn]] void raise_trap(abi::Trap trap) {
  Activation& activation = *current_activation();
  auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  record_trap(activation, trap, 0, frame, frame);
  drop_guest(activation);
}

[[noreturn]] void drop_guest(Activation& activation) {
#if defined(__SANITIZE_ADDRESS__)
  // The built-ins' frames go without their epilogues.
  auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  auto high = reinterpret_cast<std::uintptr_t>(activation.resume_sp);
  __asan_unpoison_memory_region(reinterpret_cast<void*>(frame - 4096), high - frame + 4096);
#endif
  cusp_leave_guest(&activation);
}

std::int64_t earliest_deadline(const Activation* activation) {
  std::int64_t earliest = kNoDeadline;
  for (; activation; activation = activation->outer)
    if (activation->execution->deadline_ns < earliest) earliest = activation->execution->deadline_ns;
  return earliest;
}

bool deadline_passed(const Activation* activation) {
  const std::int64_t earliest = earliest_deadline(activation);
  if (earliest == kNoDeadline) return false;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec >= earliest;
}

bool interruption_due(Execution& execution) {
  if (!execution.interrupted) return false;
  execution.interrupted = 0;
  if (deadline_passed(execution.running.innermost)) return true;
  loop::Fiber::yield();
  return false;
}

} // namespace cusp::runtime
