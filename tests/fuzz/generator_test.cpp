#include "fuzz/gen/generator.h"

#include <set>

#include <gtest/gtest.h>

#include "wasm/reader.h"

namespace cusp::test {
namespace {

constexpr std::uint64_t kSeeds = 60;

TEST(Generator, MakesValidModules) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const auto bytes = fuzz::generate_module(seed);
    const auto module = wasm::read_module(bytes, wasm::Features());
    ASSERT_TRUE(module) << "seed " << seed << ": " << module.error().to_string();
    const auto valid = wasm::validate_bodies(*module);
    ASSERT_TRUE(valid) << "seed " << seed << ": " << valid.error().to_string();
  }
}

TEST(Generator, MakesTheSameOfTheSameSeedAndOtherModulesOfOthers) {
  EXPECT_EQ(fuzz::generate_module(7), fuzz::generate_module(7));
  std::set<std::vector<std::uint8_t>> different;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) different.insert(fuzz::generate_module(seed));
  EXPECT_EQ(different.size(), kSeeds);
}

TEST(Generator, UsesWhatItSaysThatItUses) {
  wasm::Features used = wasm::Features::none();
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const auto bytes = fuzz::generate_module(seed);
    const auto module = wasm::read_module(bytes, wasm::Features());
    ASSERT_TRUE(module);
    const auto features = wasm::used_features(*module);
    ASSERT_TRUE(features);
    used.merge(*features);
  }
  for (wasm::Feature feature : {wasm::Feature::Simd, wasm::Feature::SignExtension, wasm::Feature::SaturatingTruncation,
                                wasm::Feature::WideArithmetic, wasm::Feature::BulkMemory})
    EXPECT_TRUE(used.has(feature)) << wasm::feature_name(feature);
}

} // namespace
} // namespace cusp::test
