// Shared memories: waiting and waking within a thread and across threads, time limits, growth that all see, and slots put back.
#include <thread>

#include <gmock/gmock.h>

#include "runtime/guest.h"
#include "runtime/slot.h"

namespace cusp::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::uint8_t kLocalGet = 0x20, kMemoryGrow = 0x40, kMemorySize = 0x3f, kI32Const = 0x41, kI32Store = 0x36,
                       kI32Load = 0x28, kAtomic = 0xfe;
constexpr std::uint8_t kShared = 3;

// w(address, expected, timeout), W (64 bits), n(address, count), s(address, value) stores atomically, l(address), g(pages), z().
void add_operators(ModuleBytes& m) {
  m.func(m.type({kI32, kI32, kI64}, {kI32}), {kLocalGet, 0, kLocalGet, 1, kLocalGet, 2, kAtomic, 1, 2, 0});
  m.func(m.type({kI32, kI64, kI64}, {kI32}), {kLocalGet, 0, kLocalGet, 1, kLocalGet, 2, kAtomic, 2, 3, 0});
  m.func(m.type({kI32, kI32}, {kI32}), {kLocalGet, 0, kLocalGet, 1, kAtomic, 0, 2, 0});
  m.func(m.type({kI32, kI32}, {}), {kLocalGet, 0, kLocalGet, 1, kAtomic, 0x17, 2, 0});
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kAtomic, 0x10, 2, 0});
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kMemoryGrow, 0});
  m.func(m.type({}, {kI32}), {kMemorySize, 0});
  const char names[] = "wWnslgz";
  for (std::uint32_t i = 0; names[i]; ++i) m.export_item(names[i], 0, i);
}

ModuleBytes owner(std::uint8_t flags = kShared) {
  ModuleBytes m;
  m.memory_type(flags, 10);
  add_operators(m);
  m.export_item('m', 2, 0);
  return m;
}

ModuleBytes importer() {
  ModuleBytes m;
  m.import_memory(kShared, 10);
  add_operators(m);
  return m;
}

TEST(SharedMemory, WaitGivesWhatHappened) {
  on_fiber([] {
    Guest guest;
    runtime::Instance& instance = guest.add(compile(owner()));
    EXPECT_EQ(guest.call32(instance, "w", {0, 1, ~std::uint64_t{0}}), 1u) << "another value";
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(guest.call32(instance, "w", {0, 0, 5'000'000}), 2u);
    EXPECT_EQ(guest.call32(instance, "W", {8, 0, 5'000'000}), 2u);
    EXPECT_GE(std::chrono::steady_clock::now() - before, 10ms);
    EXPECT_EQ(guest.call32(instance, "w", {0, 0, 0}), 2u);
    EXPECT_EQ(guest.call32(instance, "n", {0, 5}), 0u) << "nobody waits any more";
  });
}

TEST(SharedMemory, BadAddressesTrap) {
  on_fiber([] {
    Guest guest;
    runtime::Instance& instance = guest.add(compile(owner()));
    for (const char* name : {"w", "n", "l"}) {
      auto unaligned = guest.call(instance, name, {2, 0, 0});
      ASSERT_FALSE(unaligned) << name;
      EXPECT_THAT(unaligned.error().message, HasSubstr("unaligned atomic"));
      auto outside = guest.call(instance, name, {65536, 0, 0});
      ASSERT_FALSE(outside) << name;
      EXPECT_THAT(outside.error().message, HasSubstr("out of bounds memory access"));
    }
    runtime::Instance& alone = guest.add(compile(owner(1)));
    auto wait = guest.call(alone, "w", {0, 0, 0});
    ASSERT_FALSE(wait);
    EXPECT_THAT(wait.error().message, HasSubstr("expected shared memory"));
    EXPECT_EQ(guest.call32(alone, "n", {0, 1}), 0u);
  });
}

// Two agents of one thread: the wait suspends its fiber, so that the other one runs and wakes it.
TEST(SharedMemory, WaitingLetsTheThreadServeOthers) {
  on_fiber([] {
    Guest first, second;
    runtime::Instance& waiting = first.add(compile(owner()));
    const runtime::Extern imports[] = {*waiting.exported("m")};
    runtime::Instance& waking = second.add(compile(importer()), imports);
    loop::Event done;
    std::uint32_t woken = 9;
    loop::EventLoop::current()->spawn([&] {
      woken = first.call32(waiting, "w", {64, 0, ~std::uint64_t{0}});
      done.set();
    });
    loop::Fiber::yield();
    EXPECT_EQ(woken, 9u);
    EXPECT_EQ(second.call32(waking, "n", {60, 1}), 0u) << "another address";
    EXPECT_EQ(second.call32(waking, "n", {64, 0}), 0u);
    EXPECT_EQ(second.call32(waking, "n", {64, 7}), 1u);
    EXPECT_TRUE(done.wait(loop::Clock::now() + 5s));
    EXPECT_EQ(woken, 0u);
  });
}

