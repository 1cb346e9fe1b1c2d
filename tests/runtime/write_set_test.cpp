// Write sets without guest code: the pages of plain mappings, written by the host.
#include <cstring>
#include <random>

#include <sys/mman.h>

#include "runtime/address_space.h"
#include "runtime/kit_slot.h"
#include "runtime/write_set.h"

namespace cusp::test {
namespace {

using runtime::WriteSet;

constexpr std::uint64_t kPage = abi::kHostPageSize;

// Two ranges with a hole between them: an image on a file with some pages written before seal(), and plain memory.
class Tracked {
public:
  explicit Tracked(WriteTracking tracking, std::uint64_t pages = 64) : pages_(pages), image_(pages / 2 * kPage) {
    for (std::size_t i = 0; i < image_.size(); ++i) image_[i] = static_cast<std::uint8_t>(i * 3 + i / kPage + 1);
    fd_ = base::UniqueFd(memfd_create("image", MFD_CLOEXEC));
    EXPECT_EQ(::write(fd_.get(), image_.data(), image_.size()), static_cast<ssize_t>(image_.size()));
    space_ = must(runtime::Reservation::create((2 * pages + 1) * kPage), "space");
    first_ = space_.base(), second_ = space_.base() + (pages + 1) * kPage;
    EXPECT_TRUE(runtime::open_pages(first_, pages * kPage) && runtime::open_pages(second_, pages * kPage));
    EXPECT_TRUE(runtime::map_file_pages(first_, image_.size(), fd_.get(), 0).has_value());
    first_[5] = 77, first_[image_.size() + 9] = 78, second_[7 * kPage] = 79;
    set_ = must(WriteSet::create(space_.base(), space_.size(), tracking), "set");
    const WriteSet::Range ranges[] = {{first_, pages * kPage, image_.data(), image_.size()}, {second_, pages * kPage}};
    clean_ = contents();
    auto sealed = set_->seal(ranges);
    EXPECT_TRUE(sealed.has_value()) << sealed.error().to_string();
  }
  std::vector<std::uint8_t> contents() const {
    std::vector<std::uint8_t> all(first_, first_ + pages_ * kPage);
    all.insert(all.end(), second_, second_ + pages_ * kPage);
    return all;
  }
  void expect_clean() const { EXPECT_TRUE(contents() == clean_); }
  void reset() { EXPECT_TRUE(set_->reset().has_value()); }
  void write(std::uint64_t page, std::uint8_t value) {
    (page < pages_ ? first_ + page * kPage : second_ + (page - pages_) * kPage)[page * 37 % kPage] = value;
  }
  WriteSet& set() { return *set_; }
  const std::uint8_t* first_byte() const { return first_; }

private:
  std::uint64_t pages_;
  std::vector<std::uint8_t> image_, clean_;
  base::UniqueFd fd_;
  runtime::Reservation space_;
  std::uint8_t *first_ = nullptr, *second_ = nullptr;
  std::unique_ptr<WriteSet> set_;
};

class WriteSets : public EveryTracking {};
INSTANTIATE_TEST_SUITE_P(Tracking, WriteSets, kEveryTracking, tracking_name);

TEST_P(WriteSets, PutBackWhatWasWritten) {
  Tracked tracked(GetParam());
  std::mt19937 random(7);
  for (int use = 0; use < 50; ++use) {
    for (unsigned n = random() % 40; n != 0; --n) tracked.write(random() % 128, static_cast<std::uint8_t>(random()));
    tracked.reset();
    tracked.expect_clean();
  }
}

TEST_P(WriteSets, DropForgetsAndIsExact) {
  Tracked tracked(GetParam());
  for (int use = 0; use < 3; ++use) {
    for (std::uint64_t page = 0; page < 128; page += 3) tracked.write(page, 200);
    ASSERT_TRUE(tracked.set().drop().has_value());
    tracked.expect_clean();
    if (GetParam() != WriteTracking::Scan) {
      EXPECT_EQ(tracked.set().learned_pages(), 0u);
    }
    tracked.write(3, 9), tracked.write(100, 9); // tracked again
    tracked.reset();
    tracked.expect_clean();
  }
}

TEST_P(WriteSets, ASetTooDearIsDropped) {
  Tracked tracked(GetParam());
  tracked.set().set_dear_pages(20);
  for (std::uint64_t page = 0; page < 60; ++page) tracked.write(page, 1);
  tracked.reset();
  tracked.expect_clean();
  if (GetParam() == WriteTracking::Scan) return;
  EXPECT_EQ(tracked.set().learned_pages(), 0u);
  // Who needs it all the time gets a higher limit: learning again and again is dearer than copying.
  for (int use = 0; use < 3; ++use) {
    for (std::uint64_t page = 0; page < 60; ++page) tracked.write(page, 1);
    tracked.reset();
    tracked.expect_clean();
  }
  EXPECT_GE(tracked.set().learned_pages(), 60u);
}

// The process may split only so many mappings: beyond, the set is scanned, and stays exact.
TEST(WriteSetBudget, BeyondItPagesAreScanned) {
  ASSERT_TRUE(runtime::initialize().has_value());
  const std::int64_t before = WriteSet::splits_left();
  {
    Tracked first(WriteTracking::Mprotect), second(WriteTracking::Mprotect);
    WriteSet::set_splits_left(5);
    for (std::uint64_t page = 0; page < 8; page += 2) first.write(page, 1);
    EXPECT_EQ(first.set().tracking(), WriteTracking::Mprotect);
    EXPECT_EQ(WriteSet::splits_left(), 1);
    for (int use = 0; use < 3; ++use) {
      for (std::uint64_t page = 0; page < 20; page += 2) second.write(page, 1);
      second.reset();
      second.expect_clean();
    }
    EXPECT_EQ(second.set().tracking(), WriteTracking::Scan);
    EXPECT_EQ(WriteSet::splits_left(), 1) << "what it had split is given back";
    first.reset();
    first.expect_clean();
    ASSERT_TRUE(first.set().drop().has_value());
    EXPECT_EQ(WriteSet::splits_left(), 5);
    first.write(1, 1);
  }
  EXPECT_EQ(WriteSet::splits_left(), 5) << "a set that goes gives its share back";
  WriteSet::set_splits_left(before);
}

// Neighbours are opened together the more a set is split, so that a large set stays a modest number of mappings.
TEST(WriteSetBudget, LargeSetsAreNotSplitPageByPage) {
  ASSERT_TRUE(runtime::initialize().has_value());
  constexpr std::uint64_t kPages = 4096;
  const std::int64_t before = WriteSet::splits_left();
  Tracked tracked(WriteTracking::Mprotect, kPages);
  for (std::uint64_t page = 0; page < 2 * kPages; page += 2) tracked.write(page, 1);
  EXPECT_LT(before - WriteSet::splits_left(), 600);
  tracked.reset();
  tracked.expect_clean();
}

// The kernel sees no fault that we could repair: host code gives it buffers of its own (DESIGN decision 9).
TEST_P(WriteSets, TheKernelIsRefusedProtectedPages) {
  Tracked tracked(GetParam());
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  auto* protected_byte = const_cast<std::uint8_t*>(tracked.first_byte());
  if (GetParam() == WriteTracking::Scan) {
    EXPECT_EQ(read(ends[0], protected_byte, 1), 1); // nothing is protected; the page tables know
    tracked.reset();
  } else {
    EXPECT_EQ(read(ends[0], protected_byte, 1), -1);
    EXPECT_EQ(errno, EFAULT);
  }
  close(ends[0]), close(ends[1]);
  tracked.expect_clean();
}

} // namespace
} // namespace cusp::test
