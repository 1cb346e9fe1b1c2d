// Finds where an exception goes on. From the call of the throw built-in the walk follows the rbp chain through guest frames,
// whatever module and artifact they belong to, takes back the callee-saved registers that each of them kept, and ends at the first call
// that has a landing pad (artifact/unwind_table.h). Compiled code there compares tags, and throws again when no clause fits. A walk
// never leaves the activation: the host function around it, if any, sees a trap.
#include <cstddef>

#include "artifact/unwind_table.h"
#include "runtime/activation.h"
#include "runtime/address_table.h"
#include "runtime/code.h"

namespace cusp::runtime {

namespace {

// The registers of a guest function at a call, as throw_x86_64.S lays them out.
struct GuestRegisters {
  std::uintptr_t stack; // where the call's return address lies; for a landing pad: rsp
  std::uintptr_t frame; // rbp
  std::uintptr_t saved[artifact::kSavedRegisters];
};
static_assert(offsetof(GuestRegisters, saved) == 16 && sizeof(GuestRegisters) <= 64);

std::uintptr_t word_at(std::uintptr_t address) { return *reinterpret_cast<const std::uintptr_t*>(address); }

// To the caller of the function that the registers belong to.
bool leave_frame(GuestRegisters& registers, std::span<const std::uint8_t> table, std::uint32_t call_offset) {
  auto layout = artifact::lookup_frame(table, call_offset);
  if (!layout) return false;
  for (unsigned i = 0; i < artifact::kSavedRegisters; ++i)
    if (layout->slots[i] != 0) registers.saved[i] = word_at(registers.frame - 8 * std::uintptr_t{layout->slots[i]});
  registers.stack = registers.frame + 8 + 8 * std::uintptr_t{layout->gap};
  registers.frame = word_at(registers.frame);
  return true;
}

// A search that goes on where the last one ended keeps the backtrace of the throw: the function with the pad is in it already, at the
// call that threw.
bool begin_backtrace(Execution& execution, const abi::Exception* exception, std::uintptr_t frame) {
  const bool goes_on = execution.thrown == exception && execution.landed_at == frame;
  execution.thrown = exception;
  if (!goes_on) execution.pc_count = 0;
  return goes_on;
}

} // namespace

extern "C" const void* cusp_find_landing_pad(const abi::Exception* exception, GuestRegisters* registers) {
  Activation& activation = *current_activation();
  Execution& execution = *activation.execution;
  const auto high = reinterpret_cast<std::uintptr_t>(activation.resume_sp);
  bool known = begin_backtrace(execution, exception, registers->frame);
  const GuestCode* guest = nullptr;
  while (registers->stack < high) {
    const std::uintptr_t pc = word_at(registers->stack), call = pc - 1;
    if (!guest || call < reinterpret_cast<std::uintptr_t>(guest->begin) ||
        call >= reinterpret_cast<std::uintptr_t>(guest->end))
      guest = find_guest_code(call);
    if (!guest) break;
    if (!known && execution.pc_count < kMaxBacktrace) execution.pcs[execution.pc_count++] = call;
    known = false;
    const auto offset = static_cast<std::uint32_t>(pc - reinterpret_cast<std::uintptr_t>(guest->begin));
    const auto table = static_cast<const Code*>(guest->owner)->artifact().unwind_table();
    if (auto pad = artifact::lookup_landing_pad(table, offset)) {
      registers->stack = pad->stack.from(registers->frame);
      execution.landed_at = registers->frame;
      if (interruption_due(execution)) raise_trap(abi::Trap::Timeout);
      return guest->begin + pad->pad;
    }
    if (!leave_frame(*registers, table, offset - 1)) break;
  }
  execution.thrown = nullptr;
  execution.trap = abi::Trap::UncaughtException;
  drop_guest(activation);
}

} // namespace cusp::runtime
