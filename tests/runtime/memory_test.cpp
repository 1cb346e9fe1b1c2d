// Memories of every kind at run time: 64-bit ones to the last byte, copies and fills of every short length, limits that count everything.
#include <cstring>
#include <numeric>

#include <gmock/gmock.h>

#include "runtime/guest.h"

namespace cusp::test {
namespace {

using testing::HasSubstr;

constexpr std::uint8_t kLocalGet = 0x20, kI32Load = 0x28, kMemorySize = 0x3f, kMemoryGrow = 0x40, kRefNull = 0xd0,
                       kBulk = 0xfc;
constexpr std::uint8_t k64 = 4;

artifact::CompileRequest at_level(unsigned level, artifact::BoundsMode bounds = artifact::BoundsMode::Guard) {
  artifact::CompileRequest request;
  request.opt_level = level;
  request.bounds = bounds;
  return request;
}

TEST(Memory64, IsExactToTheLastByte) {
  ModuleBytes m;
  m.memory(k64);
  m.func(m.type({kI64}, {kI32}), {kLocalGet, 0, kI32Load, 2, 0});
  Bytes far{kLocalGet, 0, kI32Load, 2};
  append(far, leb(~std::uint64_t{0} - 3)); // offset + 4 bytes is 2^64
  m.func(m.type({kI64}, {kI32}), far);
  Bytes beyond{kLocalGet, 0, kI32Load, 2};
  append(beyond, leb(65536)); // more than the memory has to begin with
  m.func(m.type({kI64}, {kI32}), beyond);
  m.func(m.type({kI64}, {kI64}), {kLocalGet, 0, kMemoryGrow, 0});
  m.export_item('l', 0, 0), m.export_item('f', 0, 1), m.export_item('b', 0, 2), m.export_item('g', 0, 3);
  for (unsigned level : {0u, 2u})
    on_fiber([&] {
      Guest guest;
      runtime::Instance& instance = guest.add(compile(m, at_level(level)));
      EXPECT_TRUE(guest.call(instance, "l", {65532}));
      for (std::uint64_t index : {std::uint64_t{65533}, std::uint64_t{65536}, std::uint64_t{1} << 32,
                                  std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{0} - 3}) {
        auto result = guest.call(instance, "l", {index});
        ASSERT_FALSE(result) << index;
        EXPECT_THAT(result.error().message, HasSubstr("out of bounds memory access"));
      }
      for (std::uint64_t index : {std::uint64_t{0}, std::uint64_t{4}, ~std::uint64_t{0}})
        EXPECT_FALSE(guest.call(instance, "f", {index})) << index;
      EXPECT_FALSE(guest.call(instance, "b", {0}));
      EXPECT_FALSE(guest.call(instance, "b", {~std::uint64_t{65535}})) << "the sum wraps to 0";
      EXPECT_EQ(*guest.call(instance, "g", {1}), 1u);
      EXPECT_TRUE(guest.call(instance, "b", {65532}));
      EXPECT_FALSE(guest.call(instance, "b", {65533}));
      EXPECT_EQ(*guest.call(instance, "g", {std::uint64_t{1} << 60}), ~std::uint64_t{0});
    });
}

TEST(Bulk, ShortCopiesAndFillsDoAsLongOnesDo) {
  ModuleBytes m;
  m.memory();
  const auto type = m.type({kI32, kI32, kI32}, {});
  m.func(type, {kLocalGet, 0, kLocalGet, 1, kLocalGet, 2, kBulk, 10, 0, 0});
  m.func(type, {kLocalGet, 0, kLocalGet, 1, kLocalGet, 2, kBulk, 11, 0});
  m.func(m.type({kI32, kI32}, {}), {kLocalGet, 0, kLocalGet, 1, 0x41, 21, kBulk, 10, 0, 0});
  m.func(m.type({kI32, kI32}, {}), {kLocalGet, 0, kLocalGet, 1, 0x41, 21, kBulk, 11, 0});
  m.export_item('c', 0, 0), m.export_item('f', 0, 1), m.export_item('C', 0, 2), m.export_item('F', 0, 3);
  for (unsigned level : {0u, 2u})
    on_fiber([&] {
      Guest guest;
      runtime::Instance& instance = guest.add(compile(m, at_level(level)));
      std::uint8_t* memory = instance.memory(0)->base;
      std::vector<std::uint8_t> expected(256);
      auto start = [&] {
        std::iota(expected.begin(), expected.end(), std::uint8_t{0});
        std::memcpy(memory, expected.data(), 256);
      };
      for (std::uint32_t n = 0; n <= 70; ++n)
        for (std::uint32_t to : {60u, 77u, 63u, 64u, 65u, 120u}) {
          start();
          std::memmove(expected.data() + to, expected.data() + 64, n);
          ASSERT_TRUE(guest.call(instance, "c", {to, 64, n}));
          ASSERT_EQ(std::memcmp(memory, expected.data(), 256), 0) << n << " bytes to " << to;
          start();
          std::memset(expected.data() + to, 0xab, n);
          ASSERT_TRUE(guest.call(instance, "f", {to, 0xffab, n}));
          ASSERT_EQ(std::memcmp(memory, expected.data(), 256), 0) << n << " bytes at " << to;
        }
      start();
      std::memmove(expected.data() + 70, expected.data() + 64, 21);
      std::memset(expected.data(), 7, 21);
      ASSERT_TRUE(guest.call(instance, "C", {70, 64}));
      ASSERT_TRUE(guest.call(instance, "F", {0, 7}));
      EXPECT_EQ(std::memcmp(memory, expected.data(), 256), 0);
      // Nothing is written where not all can be.
      for (const char* name : {"c", "f"})
        for (std::uint64_t n : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{40}, std::uint64_t{0xffffffff}}) {
          EXPECT_FALSE(guest.call(instance, name, {65536 - n + 1, 0, n})) << name << n;
          EXPECT_TRUE(n > 65536 || guest.call(instance, name, {65536 - n, 0, n})) << name << n;
        }
      EXPECT_FALSE(guest.call(instance, "c", {0, 65530, 7}));
      EXPECT_FALSE(guest.call(instance, "C", {65536 - 20, 0}));
      EXPECT_FALSE(guest.call(instance, "F", {0xffffffff, 0}));
    });
}

TEST(Limits, CountEveryMemoryAndTable) {
  ModuleBytes m;
  m.memory(), m.memory(k64);
  m.table(16);
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kMemoryGrow, 0});
  m.func(m.type({kI64}, {kI64}), {kLocalGet, 0, kMemoryGrow, 1});
  m.func(m.type({kI32}, {kI32}), {kRefNull, kFuncref, kLocalGet, 0, kBulk, 15, 0});
  m.func(m.type({}, {kI32}), {kMemorySize, 0});
  m.export_item('g', 0, 0), m.export_item('G', 0, 1), m.export_item('t', 0, 2), m.export_item('s', 0, 3);
  on_fiber([&] {
    Guest guest({.memory_bytes = 5 * 65536});
    runtime::Instance& instance = guest.add(compile(m, at_level(0)));
    EXPECT_EQ(guest.store().memory_in_use(), 2 * 65536 + 16 * sizeof(void*));
    EXPECT_EQ(guest.call32(instance, "g", {1}), 1u);
    EXPECT_EQ(*guest.call(instance, "G", {1}), 1u);
    EXPECT_EQ(*guest.call(instance, "G", {1}), ~std::uint64_t{0}) << "the table has taken some of the fifth";
    EXPECT_EQ(guest.call32(instance, "t", {4096}), 16u) << "half of it";
    EXPECT_EQ(guest.call32(instance, "t", {4096}), 0xffffffffu);
    EXPECT_EQ(guest.call32(instance, "g", {1}), 0xffffffffu);
    EXPECT_EQ(guest.call32(instance, "s"), 2u);
    artifact::MemoryMeta memory;
    memory.min = 1;
    auto more = guest.store().add_memory(memory);
    ASSERT_FALSE(more) << "the host's memories count, too";
    EXPECT_EQ(more.error().code, base::ErrorCode::LimitExceeded);
  });
}

} // namespace
} // namespace cusp::test
