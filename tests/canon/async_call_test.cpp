// Tasks, subtasks and threads of a real guest: host functions that take their time, cancellation, deadlock, stacks.
#include "canon/async_guest.h"

namespace cusp::test {
namespace {

using Number = std::uint32_t();
using NumberOf = std::uint32_t(std::uint32_t);
using NumberOfTwo = std::uint32_t(std::uint32_t, std::uint32_t);

TEST_F(AsyncGuest, BlocksItsTaskWhenItIsLoweredSynchronously) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<NumberOf>(instance, "call", 42u);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(*result, 42u);
  });
}

TEST_F(AsyncGuest, GoesOnWhileHostFunctionsAreUnderWay) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<NumberOfTwo>(instance, "call-two", 40u, 2u);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(*result, 42u);
    EXPECT_EQ(host.most_alive, 2u);
  });
}

TEST_F(AsyncGuest, ServesSeveralCallsAtATime) {
  with_instance([&](ComponentInstance& instance) {
    std::uint32_t sum = 0, ended = 0;
    loop::Event all;
    for (std::uint32_t i = 1; i <= 4; ++i) {
      loop::Fiber::current()->loop().spawn([&, i] {
        auto result = call<NumberOf>(instance, "call", i);
        sum += result ? *result : 1000;
        if (++ended == 4) all.set();
      });
    }
    all.wait();
    EXPECT_EQ(sum, 10u);
    EXPECT_EQ(host.most_alive, 4u); // nobody waited for another's sleep
  });
}

TEST_F(AsyncGuest, CancelsAHostFunctionAtOnce) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<Number>(instance, "call-off");
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(*result, 4u); // CANCELLED_BEFORE_RETURNED
    EXPECT_EQ(host.cancelled, 1u);
  });
}

TEST_F(AsyncGuest, EndsWhatIsLeftBehind) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<Number>(instance, "leave-behind");
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(host.cancelled, 0u);
    ASSERT_TRUE(instance.reset());
    EXPECT_EQ(host.cancelled, 2u);
  });
}

TEST_F(AsyncGuest, TellsADeadlock) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<Number>(instance, "deadlock");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, base::ErrorCode::Trap);
    EXPECT_EQ(result.error().message, "deadlock detected: event loop cannot make further progress");
    EXPECT_TRUE(instance.poisoned());
    EXPECT_FALSE(call<NumberOf>(instance, "call", 1u));
  });
}

TEST_F(AsyncGuest, MayNotBlockInAFunctionThatIsNotAsync) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<Number>(instance, "block");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, "cannot block a synchronous task before returning");
  });
}

TEST_F(AsyncGuest, RunsThreadsAfterTheTaskHasReturned) {
  with_instance([&](ComponentInstance& instance) {
    ASSERT_TRUE(call<NumberOfTwo>(instance, "start-threads", 0u, 20u));
    EXPECT_EQ(*call<Number>(instance, "counted"), 0u);
    auto finished = instance.finish();
    ASSERT_TRUE(finished) << finished.error().to_string();
    EXPECT_EQ(*call<Number>(instance, "counted"), 60u);
  });
}

TEST_F(AsyncGuest, OverflowsTheStackOfAThreadAsAnyOther) {
  with_instance([&](ComponentInstance& instance) {
    ASSERT_TRUE(call<NumberOfTwo>(instance, "start-threads", 1u, 2u));
    auto finished = instance.finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(instance.last_trap().trap, abi::Trap::StackOverflow);
    EXPECT_FALSE(instance.last_trap().backtrace.empty());
  });
}

TEST_F(AsyncGuest, StopsAThreadThatSpinsAtTheDeadline) {
  with_instance([&](ComponentInstance& instance) {
    ASSERT_TRUE(call<NumberOfTwo>(instance, "start-threads", 2u, 2u));
    auto until = loop::Clock::now() + std::chrono::milliseconds(30);
    instance.slot().set_deadline(until.time_since_epoch() / std::chrono::nanoseconds(1));
    auto turns = std::make_shared<std::uint32_t>(0);
    auto over = std::make_shared<bool>(false);
    loop::Fiber::current()->loop().spawn([turns, over] {
      while (!*over) ++*turns, loop::Fiber::yield();
    });
    auto finished = instance.finish();
    *over = true;
    ASSERT_FALSE(finished);
    EXPECT_EQ(instance.last_trap().trap, abi::Trap::Timeout);
    EXPECT_GT(*turns, 1u); // it was pre-empted meanwhile
  });
}

TEST_F(AsyncGuest, EndsAWaitAtTheDeadline) {
  with_instance([&](ComponentInstance& instance) {
    auto until = loop::Clock::now() + std::chrono::milliseconds(10);
    instance.slot().set_deadline(until.time_since_epoch() / std::chrono::nanoseconds(1));
    auto result = call<Number>(instance, "leave-behind");
    ASSERT_TRUE(result);
    auto finished = instance.finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(instance.last_trap().trap, abi::Trap::Timeout);
    EXPECT_EQ(host.cancelled, 2u);
  });
}

TEST_F(AsyncGuest, CountsTheStacksOfThreads) {
  LinkOptions options;
  options.limits.memory_bytes = 8 << 20;
  with_instance(
      [&](ComponentInstance& instance) {
        std::uint64_t before = instance.slot().memory_in_use();
        ASSERT_TRUE(call<NumberOfTwo>(instance, "start-threads", 0u, 3u));
        ASSERT_TRUE(instance.finish());
        EXPECT_EQ(instance.slot().memory_in_use(), before); // given back
        ASSERT_TRUE(call<NumberOfTwo>(instance, "start-threads", 0u, 20u));
        auto finished = instance.finish();
        ASSERT_FALSE(finished);
        EXPECT_EQ(instance.last_trap().trap, abi::Trap::MemoryLimit);
      },
      options);
}

TEST_F(AsyncGuest, IsDestroyedOffItsFiberWithThreadsOnItsStacks) {
  std::unique_ptr<ComponentInstance> kept;
  with_instance([&](ComponentInstance& instance) {
    auto other = ComponentInstance::create(instance.shared_code(), &host);
    ASSERT_TRUE(other);
    kept = std::move(*other);
    ASSERT_TRUE(call<NumberOfTwo>(*kept, "start-threads", 0u, 3u));
    ASSERT_FALSE(call<Number>(*kept, "deadlock")); // ends them
    ASSERT_TRUE(kept->reset());
    ASSERT_TRUE(call<NumberOfTwo>(*kept, "start-threads", 0u, 3u));
  });
  kept.reset();
}

} // namespace
} // namespace cusp::test
