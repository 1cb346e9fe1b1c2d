// That exceptions cost what does not throw nothing: where calls are plain calls, and where a throw is a branch.
#include <gmock/gmock.h>

#include "lower/code_bytes.h"
#include "lower/lowered.h"

namespace cusp::test {
namespace {

using namespace code;
using testing::HasSubstr;
using testing::Not;

struct OneTag : ModuleBytes {
  OneTag() {
    nothing = type({}, {});
    tag(nothing);
    callee = import_func(nothing);
  }
  std::uint32_t nothing, callee;
};

TEST(Exceptions, OutsideATryCallsAreCalls) {
  OneTag m;
  auto f = m.func(m.nothing, block() + try_table(kVoid, {catch_all_clause(0)}) + end() + end() + call(m.callee));
  Lowered lowered(m);
  EXPECT_EQ(count<llvm::InvokeInst>(lowered.function(f)), 0u) << lowered.text(f);
  EXPECT_FALSE(lowered.function(f).hasPersonalityFn()) << "nothing throws in its try";
}

TEST(Exceptions, CallsInATryShareALandingPad) {
  OneTag m;
  auto f = m.func(m.nothing, block() + try_table(kVoid, {catch_clause(0, 0)}) + call(m.callee) + call(m.callee) +
                                 end() + end() + call(m.callee));
  Lowered lowered(m);
  EXPECT_EQ(count<llvm::InvokeInst>(lowered.function(f)), 2u);
  EXPECT_EQ(count<llvm::LandingPadInst>(lowered.function(f)), 1u) << lowered.text(f);
}

TEST(Exceptions, AThrowInItsOwnTryIsABranch) {
  OneTag m;
  auto f = m.func(m.nothing, block() + try_table(kVoid, {catch_all_clause(0)}) + throw_(0) + end() + end());
  Lowered lowered(m);
  EXPECT_EQ(count<llvm::LandingPadInst>(lowered.function(f)), 0u);
  EXPECT_EQ(count<llvm::UnreachableInst>(lowered.function(f)), 0u) << lowered.text(f);
}

TEST(Exceptions, InliningIntoATryKeepsTheEdges) {
  OneTag m;
  auto inner = m.func(m.nothing, call(m.callee) + throw_(0));
  auto f = m.func(m.nothing, block() + try_table(kVoid, {catch_all_clause(0)}) + call(inner) + end() + end());
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_THAT(lowered.text(f), Not(HasSubstr("@f0." + std::to_string(inner)))) << "inlined";
  EXPECT_GE(count<llvm::InvokeInst>(lowered.function(f)), 2u) << "the call and the throw: " << lowered.text(f);
}

TEST(Exceptions, FunctionsThatCannotThrowAreCalledPlainly) {
  OneTag m;
  auto leaf = m.func(m.nothing, loop() + i32_const(1) + br_if(0) + end());
  auto f = m.func(m.nothing, block() + try_table(kVoid, {catch_all_clause(0)}) + call(leaf) + end() + end());
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_EQ(count<llvm::LandingPadInst>(lowered.function(f)), 0u) << lowered.text(f);
}

} // namespace
} // namespace cusp::test
