// Slots: whatever a guest did, reset() leaves exactly the state that seal() found, by each way of write tracking; and what that costs
// stays within its limits.
#include <cstring>
#include <random>

#include <sys/mman.h>
#include <unistd.h>

#include "runtime/kit_slot.h"
#include "runtime/write_set.h"

namespace cusp::test {
namespace {

using abi::Trap;

class Slots : public EveryTracking {};
INSTANTIATE_TEST_SUITE_P(Tracking, Slots, kEveryTracking, tracking_name);

// One thing that a guest may do, with arguments that are mostly sensible.
struct Action {
  Kit func;
  std::array<std::uint64_t, 4> arguments;
};

class RandomGuest {
public:
  explicit RandomGuest(std::uint32_t seed) : random_(seed) {}
  std::vector<Action> use() {
    std::vector<Action> actions(1 + below(30));
    for (Action& action : actions) action = next();
    return actions;
  }

private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::uint64_t address() { return below(8) == 0 ? random_() : below(KitShape::kMinPages * 65536 + 70'000); }
  Action next() {
    switch (below(14)) {
    case 0: return {Kit::Poke, {address(), random_()}};
    case 1: return {Kit::Stride, {below(200'000), below(60), 1 + below(5000), random_()}};
    case 2: return {Kit::Grow, {below(6)}};
    case 3: return {Kit::MemoryFill, {address(), random_(), below(20'000)}};
    case 4: return {Kit::MemoryCopy, {address(), address(), below(20'000)}};
    case 5: return {Kit::MemoryInit, {address(), below(20), below(KitShape::kPassiveSize + 10)}};
    case 6: return {Kit::DataDrop, {}};
    case 7: return {Kit::TableGrow, {below(4) == 0 ? below(KitShape::kTableMax) : below(2000)}};
    case 8: return {Kit::TableCopy, {below(12), below(12)}};
    case 9: return {Kit::TableNull, {below(600)}};
    case 10: return {Kit::TableInit, {below(12), below(4), below(4)}};
    case 11: return {Kit::ElemDrop, {}};
    case 12: return {Kit::GlobalSet, {random_(), random_()}};
    default: return {Kit::VectorSet, {random_()}};
    }
  }
  std::mt19937 random_;
};

// What each action gave: its result, or the trap.
std::vector<std::uint64_t> perform(KitSlot& kit, const std::vector<Action>& actions) {
  std::vector<std::uint64_t> results;
  for (const Action& action : actions) {
    const abi::ValRaw value =
        kit.call(action.func, {action.arguments[0], action.arguments[1], action.arguments[2], action.arguments[3]});
    const bool has_result = action.func == Kit::Grow || action.func == Kit::TableGrow;
    if (kit.trapped()) results.push_back(1000 + static_cast<std::uint64_t>(kit.trap()));
    else results.push_back(has_result ? value.i32 : 0);
  }
  for (Kit probe : {Kit::Size, Kit::TableSize}) results.push_back(kit.get(probe));
  return results;
}

TEST_P(Slots, AReusedOneIsAFreshOne) {
  on_fiber([] {
    auto layout = KitSlot::layout(GetParam());
    KitSlot reused(layout);
    const KitState clean(reused);
    for (std::uint32_t i = 0; i < KitShape::kDataSize; ++i)
      ASSERT_EQ(clean.memory[KitShape::kDataAt + i], KitModule::data_byte(i));
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
      const std::vector<Action> actions = RandomGuest(seed).use();
      KitSlot fresh(layout);
      ASSERT_EQ(KitState(fresh).difference(clean), "") << "seed " << seed;
      ASSERT_EQ(perform(reused, actions), perform(fresh, actions)) << "seed " << seed;
      ASSERT_EQ(KitState(reused).difference(KitState(fresh)), "") << "seed " << seed;
      ASSERT_EQ(reused.slot().memory_in_use(), fresh.slot().memory_in_use());
      reused.reset();
      ASSERT_EQ(KitState(reused).difference(clean), "") << "after reset, seed " << seed;
    }
  });
}

TEST_P(Slots, WhatGrewIsOutOfReachAgain) {
  on_fiber([] {
    KitSlot kit(GetParam());
    for (int use = 0; use < 4; ++use) {
      kit.expect_trap(Trap::MemoryOutOfBounds, Kit::Poke, {KitShape::kMinPages * 65536, 1});
      ASSERT_EQ(kit.get(Kit::Grow, {5}), KitShape::kMinPages);
      for (std::uint32_t page = 0; page < 5; ++page) {
        const std::uint64_t at = (KitShape::kMinPages + page) * 65536 + 4096 * page;
        EXPECT_EQ(kit.get(Kit::Peek, {at}), 0u) << "grown pages are zero, use " << use;
        kit.call(Kit::Poke, {at, 0x1234});
        EXPECT_EQ(kit.get(Kit::Peek, {at}), 0x1234u);
      }
      // Grown by less this time, the rest stays closed.
      kit.expect_trap(Trap::MemoryOutOfBounds, Kit::Peek, {(KitShape::kMinPages + 5) * 65536});
      kit.reset();
      ASSERT_EQ(kit.get(Kit::Size), KitShape::kMinPages);
      ASSERT_EQ(kit.get(Kit::Grow, {1}), KitShape::kMinPages);
      EXPECT_EQ(kit.get(Kit::Peek, {KitShape::kMinPages * 65536}), 0u);
      kit.expect_trap(Trap::MemoryOutOfBounds, Kit::Peek, {(KitShape::kMinPages + 1) * 65536});
      kit.reset();
    }
  });
}

TEST_P(Slots, ATableThatGrewIsShortAgain) {
  on_fiber([] {
    KitSlot kit(GetParam());
    for (int use = 0; use < 3; ++use) {
      ASSERT_EQ(kit.get(Kit::TableGrow, {5000}), KitShape::kTableMin);
      EXPECT_EQ(kit.get(Kit::IsNull, {4000}), 1u);
      kit.call(Kit::TableCopy, {4000, KitShape::kElemAt});
      EXPECT_EQ(kit.get(Kit::CallTable, {4000}), 41u);
      kit.reset();
      EXPECT_EQ(kit.get(Kit::TableSize), KitShape::kTableMin);
      kit.expect_trap(Trap::TableOutOfBounds, Kit::CallTable, {4000});
      kit.reset();
    }
  });
}

TEST_P(Slots, DroppedSegmentsComeBack) {
  on_fiber([] {
    KitSlot kit(GetParam());
    for (int use = 0; use < 2; ++use) {
      kit.call(Kit::MemoryInit, {100, 0, KitShape::kPassiveSize});
      EXPECT_FALSE(kit.trapped());
      kit.call(Kit::DataDrop), kit.call(Kit::ElemDrop);
      kit.expect_trap(Trap::MemoryOutOfBounds, Kit::MemoryInit, {100, 0, 1});
      kit.expect_trap(Trap::TableOutOfBounds, Kit::TableInit, {0, 0, 1});
      kit.reset();
    }
  });
}

// Learned once: the same writes cost no second fault, and a set that became too dear is forgotten with its memory.
TEST_P(Slots, PagesAreLearnedOnce) {
  on_fiber([] {
    KitSlot kit(GetParam());
    kit.reset();
    const std::uint32_t before = kit.slot().learned_pages();
    auto use = [&] {
      kit.call(Kit::Stride, {65536, 8, 2 * 4096, 1});
      kit.reset();
      return kit.slot().learned_pages();
    };
    const std::uint32_t learned = use();
    EXPECT_GE(learned, before + 8);
    EXPECT_LE(learned, before + 8 + 2); // the call itself may write the VM context
    for (int i = 0; i < 5; ++i) EXPECT_EQ(use(), learned);
  });
}

TEST_P(Slots, MemoryHasALimit) {
  on_fiber([] {
    runtime::StoreLimits limits;
    limits.memory_bytes = 5 * 65536 + 4096;
    KitSlot kit(GetParam(), limits);
    for (int use = 0; use < 2; ++use) {
      EXPECT_EQ(kit.get(Kit::Grow, {3}), ~0u);
      EXPECT_EQ(kit.get(Kit::Grow, {2}), KitShape::kMinPages);
      EXPECT_EQ(kit.get(Kit::Grow, {1}), ~0u);
      EXPECT_EQ(kit.get(Kit::TableGrow, {512}), ~0u) << "tables count together with memories";
      EXPECT_EQ(kit.get(Kit::TableGrow, {100}), KitShape::kTableMin);
      kit.reset();
      EXPECT_EQ(kit.slot().memory_in_use(), KitShape::kMinPages * 65536 + KitShape::kTableMin * sizeof(void*));
    }
  });
}

TEST_P(Slots, TablesHaveALimit) {
  on_fiber([] {
    runtime::StoreLimits limits;
    limits.table_elements = 100;
    KitSlot kit(GetParam(), limits);
    EXPECT_EQ(kit.get(Kit::TableGrow, {91}), ~0u);
    EXPECT_EQ(kit.get(Kit::TableGrow, {90}), KitShape::kTableMin);
  });
  on_fiber([] {
    runtime::StoreLimits limits;
    limits.table_elements = KitShape::kTableMin - 1;
    runtime::SlotOptions options;
    options.limits = limits;
    const std::uint32_t modules[] = {0};
    auto layout = runtime::SlotLayout::create(kit_code(), modules, options);
    ASSERT_FALSE(layout.has_value());
    EXPECT_EQ(layout.error().code, base::ErrorCode::LimitExceeded);
  });
}

// A slot whose layout starts with a memory beyond its limit is an error with both numbers, not a trap.
TEST_P(Slots, AMemoryBeyondTheLimitIsRefused) {
  on_fiber([] {
    runtime::StoreLimits limits;
    limits.memory_bytes = 65536;
    auto slot = must(Slot::create(KitSlot::layout(GetParam(), limits)), "slot");
    auto* host = reinterpret_cast<abi::HostFunc*>(slot->owner_area());
    const artifact::ModuleMeta& meta = kit_code()->module(0);
    const runtime::Extern import = slot->host_func(host, meta.func_type(0));
    auto made = slot->instantiate_core(0, std::span(&import, 1));
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code, base::ErrorCode::LimitExceeded);
    EXPECT_NE(made.error().message.find("196608"), std::string::npos) << made.error().message;
  });
}

TEST_P(Slots, ALostImageEndsTheSlotNotTheProcess) {
  on_fiber([] {
    auto whole = compile_guest(KitModule::bytes());
    const int fd = memfd_create("cut", MFD_CLOEXEC);
    auto bytes = must(prepare::read_file("/proc/self/fd/" + std::to_string(whole->fd())), "artifact");
    ASSERT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    auto artifact =
        must(artifact::Artifact::from_fd(base::UniqueFd(fd), artifact::Artifact::Verify::Full, "cut"), "open");
    auto layout = KitSlot::layout(GetParam(), {}, must(runtime::Code::load(artifact), "load"));
    KitSlot kit(layout);
    kit.call(Kit::Stride, {0, 10, 4096, 1});
    ASSERT_EQ(ftruncate(fd, static_cast<off_t>(artifact->image_file_offset())), 0);
    auto reset = kit.slot().reset();
    if (reset) { // the kernel took the pages that were copied, too: nothing to put back until somebody reads one
      kit.expect_trap(Trap::Internal, Kit::Peek, {KitShape::kDataAt});
      reset = kit.slot().reset();
    }
    ASSERT_FALSE(reset.has_value());
    EXPECT_EQ(reset.error().code, base::ErrorCode::Corrupt) << reset.error().to_string();
    EXPECT_FALSE(Slot::create(layout).has_value());
  });
}

// memory.copy works in pieces, in the direction that overlap demands.
TEST(BulkOperations, LongCopiesAreMoves) {
  on_fiber([] {
    KitSlot kit(WriteTracking::Automatic);
    kit.get(Kit::Grow, {KitShape::kMaxPages - KitShape::kMinPages});
    const std::size_t size = kit.memory().byte_length, megabyte = 1 << 20;
    std::mt19937 random(3);
    std::vector<std::uint8_t> want(size);
    for (std::uint8_t& byte : want) byte = static_cast<std::uint8_t>(random());
    std::memcpy(kit.memory().base, want.data(), size);
    const std::array<std::size_t, 3> cases[] = {// to, from, count
                                                {1, 0, size - 1},
                                                {0, 1, size - 1},
                                                {megabyte / 2, 0, 3 * megabyte},
                                                {0, megabyte / 2, 3 * megabyte},
                                                {size - megabyte, 0, megabyte},
                                                {0, size - 2 * megabyte - 1, 2 * megabyte + 1},
                                                {5, 5, megabyte},
                                                {7, 9, 0}};
    for (const auto& [to, from, count] : cases) {
      kit.call(Kit::MemoryCopy, {to, from, count});
      ASSERT_FALSE(kit.trapped());
      std::memmove(want.data() + to, want.data() + from, count);
      ASSERT_EQ(std::memcmp(kit.memory().base, want.data(), size), 0) << to << " " << from << " " << count;
    }
  });
}

// Slots by the thousand: what one costs is address space, and giving them back gives everything back.
TEST_P(Slots, ComeAndGo) {
  on_fiber([] {
    auto layout = KitSlot::layout(GetParam());
    for (int round = 0; round < 2; ++round) {
      std::vector<std::unique_ptr<KitSlot>> slots;
      for (int i = 0; i < 300; ++i) {
        slots.push_back(std::make_unique<KitSlot>(layout));
        slots.back()->call(Kit::Stride, {0, 6, 8192, 1});
        ASSERT_FALSE(slots.back()->trapped());
      }
      for (auto& slot : slots) slot->reset();
    }
  });
}

} // namespace
} // namespace cusp::test
