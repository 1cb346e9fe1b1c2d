// Features as switches: names, what takes what along, what an error says, what a module is found to use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lower/module_bytes.h"
#include "wasm/reader.h"

namespace cusp::test {
namespace {

using testing::HasSubstr;
using wasm::Feature;
using wasm::Features;

constexpr std::uint8_t kLocalGet = 0x20, kI32Load = 0x28, kDrop = 0x1a, kI32Const = 0x41;

base::Result<Features> used(const ModuleBytes& module, Features features = Features::validated()) {
  const Bytes bytes = module.bytes();
  auto read = wasm::read_module(bytes, features);
  if (!read) return std::unexpected(read.error());
  return wasm::used_features(*read);
}

TEST(Features, AreFoundByName) {
  EXPECT_EQ(wasm::feature_named("relaxed-simd"), Feature::RelaxedSimd);
  EXPECT_EQ(wasm::feature_named("custom-descriptors"), Feature::CustomDescriptors);
  EXPECT_FALSE(wasm::feature_named("adapter")) << "internal";
  EXPECT_FALSE(wasm::feature_named("mvp"));
  EXPECT_FALSE(wasm::feature_named("simd "));
}

TEST(Features, TurningOnTakesWhatIsNeededAndOffWhatNeedsIt) {
  Features features = Features::none();
  features.turn(Feature::Gc, true);
  EXPECT_TRUE(features.has(Feature::FunctionReferences));
  EXPECT_TRUE(features.has(Feature::ReferenceTypes));
  features.turn(Feature::ReferenceTypes, false);
  EXPECT_FALSE(features.has(Feature::Gc));
  EXPECT_FALSE(features.has(Feature::FunctionReferences));
  EXPECT_EQ(features, Features::none());
}

TEST(Features, SayHowTheyDifferFromTheDefault) {
  EXPECT_EQ(Features().changes(), "");
  EXPECT_EQ(Features().without(Feature::Threads).with(Feature::StackSwitching).changes(), "-threads,+stack-switching");
}

TEST(Features, BitsOfNoFeatureForInputAreRefused) {
  EXPECT_EQ(Features::from_bits(Features::validated().bits()), Features::validated());
  EXPECT_FALSE(Features::from_bits(Features::none().with(Feature::Adapter).bits()));
  EXPECT_FALSE(Features::from_bits(Features::none().with(Feature::StackSwitching).bits()));
  EXPECT_FALSE(Features::from_bits(std::uint64_t{1} << 63));
}

TEST(Features, WhatIsLackingIsNamedWithItsPlace) {
  struct Case {
    Feature feature;
    ModuleBytes module;
  };
  std::vector<Case> cases;
  cases.push_back({Feature::Memory64, {}}), cases.back().module.memory(4);
  cases.push_back({Feature::Threads, {}}), cases.back().module.memory(3);
  cases.push_back({Feature::CustomPageSizes, {}}), cases.back().module.memory(8);
  cases.push_back({Feature::MultiMemory, {}}), cases.back().module.memory(), cases.back().module.memory();
  cases.push_back({Feature::ReferenceTypes, {}}), cases.back().module.table(1), cases.back().module.table(1);
  cases.push_back({Feature::WideArithmetic, {}});
  cases.back().module.func(cases.back().module.type({kI64, kI64}, {kI64, kI64}),
                           {kLocalGet, 0, kLocalGet, 1, 0xfc, 0x15});
  cases.push_back({Feature::RelaxedSimd, {}});
  cases.back().module.func(cases.back().module.type({kV128, kV128}, {kV128}),
                           {kLocalGet, 0, kLocalGet, 1, 0xfd, 0x80, 2});
  cases.push_back({Feature::BulkMemory, {}}), cases.back().module.memory();
  cases.back().module.func(cases.back().module.type({kI32}, {}),
                           {kLocalGet, 0, kI32Const, 0, kLocalGet, 0, 0xfc, 0x0b, 0});
  for (const Case& c : cases) {
    const std::string name(wasm::feature_name(c.feature));
    auto without = used(c.module, Features::validated().without(c.feature));
    ASSERT_FALSE(without) << name;
    EXPECT_EQ(without.error().code, base::ErrorCode::Unsupported) << name;
    EXPECT_THAT(without.error().message, HasSubstr("the " + name + " feature"));
    EXPECT_TRUE(without.error().byte_offset) << name;
  }
}

TEST(Features, OfAModuleAreThoseThatItUses) {
  ModuleBytes m;
  m.memory(4);
  m.func(m.type({kI64}, {}), {kLocalGet, 0, kI32Load, 2, 0, kDrop});
  auto plain = used(m);
  ASSERT_TRUE(plain) << plain.error().to_string();
  EXPECT_EQ(plain->to_string(), "memory64");
  m.func(m.type({kI64, kI64}, {kI64, kI64}), {kLocalGet, 0, kLocalGet, 1, 0xfc, 0x15});
  auto both = used(m);
  ASSERT_TRUE(both) << both.error().to_string();
  EXPECT_TRUE(both->has(Feature::WideArithmetic)) << "inside a body";
}

} // namespace
} // namespace cusp::test
