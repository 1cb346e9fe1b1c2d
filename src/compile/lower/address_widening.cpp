// Addresses of 32-bit memories in loops, made 64 bits wide.
//
// An address is base + zext(i), where i is a 32-bit sum that may wrap. To scalar evolution zext(p + 8 k) is no
// induction: LLVM then neither relates the accesses of one iteration (p + 8 k and p + 8 k + 8 could be 4 GiB apart) nor
// vectorises, and every address takes an instruction of its own instead of an addressing mode. In practice nothing wraps.
//
// For each innermost loop whose number of iterations is known before it starts, this pass works out the least and the
// greatest value of each such sum over the whole loop in 64 bits. Where they lie in [0, 2^32) no sum wraps, and zext(i)
// is start + step * iteration, in 64 bits, without wrapping. What cannot be shown when compiling is tested once before the loop: two
// versions of it stand side by side, the wide one and, hardly ever run, the one that was there.
//
// The test alone bears the sandbox: a wide address equals the narrow one in every iteration that can happen, whatever
// else the optimiser does with the loop. That an access would have trapped before a sum wraps would be a cheaper proof, but
// loads that turn out useless vanish, and with them the trap that the proof stands on.
#include "compile/lower/address_widening.h"

#include <algorithm>
#include <cstdlib>

#include <llvm/ADT/DenseMap.h>
#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/ScalarEvolutionExpressions.h>
#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/Cloning.h>
#include <llvm/Transforms/Utils/Local.h>
#include <llvm/Transforms/Utils/LoopSimplify.h>
#include <llvm/Transforms/Utils/LoopUtils.h>
#include <llvm/Transforms/Utils/ScalarEvolutionExpander.h>

namespace cusp::compile {

namespace {

constexpr std::int64_t kNarrowEnd = std::int64_t{1} << 32;
constexpr std::int64_t kLongestStep = std::int64_t{1} << 24; // times 2^32 iterations is far from wrapping
constexpr unsigned kLargestLoop = 400;    // instructions; a larger one gains little and is dear to copy
constexpr unsigned kMostRanges = 12;      // to test before one loop
constexpr unsigned kExpansionBudget = 16; // TargetTransformInfo's cost of what the test calculates

// Of sums base + offset + step * iteration, which differ by constants alone.
struct Range {
  const llvm::SCEV* base;
  const llvm::SCEV* step;
  std::int64_t least_offset, greatest_offset;
};

struct Extension {
  llvm::ZExtInst* instruction;
  unsigned range;
  std::int64_t offset;
};

class LoopWidening {
public:
  LoopWidening(llvm::Loop& loop, llvm::LoopInfo& loops, llvm::DominatorTree& dominators, llvm::ScalarEvolution& scev,
               const llvm::TargetTransformInfo& costs)
      : loop_(loop), loops_(loops), dominators_(dominators), scev_(scev), costs_(costs),
        wide_(llvm::Type::getInt64Ty(loop.getHeader()->getContext())) {}

  bool run() {
    if (!is_suitable() || !collect()) return false;
    llvm::BasicBlock* before = loop_.getLoopPreheader();
    llvm::SCEVExpander expander(scev_, "wide");
    llvm::Value* holds = test(expander, before->getTerminator());
    if (!holds) return false;
    if (const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(holds)) {
      if (constant->isZero()) return false;
    } else {
      make_versions(holds);
    }
    widen(expander);
    return true;
  }

private:
  // Only what may be copied, and does nothing that dwarfs its addresses.
  bool is_suitable() const {
    if (!loop_.isLoopSimplifyForm()) return false; // indirect branches into it
    unsigned instructions = 0;
    for (const llvm::BasicBlock* block : loop_.blocks())
      for (const llvm::Instruction& instruction : *block) {
        if (++instructions > kLargestLoop) return false;
        const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction);
        if (call && !llvm::isa<llvm::IntrinsicInst>(call)) return false;
      }
    return true;
  }

  bool collect() {
    for (llvm::BasicBlock* block : loop_.blocks())
      for (llvm::Instruction& instruction : *block)
        if (auto* extension = llvm::dyn_cast<llvm::ZExtInst>(&instruction)) add(*extension);
    if (extensions_.empty() || ranges_.size() > kMostRanges) return false;
    count_ = scev_.getSymbolicMaxBackedgeTakenCount(&loop_);
    return !llvm::isa<llvm::SCEVCouldNotCompute>(count_) && count_->getType()->getIntegerBitWidth() <= 64;
  }

