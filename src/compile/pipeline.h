// From IR to an object in memory: the optimiser for each level, and the code generator with the trap-site collector in
// it.
#pragma once

#include <cstdint>
#include <span>

#include <llvm/ADT/SmallVector.h>

#include "base/result.h"
#include "compile/trap_sites.h"
#include "compile/unwind_sites.h"

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace cusp::compile {

// Level 0: nothing. 1: light. 2: LLVM's own, without assumptions about a C library.
void optimise(llvm::Module& module, llvm::TargetMachine& machine, unsigned opt_level);

struct Object {
  llvm::SmallVector<char, 0> elf;
  TrapSites sites;
  UnwindSites unwind;
  std::span<const std::uint8_t> bytes() const {
    return {reinterpret_cast<const std::uint8_t*>(elf.data()), elf.size()};
  }
};

// Error: Internal when the back end cannot be set up, or made a frame that cannot be unwound.
base::Result<Object> generate_code(llvm::Module& module, llvm::TargetMachine& machine);

} // namespace cusp::compile
