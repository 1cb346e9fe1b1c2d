// Memory types, atomic operators and branch hints as the reader and the validator take them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lower/module_bytes.h"
#include "wasm/branch_hints.h"
#include "wasm/reader.h"

namespace cusp::test {
namespace {

using testing::HasSubstr;

constexpr std::uint8_t kBlock = 0x02, kEnd = 0x0b, kBrIf = 0x0d, kLocalGet = 0x20, kVoid = 0x40, kAtomic = 0xfe;

// A module of one memory whose type is these bytes.
Bytes with_memory(const Bytes& type) {
  Bytes module{0, 'a', 's', 'm', 1, 0, 0, 0, 5};
  append(module, leb(type.size() + 1));
  module.push_back(1);
  append(module, type);
  return module;
}

std::string problem(const Bytes& bytes) {
  auto module = wasm::read_module(bytes, wasm::Features::validated());
  if (!module) return module.error().message;
  auto bodies = wasm::validate_bodies(*module);
  return bodies ? "" : bodies.error().message;
}

Bytes limits(std::uint8_t flags, std::uint64_t min, std::uint64_t max) {
  Bytes type{flags};
  append(type, leb(min));
  if ((flags & 1) != 0) append(type, leb(max));
  return type;
}

TEST(MemoryTypes, HaveTheLimitsOfTheirKind) {
  EXPECT_EQ(problem(with_memory(limits(0, 65536, 0))), "");
  EXPECT_THAT(problem(with_memory(limits(0, 65537, 0))), HasSubstr("memory size"));
  EXPECT_EQ(problem(with_memory(limits(5, 0, std::uint64_t{1} << 48))), "");
  EXPECT_THAT(problem(with_memory(limits(5, 0, (std::uint64_t{1} << 48) + 1))), HasSubstr("memory size"));
  EXPECT_THAT(problem(with_memory(limits(2, 1, 0))), HasSubstr("shared memory must have maximum"));
  EXPECT_THAT(problem(with_memory(limits(3, 2, 1))), HasSubstr("minimum must not be greater"));
  EXPECT_THAT(problem(with_memory(limits(16, 0, 0))), HasSubstr("malformed"));
}

TEST(MemoryTypes, PagesHaveOneByteOr64KiB) {
  auto paged = [](std::uint64_t min, std::uint8_t log2) {
    Bytes type = limits(8, min, 0);
    type.push_back(log2);
    return with_memory(type);
  };
  EXPECT_EQ(problem(paged(0xffffffff, 0)), "");
  EXPECT_EQ(problem(paged(65536, 16)), "");
  EXPECT_THAT(problem(paged(1, 12)), HasSubstr("custom page size"));
  EXPECT_THAT(problem(paged(65537, 16)), HasSubstr("memory size"));
}

TEST(Atomics, WantTheirNaturalAlignmentAndAMemory) {
  auto access = [](std::uint8_t align, bool has_memory) {
    ModuleBytes m;
    if (has_memory) m.memory();
    m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kAtomic, 0x10, align, 0});
    return m.bytes();
  };
  EXPECT_EQ(problem(access(2, true)), "") << "a memory that is not shared will do";
  EXPECT_THAT(problem(access(1, true)), HasSubstr("alignment"));
  EXPECT_THAT(problem(access(3, true)), HasSubstr("alignment"));
  EXPECT_THAT(problem(access(2, false)), HasSubstr("unknown memory"));
}

struct Hinted {
  explicit Hinted(const Bytes& section) {
    ModuleBytes m;
    m.func(m.type({kI32}, {}), {kBlock, kVoid, kLocalGet, 0, kBrIf, 0, kEnd}); // the br_if is at 5
    m.custom("metadata.code.branch_hint", section);
    bytes = m.bytes();
    module = *wasm::read_module(bytes, wasm::Features());
  }
  Bytes bytes;
  wasm::Module module;
};

TEST(BranchHints, AreReadInOrder) {
  Hinted hinted({1, 0, 1, 5, 1, 1});
  auto hints = wasm::read_branch_hints(hinted.module);
  ASSERT_EQ(hints.size(), 1u);
  EXPECT_EQ(hints[0].func, 0u);
  EXPECT_EQ(hints[0].offset, 5u);
  EXPECT_TRUE(hints[0].taken);
  EXPECT_TRUE(wasm::check_branch_hints(hinted.module));
}

TEST(BranchHints, NonsenseIsNoHintAndNoError) {
  for (const Bytes& section : {Bytes{1, 7, 1, 5, 1, 1}, Bytes{1, 0, 1, 5, 2, 1}, Bytes{1, 0, 1, 5, 1, 2}, Bytes{9, 0},
                               Bytes{0xff, 0xff, 0xff, 0xff, 0x7f}}) {
    Hinted hinted(section);
    EXPECT_TRUE(wasm::read_branch_hints(hinted.module).empty());
    EXPECT_FALSE(wasm::check_branch_hints(hinted.module));
    EXPECT_TRUE(wasm::validate_bodies(hinted.module));
  }
}

TEST(BranchHints, CheckedOnesNameABranch) {
  auto checked = wasm::check_branch_hints(Hinted({1, 0, 1, 3, 1, 1}).module); // local.get
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, base::ErrorCode::Invalid);
  EXPECT_FALSE(wasm::check_branch_hints(Hinted({1, 0, 1, 4, 1, 1}).module)) << "between operators";
}

} // namespace
} // namespace cusp::test
