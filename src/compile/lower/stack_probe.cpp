// Puts the stack probe at the start of every guest function that calls anything (abi/vm.h): a host function or a signal
// handler that runs on the guest's stack always finds kHostStackReserve bytes below the frame that called it. A probe
// is one load, so that the guard page, not a comparison, finds the overflow; the runtime sees a fault of guest code in
// the guard.
//
// It runs after the optimiser: before, every inlined call would bring a probe of its own and the inliner would count
// it. The frame itself is touched page by page by "probe-stack"="inline-asm". A prologue may be sunk below the probe
// (shrink wrapping); what is missed then is the function's own frame. In functions so large that spills could make that
// matter, the probe claims a callee-saved register, which keeps the prologue first. At level 0 nothing is sunk, and a
// load through the stack pointer spares the code generator an assembler for each function.
#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>

#include "abi/vm.h"
#include "compile/lower/finish.h"
#include "compile/lower/symbols.h"

namespace cusp::compile {

namespace {

constexpr unsigned kInstructionsOfHugeFunction = 10000;

bool is_trap_stub(const llvm::Value* callee) { return callee->getName().starts_with("cusp_trap_"); }

bool needs_probe(const llvm::Function& function) {
  for (const llvm::BasicBlock& block : function)
    for (const llvm::Instruction& instruction : block) {
      const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction);
      if (!call || llvm::isa<llvm::IntrinsicInst>(call) || call->isInlineAsm()) continue;
      if (!is_trap_stub(call->getCalledOperand())) return true;
    }
  return false;
}

} // namespace

void add_stack_probes(llvm::Module& module, unsigned opt_level) {
  llvm::LLVMContext& context = module.getContext();
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), false);
  const std::string text = "testb %al, -" + std::to_string(abi::kHostStackReserve) + "(%rsp)";
  auto probe = [&](const char* clobbers) {
    return llvm::InlineAsm::get(type, text, clobbers, /*hasSideEffects=*/true);
  };
  llvm::InlineAsm* ordinary = probe("~{dirflag},~{fpsr},~{flags}");
  llvm::InlineAsm* after_prologue = probe("~{rbx},~{dirflag},~{fpsr},~{flags}");
  for (llvm::Function& function : module) {
    if (function.isDeclaration() || !function.hasFnAttribute(kGuestAttribute) || !needs_probe(function)) continue;
    llvm::IRBuilder<> builder(&*function.getEntryBlock().getFirstInsertionPt());
    // The overflow belongs to the function, not to the operator that happens to come first: offset 0.
    if (llvm::DISubprogram* subprogram = function.getSubprogram())
      builder.SetCurrentDebugLocation(llvm::DILocation::get(context, 0, 0, subprogram));
    if (opt_level == 0) {
      llvm::Value* place =
          builder.CreateConstGEP1_64(builder.getInt8Ty(), builder.CreateStackSave(),
                                     static_cast<std::uint64_t>(-std::int64_t{abi::kHostStackReserve}));
      builder.CreateLoad(builder.getInt8Ty(), place, /*isVolatile=*/true);
      continue;
    }
    const bool huge = function.getInstructionCount() > kInstructionsOfHugeFunction;
    builder.CreateCall(type, huge ? after_prologue : ordinary)->setDoesNotThrow();
  }
}

} // namespace cusp::compile
