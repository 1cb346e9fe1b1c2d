// The design's riskiest claim, all at once: generated code on fibers of one thread, where write faults, traps, stack overflows, timer
// preemption, deadlines and resets happen among each other, by each way of write tracking (DESIGN decisions 7, 8, 9).
#include <cerrno>
#include <poll.h>

#include "runtime/kit_slot.h"

namespace cusp::test {
namespace {

using abi::Trap;

constexpr std::uint32_t kRounds = 20'000'000;

// How the parts of the probe tell each other that they are through.
struct Shared {
  std::unique_ptr<loop::EventLoop> loop;
  std::shared_ptr<const runtime::SlotLayout> layout;
  unsigned long others_ran = 0; // turns of fibers that compute nothing
  unsigned traps = 0, resets = 0, interrupted_calls = 0;
  struct Churned {
    std::uint32_t seed;
    std::int64_t end;
    abi::ValRaw result;
  };
  std::vector<Churned> churned;
};

// Holds all its state in vector registers while it is pre-empted again and again.
void churner(Shared& shared, std::uint32_t seed) {
  KitSlot kit(shared.layout);
  const abi::ValRaw result = kit.call(Kit::Churn, {kRounds, seed});
  ASSERT_FALSE(kit.trapped()) << kit.slot().last_trap().to_string();
  shared.churned.push_back({seed, monotonic_ns(), result});
}

// Loops for ever and is stopped at its deadline, twice.
void spinner(Shared& shared) {
  KitSlot kit(shared.layout);
  for (int i = 0; i < 2; ++i) {
    const std::int64_t begin = monotonic_ns();
    kit.slot().set_deadline(begin + 60'000'000);
    kit.expect_trap(Trap::Timeout, Kit::Spin);
    EXPECT_GE(monotonic_ns() - begin, 60'000'000);
    kit.reset();
    EXPECT_EQ(kit.get(Kit::Recurse, {10}), 10u);
  }
}

void trapper(Shared& shared) {
  KitSlot kit(shared.layout);
  const KitState clean(kit);
  for (int i = 0; i < 30; ++i) {
    kit.get(Kit::Stride, {static_cast<std::uint64_t>(i * 4096), 10, 4096, 99});
    kit.expect_trap(Trap::Unreachable, Kit::Unreachable);
    kit.expect_trap(Trap::MemoryOutOfBounds, Kit::Peek, {KitShape::kMinPages * 65536 - 3});
    kit.expect_trap(Trap::MemoryOutOfBounds, Kit::Poke, {0xffff'fffc, 1});
    kit.expect_trap(Trap::IntegerDivideByZero, Kit::Divide, {0});
    kit.expect_trap(Trap::TableOutOfBounds, Kit::CallTable, {KitShape::kTableMin});
    kit.expect_trap(Trap::IndirectCallToNull, Kit::CallTable, {0});
    kit.expect_trap(Trap::StackOverflow, Kit::Recurse, {100'000'000});
    kit.reset();
    ASSERT_EQ(KitState(kit).difference(clean), "");
    shared.traps += 7;
    loop::Fiber::yield();
  }
}

// Writes pages in a pattern, grows, and is reset; all of it is compared with the image.
void writer(Shared& shared) {
  KitSlot kit(shared.layout);
  const KitState clean(kit);
  std::uint32_t seed = 12345;
  for (int i = 0; i < 40; ++i) {
    seed = seed * 1664525 + 1013904223;
    const std::uint32_t step = 1 + seed % 9000, count = KitShape::kMinPages * 65536 / (step + 4);
    kit.call(Kit::Stride, {0, std::min(count, 500u), step, seed});
    ASSERT_FALSE(kit.trapped());
    if (i % 3 == 0) {
      ASSERT_EQ(kit.get(Kit::Grow, {1u + i % 4}), KitShape::kMinPages);
      kit.call(Kit::Stride, {KitShape::kMinPages * 65536, 16, 4096, 7});
      ASSERT_FALSE(kit.trapped());
    }
    kit.reset();
    ASSERT_EQ(KitState(kit).difference(clean), "") << "use " << i;
    kit.expect_trap(Trap::MemoryOutOfBounds, Kit::Peek, {KitShape::kMinPages * 65536});
    kit.reset();
    ++shared.resets;
  }
}

// Host code that is interrupted, suspends, sleeps through ticks, and writes into a slot that is not the caller's.
void host_caller(Shared& shared) {
  KitSlot kit(shared.layout), target(shared.layout);
  const KitState clean(target);
  kit.host = [&](std::uint32_t x) -> std::optional<std::uint32_t> {
    if (x % 3 == 0) loop::Fiber::yield();
    if (x % 3 == 1) {
      errno = 0;
      if (poll(nullptr, 0, 5) < 0 && errno == EINTR) ++shared.interrupted_calls;
    }
    target.memory().base[x * 4096 % (KitShape::kMinPages * 65536)] = static_cast<std::uint8_t>(x);
    kit.memory().base[x * 4096 % (KitShape::kMinPages * 65536)] = static_cast<std::uint8_t>(x);
    return x;
  };
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(kit.get(Kit::HostLoop, {30}), 30u * 31 / 2);
    target.reset(), kit.reset();
    ASSERT_EQ(KitState(target).difference(clean), "");
    ASSERT_EQ(KitState(kit).difference(clean), "");
    EXPECT_EQ(kit.get(Kit::Dive, {2000}), 2000u);
  }
}

class Probe : public EveryTracking {};
INSTANTIATE_TEST_SUITE_P(Tracking, Probe, kEveryTracking, tracking_name);

TEST_P(Probe, EverythingTogether) {
  Shared shared;
  loop::BlockingPool pool(1);
  shared.loop = must(loop::EventLoop::create(&pool), "loop");
  runtime::StoreLimits limits;
  limits.stack_bytes = 256 * 1024;
  shared.layout = KitSlot::layout(GetParam(), limits);
  unsigned working = 0;
  auto start = [&](auto body) {
    ++working;
    shared.loop->spawn([&, body] {
      body();
      --working;
    });
  };
  for (std::uint32_t seed : {1u, 2u, 3u, 4u}) start([&, seed] { churner(shared, seed); });
  for (int i = 0; i < 2; ++i) start([&] { spinner(shared); });
  for (int i = 0; i < 2; ++i) start([&] { trapper(shared); });
  for (int i = 0; i < 2; ++i) start([&] { writer(shared); });
  start([&] { host_caller(shared); });
  shared.loop->spawn([&] {
    while (working != 0) {
      ++shared.others_ran;
      loop::Fiber::yield();
    }
  });
  const std::int64_t begin = monotonic_ns();
  shared.loop->stop();
  shared.loop->run();

  EXPECT_EQ(shared.traps, 2u * 30 * 7);
  EXPECT_EQ(shared.resets, 2u * 40);
  EXPECT_GT(shared.interrupted_calls, 0u) << "no host call was interrupted: is the timer running?";
  EXPECT_GT(shared.others_ran, 20u) << "loops that never call the host kept the thread to themselves";
  // Four equal loops that take turns end together; one after the other, the first would end after a quarter of the time.
  ASSERT_EQ(shared.churned.size(), 4u);
  const double first = static_cast<double>(shared.churned.front().end - begin);
  const double last = static_cast<double>(shared.churned.back().end - begin);
  EXPECT_GT(first / last, 0.5) << "the loops were not served alike";
  for (const Shared::Churned& one : shared.churned) {
    const auto want = KitModule::churn(kRounds, one.seed);
    EXPECT_EQ(std::memcmp(one.result.v128, want.data(), 16), 0)
        << "registers did not survive preemption, seed " << one.seed;
  }
}

} // namespace
} // namespace cusp::test
