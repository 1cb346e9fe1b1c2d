// Passes over a function as soon as it is lowered, before any optimiser sees it.
//
// Loads that nothing uses (DESIGN, decision 5): in guard mode a load is also a bounds check. LLVM drops a load whose
// value is unused, so that each load whose value reaches no store, call, branch, result or trap is made volatile. The
// use-def walk goes backwards from the instructions with effects; a branch whose ways are one has none. What the optimiser later finds to be useless by
// algebra (x * 0) is the stated remainder.
//
// Quiet NaNs (spec 4.3.3): LLVM folds x + -0.0, x - 0.0, x * 1.0, x / 1.0 and demote(promote(x)) to x, although the
// specification wants a signalling NaN made quiet. llvm.canonicalize of the operand (one multiplication on x86) keeps
// what is asked for.
//
// Canonical NaNs (a setting): every NaN that an arithmetic operation gives is replaced by the positive one without payload. What only moves
// bits (abs, neg, copysign, pseudo-minimum) keeps them.
#include "compile/lower/function_passes.h"

#include <llvm/ADT/DenseSet.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/PatternMatch.h>

namespace cusp::compile {

namespace {

// Where control is after the blocks that only pass it on.
const llvm::BasicBlock* destination(const llvm::BasicBlock* block) {
  for (unsigned steps = 0; steps < 8; ++steps) {
    const auto* branch = llvm::dyn_cast<llvm::BranchInst>(&block->front());
    if (!branch || branch->isConditional()) break;
    block = branch->getSuccessor(0);
  }
  return block;
}

// Whether it matters which way a terminator goes. The optimiser drops a branch whose ways are one.
bool decides(const llvm::Instruction& terminator) {
  if (terminator.getNumSuccessors() < 2) return true;
  const llvm::BasicBlock* first = destination(terminator.getSuccessor(0));
  if (llvm::isa<llvm::PHINode>(first->front())) return true;
  for (unsigned i = 1; i < terminator.getNumSuccessors(); ++i)
    if (destination(terminator.getSuccessor(i)) != first) return true;
  return false;
}

} // namespace

void keep_unused_loads(llvm::Function& function, llvm::ArrayRef<const llvm::MDNode*> guarded) {
  if (guarded.empty()) return;
  llvm::DenseSet<const llvm::Instruction*> live;
  llvm::SmallVector<const llvm::Instruction*, 64> work;
  std::size_t instructions = 0;
  for (const llvm::BasicBlock& block : function) instructions += block.size();
  live.reserve(static_cast<unsigned>(instructions));
  for (const llvm::Instruction& instruction : llvm::instructions(function)) {
    const bool has_effect = instruction.isTerminator() ? decides(instruction) : instruction.mayHaveSideEffects();
    if (!has_effect) continue;
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

namespace {

// LLVM finds that the root of what is below 0 is a NaN, and that one is as good as another. It does not look into the constrained form.
llvm::Instruction* hide_square_root(llvm::IRBuilder<>& ir, llvm::Instruction* maker) {
  const auto* root = llvm::dyn_cast<llvm::IntrinsicInst>(maker);
  if (!root || root->getIntrinsicID() != llvm::Intrinsic::sqrt) return maker;
  auto word = [&](const char* text) {
    return llvm::MetadataAsValue::get(ir.getContext(), llvm::MDString::get(ir.getContext(), text));
  };
  ir.SetInsertPoint(maker);
  auto* hidden = ir.CreateIntrinsic(llvm::Intrinsic::experimental_constrained_sqrt, {maker->getType()},
                                    {root->getArgOperand(0), word("round.tonearest"), word("fpexcept.ignore")});
  maker->replaceAllUsesWith(hidden);
  maker->eraseFromParent();
  return hidden;
}

} // namespace

void canonicalise_nans(llvm::Function& function) {
  llvm::SmallVector<llvm::Instruction*, 32> makers;
  for (llvm::Instruction& instruction : llvm::instructions(function)) {
    switch (instruction.getOpcode()) {
    case llvm::Instruction::FAdd:
    case llvm::Instruction::FSub:
    case llvm::Instruction::FMul:
    case llvm::Instruction::FDiv:
    case llvm::Instruction::FPTrunc:
    case llvm::Instruction::FPExt: makers.push_back(&instruction); break;
    default: break;
    }
    const auto* intrinsic = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
    if (!intrinsic) continue;
    switch (intrinsic->getIntrinsicID()) {
    case llvm::Intrinsic::sqrt:
    case llvm::Intrinsic::ceil:
    case llvm::Intrinsic::floor:
    case llvm::Intrinsic::trunc:
    case llvm::Intrinsic::roundeven:
    case llvm::Intrinsic::fma: makers.push_back(&instruction); break;
    default: break;
    }
  }
  llvm::IRBuilder<> ir(function.getContext());
  for (llvm::Instruction* maker : makers) {
    maker = hide_square_root(ir, maker);
    ir.SetInsertPoint(maker->getParent(), std::next(maker->getIterator()));
    // As integers: to LLVM one NaN is as good as another.
    llvm::Type* type = maker->getType();
    llvm::Type* bits = type->getWithNewType(ir.getIntNTy(type->getScalarSizeInBits()));
    llvm::Value* raw = ir.CreateBitCast(maker, bits);
    llvm::Value* quiet = ir.CreateBitCast(llvm::ConstantFP::getNaN(type), bits);
    llvm::Value* is_nan = ir.CreateFCmpUNO(maker, maker);
    llvm::Value* result = ir.CreateBitCast(ir.CreateSelect(is_nan, quiet, raw), type);
    maker->replaceUsesWithIf(result,
                             [&](const llvm::Use& use) { return use.getUser() != is_nan && use.getUser() != raw; });
  }
}

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
