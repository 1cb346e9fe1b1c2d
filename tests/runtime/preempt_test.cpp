// Interruption without code in the guest: deadlines, turns, and a timer that is there only while guests are (DESIGN decision 8).
#include <cerrno>
#include <csignal>
#include <ctime>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/kit_slot.h"
#include "runtime/preempt.h"

namespace cusp::test {
namespace {

using abi::Trap;

constexpr std::int64_t kMs = 1'000'000;

std::int64_t ns_of(const std::function<void()>& body) {
  const std::int64_t begin = monotonic_ns();
  body();
  return monotonic_ns() - begin;
}

std::int64_t thread_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

void burn(std::int64_t ns) {
  for (const std::int64_t end = monotonic_ns() + ns; monotonic_ns() < end;) {
  }
}

// Runs bodies as fibers of one loop until all have ended.
void together(std::initializer_list<std::function<void()>> bodies) {
  loop::BlockingPool pool(1);
  auto loop = must(loop::EventLoop::create(&pool), "loop");
  for (const auto& body : bodies) loop->spawn(body);
  loop->stop();
  loop->run();
}

TEST(Deadline, StopsALoop) {
  on_fiber([] {
    KitSlot kit(WriteTracking::Automatic);
    kit.slot().set_deadline(monotonic_ns() + 30 * kMs);
    const std::int64_t took = ns_of([&] { kit.expect_trap(Trap::Timeout, Kit::Spin); });
    EXPECT_GE(took, 30 * kMs);
    EXPECT_LT(took, 2000 * kMs); // a busy machine
    ASSERT_EQ(kit.slot().last_trap().backtrace.size(), 1u);
    EXPECT_EQ(kit.slot().last_trap().backtrace[0].frame.func, static_cast<std::uint32_t>(Kit::Spin));
  });
}

TEST(Deadline, EndsWithTheUse) {
  on_fiber([] {
    KitSlot kit(WriteTracking::Automatic);
    kit.slot().set_deadline(monotonic_ns() + 5 * kMs);
    kit.expect_trap(Trap::Timeout, Kit::Spin);
    kit.reset();
    burn(10 * kMs);
    kit.call(Kit::Churn, {5'000'000, 1}); // several ticks long
    EXPECT_FALSE(kit.trapped());
  });
}

TEST(Deadline, StopsWhenTheHostReturns) {
  on_fiber([] {
    KitSlot kit(WriteTracking::Automatic);
    kit.host = [](std::uint32_t x) {
      burn(25 * kMs);
      return std::optional(x);
    };
    kit.slot().set_deadline(monotonic_ns() + 10 * kMs);
    kit.expect_trap(Trap::Timeout, Kit::CallHost, {1});
    EXPECT_EQ(kit.slot().last_trap().backtrace.size(), 1u);
  });
}

// A guest that spends its time in the runtime's bulk operations is never found in its own code.
TEST(Deadline, StopsBulkOperations) {
  on_fiber([] {
    KitSlot kit(WriteTracking::Automatic);
    kit.get(Kit::Grow, {KitShape::kMaxPages - KitShape::kMinPages});
    for (Kit func : {Kit::FillForever, Kit::CopyForever})
      for (std::uint64_t bytes : {std::uint64_t{2000}, std::uint64_t{KitShape::kMaxPages * 65536 - 1}}) {
        kit.slot().set_deadline(monotonic_ns() + 20 * kMs);
        const std::int64_t before = thread_cpu_ns();
        kit.expect_trap(Trap::Timeout, func, {bytes});
        EXPECT_LT(thread_cpu_ns() - before, 300 * kMs);
      }
  });
}

TEST(Deadline, OfAGuestHoldsForThoseItCallsThroughTheHost) {
  on_fiber([] {
    KitSlot outer(WriteTracking::Automatic), inner(WriteTracking::Automatic);
    outer.host = [&](std::uint32_t) -> std::optional<std::uint32_t> {
      inner.expect_trap(Trap::Timeout, Kit::Spin); // it has no deadline of its own
      return 5;
    };
    outer.slot().set_deadline(monotonic_ns() + 20 * kMs);
    outer.get(Kit::CallHost, {1});
    burn(5 * kMs);
    inner.reset();
    EXPECT_EQ(inner.get(Kit::Recurse, {4}), 4u);
  });
}

// The other fiber of the loop gets ten turns while this function runs; then it is stopped. Counted in turns, not in time: the machine may be busy.
void expect_turns(Kit func, std::initializer_list<std::uint64_t> arguments) {
  unsigned turns = 0;
  KitSlot* running = nullptr;
  bool ended = false;
  together({[&] {
              KitSlot kit(WriteTracking::Automatic);
              kit.get(Kit::Grow, {KitShape::kMaxPages - KitShape::kMinPages});
              kit.slot().set_deadline(monotonic_ns() + 20'000 * kMs);
              running = &kit;
              kit.expect_trap(Trap::Timeout, func, arguments);
              running = nullptr, ended = true;
            },
            [&] {
              while (!ended) {
                if (++turns == 10 && running) running->slot().set_deadline(monotonic_ns());
                loop::Fiber::yield();
              }
            }});
  EXPECT_GE(turns, 10u);
}

TEST(Turns, ALoopGivesWay) { expect_turns(Kit::Spin, {}); }
TEST(Turns, BulkOperationsGiveWay) {
  expect_turns(Kit::FillForever, {KitShape::kMaxPages * 65536});
  expect_turns(Kit::CopyForever, {KitShape::kMaxPages * 65536 - 1});
}

// A host call that the timer interrupts: EINTR is the host function's to handle, and the turn is made up for at its end.
TEST(Turns, AHostCallIsInterruptedAndGivesWayAtItsEnd) {
  unsigned interruptions = 0, turns = 0;
  bool ended = false;
  together({[&] {
              KitSlot kit(WriteTracking::Automatic);
              kit.host = [&](std::uint32_t x) {
                for (int i = 0; i < 3; ++i)
                  if (poll(nullptr, 0, 20) < 0 && errno == EINTR) ++interruptions;
                return std::optional(x);
              };
              for (std::uint32_t i = 0; i < 10; ++i) EXPECT_EQ(kit.get(Kit::CallHost, {i}), i);
              ended = true;
            },
            [&] {
              while (!ended) {
                ++turns;
                loop::Fiber::yield();
              }
            }});
  EXPECT_GT(interruptions, 0u);
  EXPECT_GE(turns, 5u);
}

TEST(Timer, StopsWhenNoGuestIsThere) {
  on_fiber([] {
    KitSlot kit(WriteTracking::Automatic);
    kit.call(Kit::Churn, {3'000'000, 1});
    const std::int64_t end = monotonic_ns() + 2000 * kMs;
    int quiet;
    do quiet = poll(nullptr, 0, 120);
    while (quiet != 0 && monotonic_ns() < end);
    EXPECT_EQ(quiet, 0) << "it still ticks";
    kit.slot().set_deadline(monotonic_ns() + 10 * kMs); // and it starts again
    kit.expect_trap(Trap::Timeout, Kit::Spin);
  });
}

// Only the timer's own signals count, and errno belongs to whom they interrupt.
TEST(Timer, ForeignSignalsOfItsNumberAreIgnored) {
  on_fiber([] {
    KitSlot kit(WriteTracking::Automatic);
    kit.host = [](std::uint32_t x) {
      errno = 77;
      syscall(SYS_tgkill, getpid(), gettid(), runtime::preemption_signal());
      EXPECT_EQ(errno, 77);
      return std::optional(x);
    };
    // A tick of the timer's own may fall into the call and end it, rightly; not into every one.
    bool ignored = false;
    for (int i = 0; i < 50 && !ignored; ++i) {
      kit.slot().set_deadline(monotonic_ns() - kMs); // passed
      ignored = kit.get(Kit::CallHost, {3}) == 3u;
      if (!ignored) kit.reset();
    }
    EXPECT_TRUE(ignored);
  });
}

TEST(Timer, SignalsComeOnTheStackOfWhomTheyInterrupt) {
  ASSERT_TRUE(runtime::initialize().has_value());
  struct sigaction action{};
  ASSERT_EQ(sigaction(runtime::preemption_signal(), nullptr, &action), 0);
  EXPECT_EQ(action.sa_flags & SA_ONSTACK, 0);
  EXPECT_NE(action.sa_flags & SA_NODEFER, 0);
  for (int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
    ASSERT_EQ(sigaction(fault, nullptr, &action), 0);
    EXPECT_TRUE(sigismember(&action.sa_mask, runtime::preemption_signal())) << "a fault is handled in one go";
  }
}

} // namespace
} // namespace cusp::test
