#include "artifact/unwind_table.h"

#include <gtest/gtest.h>

namespace cusp::artifact {
namespace {

TEST(UnwindTable, AnEmptyTableKnowsNothing) {
  auto table = write_unwind_table({}, {});
  EXPECT_FALSE(lookup_frame(table, 0));
  EXPECT_FALSE(lookup_landing_pad(table, 0));
  EXPECT_FALSE(lookup_frame({}, 0));
}

TEST(UnwindTable, FindsTheFrameOfAFunction) {
  const FrameLayout none{}, all{{5, 4, 3, 2, 1}, 0}, gap{{0, 0, 15, 0, 0}, FrameLayout::kMaxGap};
  const FrameSite sites[] = {{16, none}, {32, all}, {48, none}, {48, gap}, {64, gap}, {80, none}};
  auto table = write_unwind_table(sites, {});
  EXPECT_FALSE(lookup_frame(table, 15));
  EXPECT_EQ(lookup_frame(table, 16), none);
  EXPECT_EQ(lookup_frame(table, 47), all);
  EXPECT_EQ(lookup_frame(table, 48), gap) << "the last word on an offset counts";
  EXPECT_EQ(lookup_frame(table, 79), gap);
  EXPECT_EQ(lookup_frame(table, ~0u), none);
}

TEST(UnwindTable, FindsThePadOfACallAndOfNoOther) {
  const LandingPad pads[] = {{10, 100, {}}, {20, 90, {StackPointer::kMaxWords, 5, 6}}, {21, 100, {3, 1, 0}}};
  auto table = write_unwind_table({}, pads);
  for (const LandingPad& pad : pads) EXPECT_EQ(lookup_landing_pad(table, pad.return_address), pad);
  for (std::uint32_t other : {0u, 9u, 11u, 19u, 22u, ~0u}) EXPECT_FALSE(lookup_landing_pad(table, other));
}

TEST(UnwindTable, TheStackPointerFollowsFromTheFrame) {
  EXPECT_EQ((StackPointer{3, 2, 0}.from(0x1050)), 0x1050u - 16 - 24);
  EXPECT_EQ((StackPointer{4, 1, 5}.from(0x1050)), 0x1040u - 32);
}

TEST(UnwindTable, DamagedBytesKnowNothing) {
  const FrameSite site[] = {{0, {}}};
  const LandingPad pad[] = {{10, 100, {}}};
  auto whole = write_unwind_table(site, pad);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(lookup_frame(cut, 0));
    EXPECT_FALSE(lookup_landing_pad(cut, 10));
  }
  whole[4] = 0xff; // more frames than there are
  EXPECT_FALSE(lookup_frame(whole, 0));
}

} // namespace
} // namespace cusp::artifact