  void add(llvm::ZExtInst& extension) {
    if (!extension.getType()->isIntegerTy(64) || !extension.getSrcTy()->isIntegerTy(32)) return;
    const auto* sum = llvm::dyn_cast<llvm::SCEVAddRecExpr>(scev_.getSCEV(extension.getOperand(0)));
    if (!sum || sum->getLoop() != &loop_ || !sum->isAffine()) return;
    if (llvm::isa<llvm::SCEVAddRecExpr>(scev_.getSCEV(&extension))) return; // known not to wrap
    const llvm::SCEV* step = sum->getStepRecurrence(scev_);
    if (const auto* constant = llvm::dyn_cast<llvm::SCEVConstant>(step))
      if (std::abs(constant->getAPInt().getSExtValue()) > kLongestStep) return;
    const auto [range, offset] = place(sum->getStart(), step);
    extensions_.push_back({&extension, range, offset});
  }

  // The range of a sum that starts with `start`, and how far that is from the range's base.
  std::pair<unsigned, std::int64_t> place(const llvm::SCEV* start, const llvm::SCEV* step) {
    for (unsigned i = 0; i < ranges_.size(); ++i) {
      Range& range = ranges_[i];
      if (range.step != step) continue;
      const auto* distance = llvm::dyn_cast<llvm::SCEVConstant>(scev_.getMinusSCEV(start, range.base));
      if (!distance) continue;
      const std::int64_t offset = distance->getAPInt().getSExtValue();
      range.least_offset = std::min(range.least_offset, offset);
      range.greatest_offset = std::max(range.greatest_offset, offset);
      return {i, offset};
    }
    ranges_.push_back({start, step, 0, 0});
    return {static_cast<unsigned>(ranges_.size()) - 1, 0};
  }

  // The condition under which no sum wraps, made before `at`; null where it cannot be calculated.
  llvm::Value* test(llvm::SCEVExpander& expander, llvm::Instruction* at) {
    llvm::SmallVector<const llvm::SCEV*, 8> needed{count_};
    for (const Range& range : ranges_) {
      needed.push_back(range.base);
      needed.push_back(range.step);
    }
    for (const llvm::SCEV* value : needed)
      if (!scev_.isLoopInvariant(value, &loop_) || !expander.isSafeToExpandAt(value, at)) return nullptr;
    if (expander.isHighCostExpansion(needed, &loop_, kExpansionBudget, &costs_, at)) return nullptr;

    llvm::IRBuilder<> ir(at);
    llvm::Value* holds = ir.getTrue();
    llvm::Value* count = expander.expandCodeFor(count_, nullptr, at->getIterator());
    if (scev_.getUnsignedRangeMax(count_).getActiveBits() > 32)
      holds = ir.CreateICmpULT(count, llvm::ConstantInt::get(count->getType(), kNarrowEnd));
    count = ir.CreateZExtOrTrunc(count, wide_);
    for (Range& range : ranges_) holds = ir.CreateAnd(holds, test(range, count, expander, at));
    return holds;
  }

