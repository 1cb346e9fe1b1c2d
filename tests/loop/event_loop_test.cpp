#include "loop/event_loop.h"

#include <atomic>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace cusp::loop {
namespace {

using namespace std::chrono_literals;

TEST(EventLoop, FibersTakeTurns) {
  std::string order;
  auto ran = EventLoop::run_one([&] {
    EventLoop& loop = Fiber::current()->loop();
    for (char name : {'a', 'b'})
      loop.spawn([&order, name] {
        for (int i = 0; i < 3; ++i) {
          order += name;
          Fiber::yield();
        }
      });
  });
  ASSERT_TRUE(ran.has_value());
  EXPECT_EQ(order, "ababab");
}

TEST(EventLoop, AHostComesInAndGoesOut) {
  auto loop = EventLoop::create(nullptr);
  ASSERT_TRUE(loop);
  std::string order;
  bool done = false, ending = false;
  Fiber* parked = (*loop)->spawn([&] {
    while (!ending) {
      order += "in ";
      (*loop)->sleep_until(Clock::now() + 1ms);
      order += "out ";
      done = true;
      Fiber::suspend();
    }
    done = true;
  });
  (*loop)->spawn([&] { order += "other "; });
  for (int i = 0; i < 2; ++i) {
    done = false;
    (*loop)->run_until(parked, done);
    EXPECT_EQ(Fiber::current(), nullptr);
    EXPECT_EQ(EventLoop::current(), nullptr);
  }
  EXPECT_EQ(order, "in other out in out ");
  ending = true, done = false;
  (*loop)->run_until(parked, done);
  EXPECT_EQ((*loop)->fibers_alive(), 0u);
}

TEST(EventLoop, TimersFireInOrderOfDeadline) {
  std::string order;
  auto start = Clock::now();
  ASSERT_TRUE(EventLoop::run_one([&] {
    EventLoop& loop = Fiber::current()->loop();
    for (int ms : {30, 10, 20})
      loop.spawn([&order, &loop, ms] { // the loop outlives its fibers
        loop.sleep_until(Clock::now() + std::chrono::milliseconds(ms));
        order += std::to_string(ms) + " ";
      });
  }));
  EXPECT_EQ(order, "10 20 30 ");
  EXPECT_GE(Clock::now() - start, 30ms);
}

TEST(EventLoop, EventsWakeEveryWaiterAndDeadlinesEndAWait) {
  int woken = 0;
  bool in_time = true;
  ASSERT_TRUE(EventLoop::run_one([&] {
    EventLoop& loop = Fiber::current()->loop();
    Event event, never;
    std::size_t waiting = 0;
    for (int i = 0; i < 3; ++i)
      loop.spawn([&] {
        ++waiting;
        woken += event.wait();
        --waiting;
      });
    loop.sleep_until(Clock::now() + 5ms);
    EXPECT_EQ(waiting, 3u);
    event.set();
    Event* both[] = {&never, &event};
    EXPECT_TRUE(wait_any(both, kNever));
    in_time = never.wait(Clock::now() + 5ms);
    while (waiting) Fiber::yield();
  }));
  EXPECT_EQ(woken, 3);
  EXPECT_FALSE(in_time);
}

TEST(EventLoop, WaitsForDescriptors) {
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_NONBLOCK | O_CLOEXEC), 0);
  std::string got;
  ASSERT_TRUE(EventLoop::run_one([&] {
    EventLoop& loop = Fiber::current()->loop();
    loop.spawn([&] {
      loop.sleep_until(Clock::now() + 5ms);
      EXPECT_EQ(write(pipe_ends[1], "x", 1), 1);
    });
    Event readable, writable;
    ASSERT_TRUE(loop.watch(pipe_ends[0], readable, writable).has_value());
    EXPECT_FALSE(readable.wait(Clock::now() + 1ms));
    EXPECT_TRUE(readable.wait());
    char byte = 0;
    EXPECT_EQ(read(pipe_ends[0], &byte, 1), 1);
    got += byte;
    loop.forget(pipe_ends[0]);
  }));
  EXPECT_EQ(got, "x");
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(EventLoop, BlockingWorkLeavesTheThreadFree) {
  int turns = 0;
  std::thread::id worker;
  ASSERT_TRUE(EventLoop::run_one([&] {
    EventLoop& loop = Fiber::current()->loop();
    bool done = false;
    loop.spawn([&] {
      while (!done) {
        ++turns;
        loop.sleep_until(Clock::now() + 1ms);
      }
    });
    loop.run_blocking([&] {
      std::this_thread::sleep_for(20ms);
      worker = std::this_thread::get_id();
    });
    done = true;
    while (loop.fibers_alive() > 1) Fiber::yield(); // `done` is ours, and the other fiber reads it
  }));
  EXPECT_GT(turns, 3);
  EXPECT_NE(worker, std::this_thread::get_id());
}

TEST(EventLoop, PostAndStopComeFromOtherThreads) {
  auto loop = EventLoop::create(nullptr).value();
  std::atomic<int> ran{0};
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) loop->post([&] { ++ran; });
    loop->stop();
  });
  loop->run();
  other.join();
  EXPECT_EQ(ran, 100);
}

struct Nested {
  StackView inner, innermost;
  std::string* order;
};

TEST(Fiber, MovesToOtherStacksAndSuspendsThere) {
  std::string order;
  std::vector<std::byte> first(256 * 1024), second(256 * 1024);
  Nested nested{{first.data(), first.size()}, {second.data(), second.size()}, &order};
  ASSERT_TRUE(EventLoop::run_one([&] {
    EventLoop& loop = Fiber::current()->loop();
    loop.spawn([&] {
      for (int i = 0; i < 4; ++i) {
        order += '.';
        Fiber::yield();
      }
    });
    Fiber* self = Fiber::current();
    Fiber::call_on_stack(
        nested.inner,
        [](void* argument) {
          auto* nested = static_cast<Nested*>(argument);
          *nested->order += '1';
          Fiber::yield();
          Fiber::call_on_stack(
              nested->innermost,
              [](void* argument) {
                auto* nested = static_cast<Nested*>(argument);
                EXPECT_GE(static_cast<std::byte*>(__builtin_frame_address(0)), nested->innermost.base);
                *nested->order += '2';
                Fiber::yield();
                *nested->order += '3';
              },
              nested);
          Fiber::yield();
          *nested->order += '4';
        },
        &nested);
    EXPECT_EQ(Fiber::current(), self);
    order += '5';
  }));
  EXPECT_EQ(order, "1.2.3.45.");
}

TEST(EventLoop, ManyFibersReuseStacks) {
  int ended = 0;
  ASSERT_TRUE(EventLoop::run_one([&] {
    EventLoop& loop = Fiber::current()->loop();
    for (int round = 0; round < 50; ++round) {
      for (int i = 0; i < 200; ++i)
        loop.spawn([&] {
          Fiber::yield();
          ++ended;
        });
      while (loop.fibers_alive() > 1) Fiber::yield();
    }
  }));
  EXPECT_EQ(ended, 10000);
}

} // namespace
} // namespace cusp::loop
