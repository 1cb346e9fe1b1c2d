// Two passes over a function as soon as it is lowered, before any optimiser sees it.
//
// Loads that nothing uses (DESIGN, decision 5): in guard mode a load is also a bounds check. LLVM drops a load whose
// value is unused, so that each load whose value reaches no store, call, branch, result or trap is made volatile. The
// use-def walk goes backwards from the instructions with effects. What the optimiser later finds to be useless by
// algebra (x * 0) is the stated remainder.
//
// Quiet NaNs (spec 4.3.3): LLVM folds x + -0.0, x - 0.0, x * 1.0, x / 1.0 and demote(promote(x)) to x, although the
// specification wants a signalling NaN made quiet. llvm.canonicalize of the operand (one multiplication on x86) keeps
// what is asked for.
#include "compile/lower/function_passes.h"

#include <llvm/ADT/DenseSet.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/PatternMatch.h>

namespace cusp::compile {

void keep_unused_loads(llvm::Function& function, llvm::ArrayRef<const llvm::MDNode*> guarded) {
  if (guarded.empty()) return;
  llvm::DenseSet<const llvm::Instruction*> live;
  llvm::SmallVector<const llvm::Instruction*, 64> work;
  live.reserve(function.getInstructionCount());
  for (const llvm::Instruction& instruction : llvm::instructions(function)) {
    if (!instruction.isTerminator() && !instruction.mayHaveSideEffects()) continue;
    live.insert(&instruction);
    work.push_back(&instruction);
  }
  while (!work.empty())
    for (const llvm::Value* operand : work.pop_back_val()->operands())
      if (const auto* used = llvm::dyn_cast<llvm::Instruction>(operand))
        if (live.insert(used).second) work.push_back(used);
  for (llvm::Instruction& instruction : llvm::instructions(function)) {
    auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction);
    if (!load || live.contains(load)) continue;
    if (llvm::is_contained(guarded, load->getMetadata(llvm::LLVMContext::MD_tbaa))) load->setVolatile(true);
  }
}

namespace {

// The operand that LLVM would give for the whole operation, or null. A vector constant counts when all its lanes do.
llvm::Value* folds_to(const llvm::Instruction& operation) {
  using namespace llvm::PatternMatch;
  llvm::Value* a = operation.getOperand(0);
  llvm::Value* b = operation.getNumOperands() > 1 ? operation.getOperand(1) : nullptr;
  auto is_unit = [](llvm::Value* value) { return match(value, m_FPOne()) || match(value, m_SpecificFP(-1.0)); };
  switch (operation.getOpcode()) {
  case llvm::Instruction::FAdd: return match(b, m_AnyZeroFP()) ? a : match(a, m_AnyZeroFP()) ? b : nullptr;
  case llvm::Instruction::FSub: return match(b, m_AnyZeroFP()) ? a : match(a, m_NegZeroFP()) ? b : nullptr;
  case llvm::Instruction::FMul: return is_unit(b) ? a : is_unit(a) ? b : nullptr;
  case llvm::Instruction::FDiv: return is_unit(b) ? a : nullptr;
  case llvm::Instruction::FPTrunc: return llvm::isa<llvm::FPExtInst>(a) ? a : nullptr;
  default: return nullptr;
  }
}

} // namespace

void keep_quiet_nans(llvm::Function& function) {
  llvm::IRBuilder<> ir(function.getContext());
  for (llvm::Instruction& instruction : llvm::instructions(function)) {
    llvm::Value* operand = folds_to(instruction);
    if (!operand || llvm::isa<llvm::Constant>(operand)) continue;
    ir.SetInsertPoint(&instruction);
    instruction.replaceUsesOfWith(operand, ir.CreateUnaryIntrinsic(llvm::Intrinsic::canonicalize, operand));
  }
}

} // namespace cusp::compile
