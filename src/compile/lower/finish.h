// The steps between optimiser and code generator (GroupLowering's finish_after_optimisation); see the files of their names.
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace cusp::compile {

void add_stack_probes(llvm::Module& module, unsigned opt_level);

} // namespace cusp::compile