TEST(SharedMemory, CrossesThreads) {
  auto code = compile(owner()), importing = compile(importer());
  on_fiber([&] {
    Guest guest;
    runtime::Instance& instance = guest.add(code);
    const runtime::Extern memory = *instance.exported("m");
    std::uint32_t seen = 0, pages = 0;
    std::jthread other([&] {
      on_fiber([&] {
        Guest theirs;
        const runtime::Extern imports[] = {memory};
        runtime::Instance& there = theirs.add(importing, imports);
        theirs.call32(there, "g", {2});
        theirs.call32(there, "s", {0, 1});
        theirs.call32(there, "n", {0, 1});
        // Woken, or too late to sleep: the other side goes on either way.
        EXPECT_NE(theirs.call32(there, "w", {4, 0, 5'000'000'000}), 2u);
        seen = theirs.call32(there, "l", {4});
        pages = theirs.call32(there, "z");
      });
    });
    EXPECT_NE(guest.call32(instance, "w", {0, 0, 5'000'000'000}), 2u);
    EXPECT_EQ(guest.call32(instance, "l", {0}), 1u);
    EXPECT_EQ(guest.call32(instance, "z"), 3u) << "grown by the other";
    EXPECT_EQ(guest.call32(instance, "g", {7}), 3u);
    EXPECT_EQ(guest.call32(instance, "g", {1}), 0xffffffffu) << "its maximum";
    guest.call32(instance, "s", {4, 77});
    guest.call32(instance, "n", {4, 1});
    other.join();
    EXPECT_EQ(seen, 77u);
    EXPECT_EQ(pages, 10u);
  });
}

// Every waiter is woken once, by whichever of the wakers, or finds the value changed.
TEST(SharedMemory, NobodySleepsThroughAWake) {
  auto code = compile(owner()), importing = compile(importer());
  on_fiber([&] {
    Guest guest;
    runtime::Instance& instance = guest.add(code);
    const runtime::Extern memory = *instance.exported("m");
    std::atomic<std::uint32_t> finished = 0;
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 3; ++i)
      threads.emplace_back([&] {
        on_fiber([&] {
          Guest theirs;
          const runtime::Extern imports[] = {memory};
          runtime::Instance& there = theirs.add(importing, imports);
          for (std::uint32_t round = 0; round < 200; ++round)
            EXPECT_NE(theirs.call32(there, "w", {0, round, 20'000'000'000}), 2u);
          ++finished;
        });
      });
    for (std::uint32_t round = 1; round <= 200; ++round) {
      guest.call32(instance, "s", {0, round});
      guest.call32(instance, "n", {0, 0xffffffff});
      if (round % 16 == 0) loop::EventLoop::current()->sleep_until(loop::Clock::now() + 1ms);
    }
    threads.clear();
    EXPECT_EQ(finished, 3u);
  });
}

TEST(SharedMemory, TheRequestsDeadlineEndsAWait) {
  on_fiber([] {
    Guest guest;
    runtime::Instance& instance = guest.add(compile(owner()));
    const auto before = loop::Clock::now();
    guest.store().set_deadline((before + 30ms).time_since_epoch() / 1ns);
    auto result = guest.call(instance, "w", {0, 0, ~std::uint64_t{0}});
    ASSERT_FALSE(result);
    EXPECT_EQ(guest.store().last_trap().trap, abi::Trap::Timeout);
    EXPECT_GE(loop::Clock::now() - before, 30ms);
    guest.store().set_deadline(std::nullopt);
    EXPECT_EQ(guest.call32(instance, "n", {0, 1}), 0u) << "it has left the list";
    EXPECT_EQ(guest.call32(instance, "w", {0, 0, 1000}), 2u);
  });
}

// A shared memory is not in the slot's write set, and is put back all the same.
TEST(SharedMemory, ASlotPutsItBack) {
  ModuleBytes m;
  m.memory_type(kShared, 10);
  m.memory();
  m.func(m.type({kI32, kI32}, {}), {kLocalGet, 0, kLocalGet, 1, kI32Store, 2, 0});
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kI32Load, 2, 0});
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kMemoryGrow, 0});
  m.func(m.type({}, {kI32}), {kMemorySize, 0});
  m.func(m.type({}, {}), {kI32Const, 0, kI32Const, 5, kI32Store, 2, 0}); // before the seal
  const char names[] = "slgzi";
  for (std::uint32_t i = 0; names[i]; ++i) m.export_item(names[i], 0, i);
  for (auto tracking :
       {runtime::WriteTracking::Automatic, runtime::WriteTracking::Mprotect, runtime::WriteTracking::Scan})
    on_fiber([&] {
      const std::uint32_t cores[] = {0};
      auto layout = runtime::SlotLayout::create(compile(m), cores, {.limits = {}, .tracking = tracking});
      ASSERT_TRUE(layout) << layout.error().to_string();
      auto slot = runtime::Slot::create(*layout);
      ASSERT_TRUE(slot) << slot.error().to_string();
      auto linked = (*slot)->instantiate_core(0, {});
      ASSERT_TRUE(linked) << linked.error().to_string();
      runtime::Instance& instance = (*slot)->core_instance(0);
      auto call = [&](std::string_view name, std::uint32_t a = 0, std::uint32_t b = 0) {
        abi::ValRaw values[2]{};
        values[0].i32 = a, values[1].i32 = b;
        auto item = instance.exported(name);
        auto result = (*slot)->call(*std::get<runtime::ExternFunc>(*item).func, values);
        EXPECT_TRUE(result) << result.error().to_string();
        return values[0].i32;
      };
      call("i");
      ASSERT_TRUE((*slot)->seal());
      for (unsigned round = 0; round < 3; ++round) {
        EXPECT_EQ(call("l", 0), 5u);
        EXPECT_EQ(call("z"), 1u);
        EXPECT_EQ(call("l", 60000), 0u);
        call("s", 0, 6), call("s", 60000, 7);
        EXPECT_EQ(call("g", 2), 1u);
        call("s", 3 * 65536 - 4, 8);
        ASSERT_TRUE((*slot)->reset());
      }
      EXPECT_EQ((*slot)->memory_in_use(), 2 * 65536u);
    });
}

} // namespace
} // namespace cusp::test
