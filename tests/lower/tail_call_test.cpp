#include <gmock/gmock.h>

#include "lower/code_bytes.h"
#include "lower/lowered.h"

namespace cusp::test {
namespace {

using namespace code;
using testing::HasSubstr;
using testing::Not;

TEST(TailCalls, AreLeftToTheConventionWhereArgumentsGoOnTheStack) {
  ModuleBytes m;
  auto many = m.type(Bytes(6, kI32), {}), few = m.type(Bytes(5, kI32), {});
  Bytes arguments;
  for (int i = 0; i < 6; ++i) arguments += i32_const(i);
  auto f = m.func(few, arguments + return_call(1));
  m.func(many, local_get(0) + local_get(1) + local_get(2) + local_get(3) + local_get(4) + return_call(0));
  auto g = m.func(few, local_get(0) + local_get(1) + local_get(2) + local_get(3) + local_get(4) + return_call(0));
  Lowered lowered(m);
  EXPECT_THAT(lowered.text(f), HasSubstr("musttail"));
  lowered.optimise(0);
  EXPECT_THAT(lowered.text(f), Not(HasSubstr("musttail")));
  EXPECT_THAT(lowered.text(f), HasSubstr("tail call tailcc"));
  EXPECT_THAT(lowered.text(g), HasSubstr("musttail")) << "in registers";
}

TEST(TailCalls, CostNothingWhereThereAreNone) {
  ModuleBytes m;
  auto type = m.type({kI32}, {kI32});
  m.func(type, local_get(0));
  auto caller = m.func(type, local_get(0) + call(0));
  compile::LoweringSettings settings;
  settings.tail_calls = false;
  Lowered lowered(m, settings);
  EXPECT_THAT(lowered.text(caller), Not(HasSubstr("tailcc")));
  EXPECT_EQ(lowered.function(caller).getCallingConv(), llvm::CallingConv::C);
}

} // namespace
} // namespace cusp::test
