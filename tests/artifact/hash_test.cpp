#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "artifact/checksum.h"
#include "artifact/cpu.h"
#include "artifact/sha256.h"

namespace cusp::artifact {
namespace {

std::string hex_of(std::string_view text) {
  return to_hex(sha256({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
}

TEST(Sha256, StandardVectors) {
  EXPECT_EQ(hex_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex_of(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, BothWaysAgreeAtEveryLength) {
  std::vector<std::uint8_t> bytes;
  for (unsigned i = 0; i < 300; ++i) {
    ASSERT_EQ(sha256(bytes), detail::sha256_portable(bytes)) << i;
    bytes.push_back(static_cast<std::uint8_t>(i * 37 + 11));
  }
}

TEST(Checksum, EveryBitMatters) {
  std::vector<std::uint8_t> bytes(77, 3);
  std::uint64_t sum = checksum(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    ASSERT_NE(checksum(bytes), sum);
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
  }
  EXPECT_NE(checksum(bytes), checksum(bytes, 1));
  bytes.push_back(0);
  EXPECT_NE(checksum(bytes), sum) << "length counts";
}

TEST(Cpu, FeaturesAreSortedAndKnown) {
  auto features = host_cpu_features();
  EXPECT_TRUE(std::ranges::is_sorted(features));
  for (const auto& feature : features) EXPECT_TRUE(host_has_feature(feature));
  EXPECT_FALSE(host_has_feature("avx1024"));
#if defined(__x86_64__)
  EXPECT_EQ(host_has_feature("avx2"), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(host_has_feature("avx512f"), __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(host_has_feature("popcnt"), __builtin_cpu_supports("popcnt") != 0);
#endif
}

} // namespace
} // namespace cusp::artifact
