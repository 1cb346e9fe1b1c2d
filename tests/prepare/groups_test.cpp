// Compiled groups: what has not changed is not compiled again, and what comes out is what would have come out anyway.
#include <algorithm>

#include "lower/code_bytes.h"
#include "prepare/prepare_fixture.h"

namespace cusp::test {
namespace {

using code::operator+;
using code::operator+=;

constexpr std::uint32_t kFunctions = 1200;

// Functions that differ from each other; `changed` is one that differs from itself.
Bytes large_module(std::uint32_t changed = ~0u, std::uint8_t data = 1, bool tail_calls = false) {
  ModuleBytes module;
  module.memory(1, 2);
  module.data(100, Bytes(5000, data));
  const std::uint32_t type = module.type({kI32}, {kI32});
  for (std::uint32_t i = 0; i < kFunctions; ++i) {
    Bytes body{0x20, 0};
    for (std::uint32_t k = 0; k < 60; ++k)
      body +=
          Bytes{0x41, static_cast<std::uint8_t>((i + k) % 64), static_cast<std::uint8_t>((i + k) % 3 ? 0x6a : 0x6c)};
    if (i == changed) body += Bytes{0x41, 9, 0x73};
    if (tail_calls && i == 0) body += Bytes{0x12, 1};
    module.func(type, body);
  }
  module.export_func("first", 0);
  return module.bytes();
}

// One core module calls a function of another, which adds `added`.
Bytes two_modules(std::uint8_t added) {
  ModuleBytes caller, callee;
  const std::uint32_t imported = caller.import_func(caller.type({kI32}, {kI32}));
  caller.export_func("g", caller.func(0, code::local_get(0) + code::call(imported)));
  callee.export_func(
      "f", callee.func(callee.type({kI32}, {kI32}), code::local_get(0) + code::i32_const(added) + code::i32_add()));
  Bytes component{0, 'a', 's', 'm', 0x0d, 0, 1, 0};
  for (const Bytes& module : {caller.bytes(), callee.bytes()}) component += Bytes{1} + leb(module.size()) + module;
  const Bytes instances{2, 0, 1, 0, 0, 0, 1, 1, 'm', 0x12, 0};
  component += Bytes{2} + leb(instances.size()) + instances;
  return component;
}

class Groups : public Prepare {
protected:
  void SetUp() override {
    Prepare::SetUp();
    options_.opt_level = 1;
    write(input(), large_module());
  }
  std::size_t kept() const {
    const fs::path folder = folder_ / "cache/cusp/default/groups";
    return fs::exists(folder) ? static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {})) : 0;
  }
  // Compiles the input as it is now, and gives how many groups were new.
  std::size_t new_groups(const char* what) {
    const std::size_t before = kept();
    expect_good(what);
    return kept() - before;
  }
};

TEST_F(Groups, AreCompiledOnce) {
  const std::size_t all = new_groups("cold");
  EXPECT_GE(all, 5u);
  for (const fs::path& artifact : stored()) fs::remove(artifact);
  EXPECT_EQ(new_groups("warm"), 0u);
  write(input(), large_module(~0u, 2));
  EXPECT_EQ(new_groups("other data"), 0u);
  write(input(), large_module(kFunctions / 2));
  EXPECT_LE(new_groups("one function changed"), 2u);
  write(input(), large_module(0));
  EXPECT_LE(new_groups("the first changed"), 2u);
  options_.bounds = artifact::BoundsMode::Explicit;
  write(input(), large_module());
  EXPECT_EQ(new_groups("another setting"), all);
}

TEST_F(Groups, AreForAnyModuleOfTheSameFunctions) {
  (void)new_groups("cold");
  Bytes named = large_module();
  named += Bytes{0, 5, 4, 'n', 'o', 't', 'e'}; // a custom section
  write(input(), named);
  EXPECT_EQ(new_groups("another custom section"), 0u);
}

TEST_F(Groups, DamageIsFoundAndCompiledAway) {
  (void)new_groups("cold");
  unsigned turn = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "cache/cusp/default/groups")) {
    Bytes bytes = read(entry.path());
    switch (turn++ % 4) {
    case 0: bytes[bytes.size() / 2] ^= 1; break;
    case 1: bytes.resize(bytes.size() / 2); break;
    case 2: bytes[3] ^= 1; break;
    default: bytes.clear();
    }
    write(entry.path(), bytes);
  }
  for (const fs::path& artifact : stored()) fs::remove(artifact);
  expect_good("damaged groups");
}

// The first attempt takes their absence for granted.
TEST_F(Groups, TailCallsChangeTheConventionOfAll) {
  write(input(), large_module(~0u, 1, true));
  expect_good("cold");
  for (const fs::path& artifact : stored()) fs::remove(artifact);
  EXPECT_EQ(new_groups("warm"), 0u);
}

// It may have been inlined.
TEST_F(Groups, AreNotKeptWhereTheyCallOtherModules) {
  options_.opt_level = 2;
  write(input(), two_modules(1));
  EXPECT_EQ(new_groups("cold"), 3u) << "the callee, and the trampolines of both";
  for (const fs::path& artifact : stored()) fs::remove(artifact);
  EXPECT_EQ(new_groups("warm"), 0u);
  write(input(), two_modules(2));
  EXPECT_EQ(new_groups("another callee"), 1u);
}

TEST_F(Groups, AreLeftAloneWithoutTheCacheAndAtLevelZero) {
  ASSERT_TRUE(prepare::compile_file(input().string(), without_store()).has_value());
  options_.opt_level = 0;
  expect_good("level 0");
  EXPECT_EQ(kept(), 0u);
}

} // namespace
} // namespace cusp::test
