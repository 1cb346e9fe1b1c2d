#include "engine/engine.h"
#include "lower/code_bytes.h"

namespace cusp::test {
namespace {

using namespace code;

class TailCalls : public EngineTest {};
INSTANTIATE_TEST_SUITE_P(All, TailCalls, kEverySetting, setting_name);

// Ten integers, four of them beyond the registers.
Bytes ten_arguments(std::uint32_t local) {
  Bytes out;
  for (int i = 0; i < 10; ++i) out += local_get(local) + i32_const(i) + i32_add();
  return out;
}

TEST_P(TailCalls, CarryStackArguments) {
  ModuleBytes m;
  auto big = m.type(Bytes(10, kI32), {kI32});
  auto small = m.type({kI32}, {kI32});
  Bytes sum = local_get(0);
  for (std::uint32_t i = 1; i < 10; ++i) sum += i32_const(3) + i32_mul() + local_get(i) + i32_add();
  auto last = m.func(big, sum);
  auto f = m.func(small, ten_arguments(0) + return_call(last));
  // From ten to ten with others, counting down, then to one.
  auto self = last + 2;
  Bytes next = local_get(0) + i32_const(1) + i32_sub();
  for (std::uint32_t i = 2; i < 10; ++i) next += local_get(i);
  next += local_get(1);
  auto rotate =
      m.func(big, local_get(0) + i32_eqz() + if_() + local_get(9) + return_call(f) + end() + next + return_call(self));
  auto g = m.func(small, local_get(0) + Bytes{} + i32_const(1) + i32_const(2) + i32_const(3) + i32_const(4) +
                             i32_const(5) + i32_const(6) + i32_const(7) + i32_const(8) + i32_const(9) + call(rotate));
  ASSERT_EQ(rotate, self);
  auto* instance = instantiate(m);
  auto expected = [](std::uint32_t n) {
    std::uint32_t value = n;
    for (std::uint32_t i = 1; i < 10; ++i) value = value * 3 + n + i;
    return value;
  };
  EXPECT_EQ(run_i32(instance, f, {4}), expected(4));
  EXPECT_EQ(run_i32(instance, g, {0}), expected(9));
  EXPECT_EQ(run_i32(instance, g, {3}), expected(3));
  EXPECT_EQ(run_i32(instance, g, {900001}), expected(1)) << "a million tail calls need no stack";
}

} // namespace
} // namespace cusp::test
