// Fuel: the count is the specification's operators, whatever the optimiser made of them.
#include "engine/engine.h"

#include "lower/code_bytes.h"

namespace cusp::test {
namespace {

class Fuel : public EngineTest {
protected:
  void give(std::int64_t fuel) {
    runtime::StoreLimits limits;
    limits.fuel = fuel;
    make_store(limits);
  }
  std::int64_t left() const { return store_->fuel_left(); }
};

// f(n): while (n != 0) n = n - 1; one operator more at the end.
ModuleBytes countdown() {
  ModuleBytes m;
  auto type = m.type({kI32}, {kI32});
  m.func(type, Bytes{0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x20, 0});
  return m;
}
constexpr std::int64_t kEachTime = 5, kAfter = 1;

TEST_P(Fuel, IsTakenOperatorByOperator) {
  give(1000);
  auto* instance = instantiate(countdown());
  EXPECT_EQ(run_i32(instance, 0, {10}), 0u);
  EXPECT_EQ(left(), 1000 - 10 * kEachTime - kAfter);
}

TEST_P(Fuel, RunsOut) {
  give(1000);
  auto* instance = instantiate(countdown());
  expect_trap(instance, 0, abi::Trap::OutOfFuel, {1u << 30});
  const std::int64_t after = left();
  EXPECT_LT(after, 0);
  expect_trap(instance, 0, abi::Trap::OutOfFuel, {1}); // and stays so
  EXPECT_EQ(left(), after);
}

TEST_P(Fuel, IsCountedAcrossCalls) {
  ModuleBytes m;
  auto type = m.type({kI32}, {kI32});
  m.func(type, Bytes{0x20, 0, 0x20, 0, 0x6a});                   // 3
  m.func(type, Bytes{0x20, 0, 0x10, 0, 0x10, 0, 0x41, 1, 0x6a}); // 5, and twice the other
  give(100);
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, 1, {5}), 21u);
  EXPECT_EQ(left(), 100 - 5 - 2 * 3);
}

TEST_P(Fuel, StopsEndlessRecursionAndLoops) {
  ModuleBytes m;
  auto type = m.type({}, {});
  m.func(type, Bytes{0x03, 0x40, 0x41, 1, 0x1a, 0x0c, 0, 0x0b});
  give(100'000);
  auto* instance = instantiate(m);
  expect_trap(instance, 0, abi::Trap::OutOfFuel);
}

INSTANTIATE_TEST_SUITE_P(
    , Fuel,
    testing::Values(EngineSettings{.opt_level = 0, .fuel = true}, EngineSettings{.opt_level = 2, .fuel = true},
                    EngineSettings{.opt_level = 2, .bounds = artifact::BoundsMode::Explicit, .fuel = true}),
    setting_name);

} // namespace
} // namespace cusp::test
