// The names under which groups, trampolines and stubs find each other (lowering.h), and the trap stubs themselves.
// Guest symbols cannot collide with libc's: no C identifier holds a dot.
#include <string>

#include <llvm/IR/Module.h>

#include "compile/lower/lowering.h"
#include "compile/lower/symbols.h"

namespace cusp::compile {

namespace {
std::string symbol(char kind, std::uint32_t module, std::uint32_t index) {
  return kind + std::to_string(module) + '.' + std::to_string(index);
}
} // namespace

std::string function_symbol(std::uint32_t module, std::uint32_t func) { return symbol('f', module, func); }
std::string entry_symbol(std::uint32_t module, std::uint32_t type) { return symbol('e', module, type); }
std::string host_stub_symbol(std::uint32_t module, std::uint32_t type) { return symbol('h', module, type); }

const char* trap_symbol(abi::Trap trap) {
  static constexpr const char* kNames[] = {
#define TRAP(Name, text) "cusp_trap_" #Name,
#include "abi/traps.def"
#undef TRAP
  };
  return kNames[static_cast<unsigned>(trap)];
}

// Assembly, because the distance between stubs is part of the ABI and a function's alignment is not a promise about its
// size.
void GroupLowering::emit_trap_stubs(llvm::Module& module) {
  std::string text =
      ".section .text.cusp_trap_stubs,\"ax\",@progbits\n"
      ".p2align 4\n"
      ".hidden cusp_trap_stubs\n.globl cusp_trap_stubs\n.type cusp_trap_stubs,@function\ncusp_trap_stubs:\n";
  for (unsigned i = 0; i < abi::kTrapCount; ++i) {
    const std::string name = trap_symbol(static_cast<abi::Trap>(i));
    text += ".hidden " + name + "\n.globl " + name + "\n.type " + name + ",@function\n" + name + ":\n";
    text += "ud2\n.p2align 4, 0xcc\n.size " + name + ", " + std::to_string(abi::kTrapStubSize) + "\n";
  }
  static_assert(abi::kTrapStubSize == 16, "the stubs are aligned to their size");
  module.appendModuleInlineAsm(text);
}

} // namespace cusp::compile
