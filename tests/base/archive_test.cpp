// Metadata must survive the trip to disk bit for bit, and foreign bytes must give an error, never more.
#include "base/archive.h"

#include <gtest/gtest.h>

namespace cusp::base {
namespace {

enum class Colour : std::uint8_t { Red, Green };
using ItemIndex = Index<struct ItemTag>;

struct Leaf {
  std::uint32_t number = 0;
  std::string text;
  template <class A> void fields(A& a) { a(number, text); }
};
struct Empty {
  bool operator==(const Empty&) const = default;
};
struct Tree {
  Colour colour{};
  bool flag = false;
  ItemIndex index;
  std::optional<std::uint64_t> wide;
  std::vector<Leaf> leaves;
  std::vector<std::uint32_t> numbers;
  std::vector<bool> bits;
  std::variant<Empty, Leaf, std::uint16_t> either;
  template <class A> void fields(A& a) { a(colour, flag, index, wide, leaves, numbers, bits, either); }
};

Tree sample() {
  Tree tree;
  tree.colour = Colour::Green;
  tree.flag = true;
  tree.index = ItemIndex(7);
  tree.wide = ~std::uint64_t{0};
  tree.leaves = {{1, "one"}, {2, std::string("t\0o", 3)}};
  tree.numbers = {1, 2, 0xffffffff};
  tree.bits = {true, false, true};
  tree.either = Leaf{3, "three"};
  return tree;
}

TEST(Archive, RoundTrip) {
  Tree tree = sample();
  auto bytes = archive_write(tree);
  auto read = archive_read<Tree>(bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->colour, Colour::Green);
  EXPECT_TRUE(read->flag);
  EXPECT_EQ(read->index, ItemIndex(7));
  EXPECT_EQ(read->wide, ~std::uint64_t{0});
  ASSERT_EQ(read->leaves.size(), 2u);
  EXPECT_EQ(read->leaves[1].text, std::string("t\0o", 3));
  EXPECT_EQ(read->numbers, tree.numbers);
  EXPECT_EQ(read->bits, tree.bits);
  EXPECT_EQ(std::get<Leaf>(read->either).text, "three");
  EXPECT_EQ(archive_write(*read), bytes);
}

TEST(Archive, EveryTruncationIsAnError) {
  Tree tree = sample();
  auto bytes = archive_write(tree);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    auto read = archive_read<Tree>(std::span(bytes).first(size));
    ASSERT_FALSE(read.has_value()) << size;
    EXPECT_EQ(read.error().code, ErrorCode::Corrupt);
  }
  bytes.push_back(0);
  EXPECT_FALSE(archive_read<Tree>(bytes).has_value());
}

TEST(Archive, DamagedBytesNeverDoMoreThanFail) {
  Tree tree = sample();
  const auto bytes = archive_write(tree);
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (std::uint8_t value : {0x00, 0x7f, 0xff}) {
      auto damaged = bytes;
      damaged[at] = value;
      (void)archive_read<Tree>(damaged);
    }
}

Result<int> half_of(int number) {
  if (number % 2) return fail_at(ErrorCode::InvalidArgument, 12, "odd");
  return number / 2;
}
Result<int> quarter_of(int number) { return CUSP_TRY(half_of(CUSP_TRY(half_of(number)))); }

TEST(Result, TryPassesTheFirstErrorOn) {
  EXPECT_EQ(quarter_of(12).value(), 3);
  auto failed = quarter_of(6);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().to_string(), "odd (at offset 0xc)");
}

TEST(Result, ErrorsNameTheirPlace) {
  Error error{.code = ErrorCode::Malformed, .message = "bad magic", .file = "app.wasm", .byte_offset = 4};
  EXPECT_EQ(error.to_string(), "app.wasm: bad magic (at offset 0x4)");
  error.line = 7;
  EXPECT_EQ(error.to_string(), "app.wasm:7: bad magic (at offset 0x4)");
  EXPECT_EQ(with_context(error, "reading").error().message, "reading: bad magic");
  EXPECT_EQ(fail_errno("open", "x", ENOENT).error().code, ErrorCode::NotFound);
}

} // namespace
} // namespace cusp::base
