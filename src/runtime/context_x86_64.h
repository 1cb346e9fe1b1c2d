// The registers of an interrupted thread, as the signal handlers use them. One file per architecture; this is x86-64.
#pragma once

#include <cstdint>
#include <ucontext.h>

#include "runtime/activation.h"

namespace cusp::runtime {

inline greg_t* context_registers(void* context) { return static_cast<ucontext_t*>(context)->uc_mcontext.gregs; }
inline std::uintptr_t context_pc(void* context) {
  return static_cast<std::uintptr_t>(context_registers(context)[REG_RIP]);
}
inline std::uintptr_t context_sp(void* context) {
  return static_cast<std::uintptr_t>(context_registers(context)[REG_RSP]);
}
inline std::uintptr_t context_frame(void* context) {
  return static_cast<std::uintptr_t>(context_registers(context)[REG_RBP]);
}
// Whether a page fault was a write. The kernel gives the processor's error code.
inline bool context_fault_is_write(void* context) { return (context_registers(context)[REG_ERR] & 2) != 0; }

// The registers that a function must keep for its caller: what guest code has in them at a built-in call stands here or in
// the frames between.
struct KeptRegisters {
  std::uintptr_t values[6];
};
[[gnu::always_inline]] inline void take_kept_registers(KeptRegisters& kept) {
  asm volatile("movq %%rbx, 0(%0)\n\tmovq %%rbp, 8(%0)\n\tmovq %%r12, 16(%0)\n\t"
               "movq %%r13, 24(%0)\n\tmovq %%r14, 32(%0)\n\tmovq %%r15, 40(%0)"
               :
               : "r"(kept.values)
               : "memory");
}

// The thread goes on at the activation, as after a trap.
inline void context_leave_guest(void* context, Activation* activation) {
  greg_t* registers = context_registers(context);
  registers[REG_RIP] = reinterpret_cast<greg_t>(&cusp_leave_guest);
  registers[REG_RDI] = reinterpret_cast<greg_t>(activation);
  registers[REG_RSP] = reinterpret_cast<greg_t>(activation->resume_sp);
}

} // namespace cusp::runtime
