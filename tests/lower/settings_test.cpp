// What the settings of a compilation change in the code: relaxed SIMD, canonical NaNs, branch hints.
#include <gmock/gmock.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/Metadata.h>

#include "lower/lowered.h"

namespace cusp::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint8_t kBlock = 0x02, kIf = 0x04, kElse = 0x05, kEnd = 0x0b, kBrIf = 0x0d, kLocalGet = 0x20,
                       kI32Const = 0x41, kF64Add = 0xa0, kF64Neg = 0x9a, kSimd = 0xfd, kVoid = 0x40;

// f32x4.relaxed_madd, i8x16.relaxed_swizzle, i16x8.relaxed_dot_i8x16_i7x16_s, f64x2.relaxed_min
ModuleBytes relaxed() {
  ModuleBytes m;
  m.func(m.type({kV128, kV128, kV128}, {kV128}), {kLocalGet, 0, kLocalGet, 1, kLocalGet, 2, kSimd, 0x85, 2});
  for (std::uint8_t op : {0x80, 0x92, 0x8f})
    m.func(m.type({kV128, kV128}, {kV128}), {kLocalGet, 0, kLocalGet, 1, kSimd, op, 2});
  return m;
}

TEST(RelaxedSimd, IsWhatTheTargetDoesInOneInstruction) {
  Lowered fast(relaxed());
  EXPECT_THAT(fast.text(0), HasSubstr("llvm.fma.v4f32"));
  EXPECT_THAT(fast.text(1), HasSubstr("pshuf.b.128"));
  EXPECT_THAT(fast.text(1), Not(HasSubstr("uadd.sat")));
  EXPECT_THAT(fast.text(2), HasSubstr("pmadd.ub.sw"));
  EXPECT_THAT(fast.text(3), Not(HasSubstr("fadd")));
}

TEST(RelaxedSimd, DeterministicIsAlikeEverywhere) {
  compile::LoweringSettings settings;
  settings.deterministic_simd = true;
  Lowered strict(relaxed(), settings);
  EXPECT_THAT(strict.text(0), HasSubstr("llvm.fma.v4f32"));
  EXPECT_THAT(strict.text(1), HasSubstr("uadd.sat"));
  EXPECT_THAT(strict.text(2), Not(HasSubstr("pmadd.ub.sw")));
  EXPECT_THAT(strict.text(3), HasSubstr("fadd")) << "a NaN operand is quieted";
}

TEST(CanonicalNans, ReplaceWhatArithmeticGivesAndSurviveTheOptimiser) {
  ModuleBytes m;
  m.func(m.type({kF64, kF64}, {kF64}), {kLocalGet, 0, kLocalGet, 1, kF64Add});
  m.func(m.type({kF64}, {kF64}), {kLocalGet, 0, kF64Neg});
  compile::LoweringSettings settings;
  settings.canonical_nans = true;
  Lowered lowered(m, settings);
  lowered.optimise();
  EXPECT_THAT(lowered.text(0), HasSubstr("fcmp uno"));
  EXPECT_THAT(lowered.text(1), Not(HasSubstr("fcmp"))) << "only moves bits";
  Lowered plain(m);
  EXPECT_THAT(plain.text(0), Not(HasSubstr("fcmp")));
}

TEST(BranchHints, BecomeWeights) {
  ModuleBytes m;
  // The if is at 3 (one byte of locals, local.get 0), the br_if of the second function at 5.
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kIf, kI32, kI32Const, 1, kElse, kI32Const, 2, kEnd});
  m.func(m.type({kI32}, {}), {kBlock, kVoid, kLocalGet, 0, kBrIf, 0, kEnd});
  m.custom("metadata.code.branch_hint", {2, 0, 1, 3, 1, 0, 1, 1, 5, 1, 1});
  Lowered lowered(m);
  EXPECT_THAT(lowered.text(0), HasSubstr("!prof"));
  EXPECT_THAT(lowered.text(1), HasSubstr("!prof"));
  auto weights = [&](std::uint32_t func) {
    for (const llvm::BasicBlock& block : lowered.function(func))
      if (const auto* branch = llvm::dyn_cast<llvm::BranchInst>(block.getTerminator());
          branch && branch->isConditional())
        return llvm::mdconst::extract<llvm::ConstantInt>(branch->getMetadata("prof")->getOperand(1))->getZExtValue();
    return std::uint64_t{0};
  };
  EXPECT_LT(weights(0), weights(1));
}

} // namespace
} // namespace cusp::test
