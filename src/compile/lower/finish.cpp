// What the code generator must be told that the optimiser must not know.
//
// Tail calls: LLVM 22 forgets the arguments on the stack of a `musttail` call between tailcc functions, and does not make
// room for them. A `tail` call right before the return is promised just as well by tailcc, and its arguments are right. The
// optimiser must see `musttail`, which nothing may part from its return.
//
// Unwind tables: a function that may throw would get an entry in .eh_frame. Nothing reads it (artifact/unwind_table.h).
#include <llvm/IR/DerivedTypes.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Module.h>

#include "compile/lower/finish.h"
#include "compile/lower/lowering.h"
#include "compile/lower/symbols.h"

namespace cusp::compile {

namespace {

constexpr unsigned kIntegerRegisters = 6, kVectorRegisters = 8; // for arguments, x86-64

bool has_stack_arguments(const llvm::FunctionType* type) {
  unsigned integers = 0, vectors = 0;
  for (const llvm::Type* param : type->params())
    (param->isFloatingPointTy() || param->isVectorTy() ? vectors : integers)++;
  return integers > kIntegerRegisters || vectors > kVectorRegisters;
}

void allow_stack_arguments(llvm::Function& function) {
  const bool own = has_stack_arguments(function.getFunctionType());
  for (llvm::BasicBlock& block : function)
    if (llvm::CallInst* call = block.getTerminatingMustTailCall())
      if (own || has_stack_arguments(call->getFunctionType())) call->setTailCallKind(llvm::CallInst::TCK_Tail);
}

} // namespace

void finish_after_optimisation(llvm::Module& module, unsigned opt_level) {
  add_stack_probes(module, opt_level);
  for (llvm::Function& function : module) {
    if (function.isDeclaration() || !function.hasFnAttribute(kGuestAttribute)) continue;
    allow_stack_arguments(function);
    function.setDoesNotThrow();
  }
}

} // namespace cusp::compile
