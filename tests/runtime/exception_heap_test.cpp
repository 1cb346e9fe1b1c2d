#include "runtime/exception_heap.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace cusp::runtime {
namespace {

class ExceptionHeapTest : public testing::Test {
protected:
  abi::Exception* make(std::uint32_t values) {
    abi::Exception* exception = heap.allocate(values);
    if (!exception && heap.grow(values)) exception = heap.allocate(values);
    if (exception) exception->tag = &tag;
    return exception;
  }
  static abi::ValRaw* payload(abi::Exception* exception) { return reinterpret_cast<abi::ValRaw*>(exception + 1); }
  static std::uintptr_t word(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

  abi::TagRecord tag{};
  ExceptionHeap heap;
};

TEST_F(ExceptionHeapTest, ObjectsDoNotOverlap) {
  std::map<std::uintptr_t, std::uintptr_t> objects; // begin, end
  for (std::uint32_t i = 0; i < 3000; ++i) {
    const std::uint32_t values = i % 5;
    const auto at = word(make(values));
    EXPECT_EQ(at % 16, 0u);
    EXPECT_TRUE(objects.emplace(at, at + 16 + 16 * values).second);
  }
  std::uintptr_t free_from = 0;
  for (auto [begin, end] : objects) {
    EXPECT_GE(begin, free_from);
    free_from = end;
  }
}

TEST_F(ExceptionHeapTest, WhatIsNotMarkedIsUsedAgain) {
  auto *kept = make(1), *dropped = make(1);
  heap.mark(word(kept));
  heap.sweep();
  std::set<void*> now;
  for (int i = 0; i < 10; ++i) now.insert(make(1));
  EXPECT_EQ(now.count(kept), 0u);
  EXPECT_EQ(now.count(dropped), 1u);
  EXPECT_EQ(kept->tag, &tag);
}

TEST_F(ExceptionHeapTest, InteriorPointersCountAndStrangeWordsDoNot) {
  auto *kept = make(3), *other = make(3);
  heap.mark(word(kept) + 63);
  for (std::uintptr_t strange : {std::uintptr_t{0}, std::uintptr_t{1}, ~std::uintptr_t{0}, word(&heap)})
    heap.mark(strange);
  heap.sweep();
  EXPECT_EQ(kept->tag, &tag);
  EXPECT_EQ(other->tag, nullptr);
}

TEST_F(ExceptionHeapTest, AChainIsFollowedToItsEnd) {
  abi::Exception* first = nullptr;
  for (int i = 0; i < 100000; ++i) {
    abi::Exception* next = make(2);
    payload(next)[1].ref = first;
    first = next;
  }
  heap.mark(word(first));
  EXPECT_EQ(heap.sweep(), 0u);
  int length = 0;
  for (abi::Exception* at = first; at; at = static_cast<abi::Exception*>(payload(at)[1].ref)) {
    ASSERT_EQ(at->tag, &tag);
    ++length;
  }
  EXPECT_EQ(length, 100000);
}

TEST_F(ExceptionHeapTest, EmptyChunksGoBack) {
  for (int i = 0; i < 10000; ++i) make(1);
  const std::uint64_t full = heap.bytes_in_use();
  EXPECT_TRUE(heap.wants_collection());
  auto* kept = make(1);
  heap.mark(word(kept));
  EXPECT_EQ(heap.sweep(), full - ExceptionHeap::chunk_bytes(1));
  EXPECT_EQ(heap.bytes_in_use(), ExceptionHeap::chunk_bytes(1));
  EXPECT_FALSE(heap.wants_collection());
}

TEST_F(ExceptionHeapTest, ResetKeepsWhatWasSealed) {
  auto* clean = make(1);
  payload(clean)[0].i32 = 5;
  heap.seal();
  auto* later = make(1);
  make(70);
  heap.reset();
  EXPECT_EQ(clean->tag, &tag);
  EXPECT_EQ(payload(clean)[0].i32, 5u);
  EXPECT_EQ(later->tag, nullptr);
  EXPECT_EQ(heap.bytes_in_use(), ExceptionHeap::chunk_bytes(1));
  heap.sweep();
  EXPECT_EQ(clean->tag, &tag) << "nothing need refer to it";
}

TEST_F(ExceptionHeapTest, LargePayloadsHaveAChunkOfTheirOwn) {
  auto* large = make(1000);
  payload(large)[999].i64 = 1;
  heap.mark(word(large) + 16000);
  EXPECT_EQ(heap.sweep(), 0u);
  EXPECT_EQ(large->tag, &tag);
}

} // namespace
} // namespace cusp::runtime
