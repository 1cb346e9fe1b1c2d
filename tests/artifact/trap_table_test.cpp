#include "artifact/trap_table.h"

#include <gtest/gtest.h>

#include <random>

namespace cusp::artifact {
namespace {

std::vector<GuestFrame> lookup(std::span<const std::uint8_t> table, std::uint32_t offset) {
  std::vector<GuestFrame> frames(80);
  frames.resize(lookup_trap_site(table, offset, frames));
  return frames;
}

TEST(TrapTable, EmptyTableKnowsNothing) {
  auto table = write_trap_table({});
  EXPECT_TRUE(lookup(table, 0).empty());
  EXPECT_TRUE(lookup({}, 0).empty());
}

TEST(TrapTable, FindsTheRunAndItsInlinedFrames) {
  auto table =
      write_trap_table({{10, {{0, 5, 100}}}, {20, {{1, 9, 7}, {0, 5, 90}, {0, 2, 1}}}, {30, {}}, {40, {{0, 6, 3}}}});
  EXPECT_TRUE(lookup(table, 9).empty());
  EXPECT_EQ(lookup(table, 10).at(0), (GuestFrame{0, 5, 100}));
  EXPECT_EQ(lookup(table, 19).size(), 1u);
  auto inlined = lookup(table, 25);
  ASSERT_EQ(inlined.size(), 3u);
  EXPECT_EQ(inlined[0], (GuestFrame{1, 9, 7}));
  EXPECT_EQ(inlined[2], (GuestFrame{0, 2, 1}));
  EXPECT_TRUE(lookup(table, 35).empty());
  EXPECT_EQ(lookup(table, 1u << 30).at(0), (GuestFrame{0, 6, 3}));
  GuestFrame one[1];
  EXPECT_EQ(lookup_trap_site(table, 25, one), 1u);
  EXPECT_EQ(one[0], (GuestFrame{1, 9, 7})) << "the innermost frames are kept";
}

std::vector<TrapSite> random_sites(std::mt19937& random, std::size_t count) {
  std::vector<TrapSite> sites;
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    TrapSite site{at += 1 + random() % 300, {}};
    for (unsigned depth = random() % 4; depth != 0; --depth)
      site.frames.push_back({static_cast<std::uint32_t>(random() % 3), static_cast<std::uint32_t>(random() % 20000),
                             static_cast<std::uint32_t>(random())});
    if (i != 0 && !site.frames.empty() && random() % 2 == 0 && !sites.back().frames.empty())
      site.frames.back() = sites.back().frames.back();
    sites.push_back(site);
  }
  return sites;
}

TEST(TrapTable, ManyRandomSites) {
  std::mt19937 random(1);
  auto sites = random_sites(random, 5000);
  auto table = write_trap_table(sites);
  for (std::size_t i = 0; i < sites.size(); ++i) {
    std::uint32_t last = i + 1 < sites.size() ? sites[i + 1].text_offset - 1 : sites[i].text_offset;
    for (std::uint32_t at : {sites[i].text_offset, last}) {
      auto frames = lookup(table, at);
      ASSERT_EQ(frames.size(), sites[i].frames.size()) << i;
      for (std::size_t f = 0; f < frames.size(); ++f) ASSERT_TRUE(frames[f] == sites[i].frames[f]);
    }
  }
}

TEST(TrapTable, DamageNeverCrashes) {
  std::mt19937 random(2);
  auto sites = random_sites(random, 200);
  const auto table = write_trap_table(sites);
  for (std::size_t i = 0; i < table.size(); ++i) {
    auto damaged = table;
    damaged[i] ^= static_cast<std::uint8_t>(1 + random() % 255);
    for (std::uint32_t at = 0; at < 40000; at += 997) lookup(damaged, at);
    damaged.resize(i);
    EXPECT_TRUE(lookup(damaged, 5000).empty());
  }
}

} // namespace
} // namespace cusp::artifact