  llvm::Value* test(const Range& range, llvm::Value* count, llvm::SCEVExpander& expander, llvm::Instruction* at) {
    llvm::IRBuilder<> ir(at);
    if (is_known(range)) return ir.getTrue();
    llvm::Value* holds = ir.getTrue();
    llvm::Value* base = widened(range.base, expander, ir);
    llvm::Value *down = ir.getInt64(0), *up = ir.getInt64(0); // how far the last iteration is from the first
    if (const auto* constant = llvm::dyn_cast<llvm::SCEVConstant>(range.step)) {
      const std::int64_t step = constant->getAPInt().getSExtValue();
      (step < 0 ? down : up) = ir.CreateNSWMul(count, ir.getInt64(step));
    } else {
      llvm::Value* step = ir.CreateSExt(expander.expandCodeFor(range.step, nullptr, at->getIterator()), wide_);
      llvm::Value* way = ir.CreateNSWMul(count, step); // 32 bits by 31
      holds = ir.CreateICmpULT(ir.CreateAdd(way, ir.getInt64(kNarrowEnd)), ir.getInt64(2 * kNarrowEnd));
      down = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, way, ir.getInt64(0));
      up = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smax, way, ir.getInt64(0));
    }
    const bool may_fall = !llvm::isa<llvm::Constant>(down) || range.least_offset < 0;
    if (may_fall) {
      llvm::Value* least = ir.CreateAdd(ir.CreateAdd(base, down), ir.getInt64(range.least_offset));
      holds = ir.CreateAnd(holds, ir.CreateICmpSGE(least, ir.getInt64(0)));
    }
    llvm::Value* greatest = ir.CreateAdd(ir.CreateAdd(base, up), ir.getInt64(range.greatest_offset));
    return ir.CreateAnd(holds, ir.CreateICmpSLT(greatest, ir.getInt64(kNarrowEnd)));
  }

  // Whether what scalar evolution knows of the values is proof enough.
  bool is_known(const Range& range) {
    const auto* constant = llvm::dyn_cast<llvm::SCEVConstant>(range.step);
    const llvm::APInt most = scev_.getUnsignedRangeMax(count_);
    if (!constant || constant->getAPInt().isNegative() || most.getActiveBits() > 32) return false;
    const auto low =
        static_cast<std::int64_t>(scev_.getUnsignedRangeMin(range.base).getZExtValue()) + range.least_offset;
    auto high = static_cast<std::int64_t>(scev_.getUnsignedRangeMax(range.base).getZExtValue()) + range.greatest_offset;
    high += constant->getAPInt().getSExtValue() * static_cast<std::int64_t>(most.getZExtValue());
    return low >= 0 && high < kNarrowEnd;
  }

  llvm::Value* widened(const llvm::SCEV* base, llvm::SCEVExpander& expander, llvm::IRBuilder<>& ir) {
    llvm::Value* value = expander.expandCodeFor(base, nullptr, ir.GetInsertPoint());
    return ir.CreateZExt(value, wide_);
  }

  // A copy of the loop for when `holds` is false. Every use of the loop's values outside goes through a phi (LCSSA).
  void make_versions(llvm::Value* holds) {
    llvm::BasicBlock* check = loop_.getLoopPreheader();
    llvm::SmallVector<llvm::BasicBlock*, 8> below; // blocks behind the loop that will have both versions above them
    for (llvm::BasicBlock* block : loop_.blocks())
      for (const auto* child : dominators_.getNode(block)->children())
        if (!loop_.contains(child->getBlock())) below.push_back(child->getBlock());
    llvm::BasicBlock* fast = llvm::SplitBlock(check, check->getTerminator(), &dominators_, &loops_);
    llvm::ValueToValueMapTy copies;
    llvm::SmallVector<llvm::BasicBlock*, 8> blocks;
    llvm::Loop* slow =
        llvm::cloneLoopWithPreheader(fast, check, &loop_, copies, ".narrow", &loops_, &dominators_, blocks);
    llvm::remapInstructionsInBlocks(blocks, copies);
    llvm::Instruction* end = check->getTerminator();
    llvm::MDNode* weights = llvm::MDBuilder(check->getContext()).createLikelyBranchWeights();
    llvm::IRBuilder<>(end).CreateCondBr(holds, fast, slow->getLoopPreheader(), weights);
    end->eraseFromParent();
    llvm::SmallVector<llvm::BasicBlock*, 4> exits;
    loop_.getUniqueExitBlocks(exits);
    for (llvm::BasicBlock* exit : exits)
      for (llvm::PHINode& phi : exit->phis())
        for (unsigned i = 0, n = phi.getNumIncomingValues(); i < n; ++i) {
          llvm::Value* value = phi.getIncomingValue(i);
          auto copy = copies.find(value);
          if (copy != copies.end()) value = copy->second;
          phi.addIncoming(value, llvm::cast<llvm::BasicBlock>(copies[phi.getIncomingBlock(i)]));
        }
    for (llvm::BasicBlock* block : below) dominators_.changeImmediateDominator(block, check);
    llvm::addStringMetadataToLoop(slow, "llvm.loop.isvectorized", 1);
    slow->setLoopAlreadyUnrolled();
  }

  void widen(llvm::SCEVExpander& expander) {
    llvm::BasicBlock *header = loop_.getHeader(), *before = loop_.getLoopPreheader(), *latch = loop_.getLoopLatch();
    llvm::IRBuilder<> outside(before->getTerminator());
    llvm::SmallVector<llvm::Value*, kMostRanges> bases, steps;
    for (const Range& range : ranges_) {
      bases.push_back(widened(range.base, expander, outside));
      llvm::Value* step = expander.expandCodeFor(range.step, nullptr, outside.GetInsertPoint());
      steps.push_back(outside.CreateSExt(step, wide_));
    }
    llvm::IRBuilder<> ir(header, header->begin());
    llvm::PHINode* iteration = ir.CreatePHI(wide_, 2);
    ir.SetInsertPoint(latch->getTerminator());
    llvm::Value* next = ir.CreateAdd(iteration, ir.getInt64(1), "", true, true);
    iteration->addIncoming(ir.getInt64(0), before);
    iteration->addIncoming(next, latch);

    ir.SetInsertPoint(header, header->getFirstInsertionPt());
    llvm::SmallVector<llvm::Value*, kMostRanges> ways;
    llvm::SmallVector<bool, kMostRanges> rises;
    for (llvm::Value* step : steps) {
      const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(step);
      rises.push_back(constant && !constant->isNegative());
      ways.push_back(ir.CreateMul(iteration, step, "", rises.back(), true));
    }
    for (const auto& [narrow, range, offset] : extensions_) {
      const bool no_unsigned_wrap = rises[range] && offset >= 0;
      for (llvm::User* user : llvm::make_early_inc_range(narrow->users()))
        if (auto* address = llvm::dyn_cast<llvm::GetElementPtrInst>(user); address && is_address(*address, narrow)) {
          llvm::Value* origin = origin_of(address->getPointerOperand(), range, bases[range], outside);
          ir.SetInsertPoint(address);
          llvm::Value* index = ir.CreateAdd(ways[range], ir.getInt64(offset), "", no_unsigned_wrap, true);
          const auto no_wrap = no_unsigned_wrap ? llvm::GEPNoWrapFlags::noUnsignedWrap() : llvm::GEPNoWrapFlags::none();
          llvm::Value* wide = ir.CreatePtrAdd(origin, index, "", no_wrap);
          scev_.forgetValue(address);
          address->replaceAllUsesWith(wide);
          address->eraseFromParent();
        }
      if (!narrow->use_empty()) {
        ir.SetInsertPoint(narrow);
        llvm::Value* start = ir.CreateAdd(bases[range], ir.getInt64(offset), "", false, true);
        scev_.forgetValue(narrow);
        narrow->replaceAllUsesWith(ir.CreateAdd(start, ways[range], "", false, true));
      }
      llvm::RecursivelyDeleteTriviallyDeadInstructions(narrow);
    }
    scev_.forgetLoop(&loop_);
  }

  bool is_address(const llvm::GetElementPtrInst& address, const llvm::Value* index) const {
    return address.getNumIndices() == 1 && address.getOperand(1) == index &&
           address.getSourceElementType()->isIntegerTy(8) && loop_.isLoopInvariant(address.getPointerOperand());
  }

  // Where in a memory a range begins. The freeze keeps from the vectoriser that all ranges are parts of one object: of
  // parts it wants to know the distances when compiling, of objects it tests before the loop that they do not overlap.
  llvm::Value* origin_of(llvm::Value* memory, unsigned range, llvm::Value* base, llvm::IRBuilder<>& outside) {
    llvm::Value*& origin = origins_[{memory, range}];
    if (!origin)
      origin = outside.CreateFreeze(outside.CreatePtrAdd(memory, base, "", llvm::GEPNoWrapFlags::noUnsignedWrap()));
    return origin;
  }

  llvm::Loop& loop_;
  llvm::LoopInfo& loops_;
  llvm::DominatorTree& dominators_;
  llvm::ScalarEvolution& scev_;
  const llvm::TargetTransformInfo& costs_;
  llvm::IntegerType* wide_;
  const llvm::SCEV* count_ = nullptr; // of iterations, but for the first; an upper bound
  llvm::SmallVector<Range, 4> ranges_;
  llvm::SmallVector<Extension, 16> extensions_;
  llvm::DenseMap<std::pair<llvm::Value*, unsigned>, llvm::Value*> origins_;
};

} // namespace

