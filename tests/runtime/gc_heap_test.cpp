// The heap of objects on its own: what an address means, what a collection frees, and that bytes put back are a heap put
// back.
#include <cstring>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "runtime/gc_heap.h"

namespace cusp::runtime {
namespace {

class GcHeapTest : public testing::Test {
protected:
  void SetUp() override { make(std::uint64_t{64} << 20); }
  void make(std::uint64_t most) {
    const std::uint64_t space = GcHeap::space_for(most);
    space_ = std::move(*Reservation::create(space));
    heap_ = *GcHeap::create(space_.base(), space);
    heap_->set_due(~std::uint64_t{0}); // a test collects when it says so
  }
  std::uint32_t allocate(std::uint64_t bytes) {
    std::uint32_t at = heap_->allocate(bytes);
    if (at == 0 && heap_->grow(bytes, ~std::uint64_t{0}) != 0) at = heap_->allocate(bytes);
    return at;
  }
  // A collection that finds these and nothing else; how many objects it marked.
  std::size_t keep(std::initializer_list<std::uint64_t> words) {
    std::vector<std::uint32_t> grey;
    heap_->begin_marking();
    for (std::uint64_t word : words) heap_->mark(word, grey);
    heap_->sweep();
    return grey.size();
  }

  Reservation space_;
  GcHeap* heap_ = nullptr;
};

TEST_F(GcHeapTest, ObjectsAreZeroAlignedAndApart) {
  std::set<std::uint32_t> starts;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> objects;
  for (std::uint32_t bytes = 1; bytes < 20'000; bytes += bytes < 2100 ? 13 : 997) {
    const std::uint32_t at = allocate(bytes);
    ASSERT_NE(at, 0u) << bytes;
    EXPECT_EQ(at % abi::kGcAlign, 0u);
    for (std::uint32_t i = 0; i < bytes; ++i) ASSERT_EQ(heap_->base()[at + i], 0) << bytes << " at " << i;
    std::memset(heap_->base() + at, 0xff, bytes); // an object that overlaps a later one would not be zero
    EXPECT_TRUE(starts.insert(at).second);
  }
}

TEST_F(GcHeapTest, WhatIsNotMarkedIsUsedAgain) {
  std::vector<std::uint32_t> first;
  for (int i = 0; i < 100; ++i) first.push_back(allocate(40));
  std::memset(heap_->base() + first[50], 0xee, 40);
  EXPECT_EQ(keep({first[50]}), 1u);
  std::set<std::uint32_t> second;
  for (int i = 0; i < 99; ++i) second.insert(allocate(40));
  EXPECT_FALSE(second.contains(first[50]));
  EXPECT_EQ(heap_->base()[first[50]], 0xee);
  EXPECT_TRUE(second.contains(first[49]));
  for (std::uint32_t at : second) EXPECT_EQ(heap_->base()[at], 0);
}

TEST_F(GcHeapTest, AnyAddressInsideLeadsToTheObject) {
  const std::uint32_t small = allocate(48), large = allocate(200'000);
  EXPECT_EQ(keep({small + 47u, large + 199'999u}), 2u);
  EXPECT_EQ(keep({small + 1u, small, large + 100'000u, large}), 2u); // each once
  EXPECT_EQ(keep({}), 0u);
  EXPECT_EQ(keep({small, large}), 0u); // free by now
}

TEST_F(GcHeapTest, OtherWordsLeadNowhere) {
  const std::uint32_t object = allocate(16);
  const std::uint64_t block = object >> GcHeap::kBlockShift << GcHeap::kBlockShift;
  EXPECT_EQ(keep({0, 1, 8, block, block + 8, object + 16u, heap_->committed(), heap_->committed() - 1,
                  ~std::uint64_t{0}, std::uint64_t{object} << 32 | object}),
            0u);
}

TEST_F(GcHeapTest, ACollectionIsDueWhenAsMuchWasMadeAsLives) {
  heap_->set_due(std::uint64_t{1} << 20);
  std::uint64_t made = 0;
  while (heap_->allocate(64) != 0 || (!heap_->collection_due() && heap_->grow(64, ~std::uint64_t{0}) != 0)) made += 64;
  EXPECT_TRUE(heap_->collection_due());
  EXPECT_GE(made, std::uint64_t{1} << 19);
  EXPECT_EQ(heap_->allocate(64), 0u);
  keep({});
  EXPECT_FALSE(heap_->collection_due());
  EXPECT_EQ(heap_->live_bytes(), 0u);
  EXPECT_NE(heap_->allocate(64), 0u);
}

TEST_F(GcHeapTest, LargeObjectsJoinWhatWasFreed) {
  const std::uint32_t a = allocate(100'000), b = allocate(100'000);
  const std::uint64_t committed = heap_->committed();
  ASSERT_NE(a, 0u);
  ASSERT_NE(b, 0u);
  keep({});
  const std::uint32_t both = heap_->allocate(190'000);
  EXPECT_EQ(both, a);
  EXPECT_EQ(heap_->committed(), committed);
}

TEST_F(GcHeapTest, GrowsToItsSpaceAndNoFurther) {
  make(std::uint64_t{4} << 20);
  EXPECT_EQ(heap_->allocate(heap_->largest_object() + 1), 0u);
  const std::uint64_t before = heap_->committed();
  EXPECT_EQ(heap_->grow(1 << 20, 1 << 16), 0u); // not within what is allowed
  EXPECT_EQ(heap_->committed(), before);
  EXPECT_NE(allocate(1 << 20), 0u);
  EXPECT_GT(heap_->committed(), before);
  while (heap_->grow(16, ~std::uint64_t{0}) != 0) {
  }
  EXPECT_LE(heap_->committed(), std::uint64_t{4} << 20);
  EXPECT_EQ(heap_->allocate(heap_->largest_object()), 0u); // taken in part
  keep({});
  EXPECT_NE(heap_->allocate(heap_->largest_object()), 0u);
}

TEST_F(GcHeapTest, BytesPutBackAreTheHeapPutBack) {
  std::vector<std::uint32_t> kept;
  for (int i = 0; i < 1000; ++i) kept.push_back(allocate(16 + 16 * (i % 5)));
  const std::uint64_t bytes = heap_->committed();
  std::vector<std::uint8_t> clean(heap_->base(), heap_->base() + bytes);
  const std::uint32_t next = allocate(32), large = allocate(150'000);
  keep({next});
  for (int i = 0; i < 1000; ++i) allocate(64);
  std::memcpy(heap_->base(), clean.data(), bytes);
  EXPECT_EQ(heap_->committed(), bytes);
  EXPECT_EQ(allocate(32), next);
  EXPECT_EQ(allocate(150'000), large);
  EXPECT_EQ(keep({kept[7], kept[999]}), 2u);
}

TEST_F(GcHeapTest, RetiredCellsAreFoundByTheNextCollection) {
  const std::uint32_t first = allocate(16);
  heap_->retire_runs();
  const std::uint32_t second = allocate(16);
  EXPECT_NE(second, first + 16);
  keep({first});
  EXPECT_EQ(allocate(16), first + 16);
}

// Random sizes, random survivors: nothing that is kept changes.
TEST_F(GcHeapTest, SurvivorsKeepWhatTheyHold) {
  struct Object {
    std::uint32_t at, bytes;
    std::uint8_t fill;
  };
  std::vector<Object> live;
  std::uint32_t seed = 12345;
  auto random = [&](std::uint32_t below) { return (seed = seed * 1664525 + 1013904223) / 65536 % below; };
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 500; ++i) {
      const std::uint32_t bytes = 1 + (random(20) == 0 ? random(90'000) : random(600));
      const std::uint32_t at = allocate(bytes);
      if (at == 0) break;
      const auto fill = static_cast<std::uint8_t>(1 + random(255));
      for (std::uint32_t k = 0; k < bytes; ++k) ASSERT_EQ(heap_->base()[at + k], 0);
      std::memset(heap_->base() + at, fill, bytes);
      live.push_back({at, bytes, fill});
    }
    std::erase_if(live, [&](const Object&) { return random(2) == 0; });
    std::vector<std::uint32_t> grey;
    heap_->begin_marking();
    for (const Object& object : live) heap_->mark(object.at + random(object.bytes), grey);
    EXPECT_EQ(grey.size(), live.size());
    heap_->sweep();
    heap_->set_due(~std::uint64_t{0});
    for (const Object& object : live)
      for (std::uint32_t k = 0; k < object.bytes; ++k) ASSERT_EQ(heap_->base()[object.at + k], object.fill);
  }
}

} // namespace
} // namespace cusp::runtime