llvm::PreservedAnalyses AddressWidening::run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses) {
  auto& loops = analyses.getResult<llvm::LoopAnalysis>(function);
  if (loops.empty() || function.hasFnAttribute(llvm::Attribute::Cold)) return llvm::PreservedAnalyses::all();
  auto& dominators = analyses.getResult<llvm::DominatorTreeAnalysis>(function);
  auto& scev = analyses.getResult<llvm::ScalarEvolutionAnalysis>(function);
  auto& costs = analyses.getResult<llvm::TargetIRAnalysis>(function);
  auto& assumptions = analyses.getResult<llvm::AssumptionAnalysis>(function);
  bool changed = false;
  for (llvm::Loop* loop : loops) {
    changed |= llvm::simplifyLoop(loop, &dominators, &loops, &scev, &assumptions, nullptr, /*PreserveLCSSA=*/false);
    changed |= llvm::formLCSSARecursively(*loop, dominators, &loops, &scev);
  }
  for (llvm::Loop* loop : loops.getLoopsInPreorder())
    if (loop->isInnermost()) changed |= LoopWidening(*loop, loops, dominators, scev, costs).run();
  if (!changed) return llvm::PreservedAnalyses::all();
  llvm::PreservedAnalyses preserved;
  preserved.preserve<llvm::DominatorTreeAnalysis>();
  preserved.preserve<llvm::LoopAnalysis>();
  return preserved;
}

} // namespace cusp::compile
