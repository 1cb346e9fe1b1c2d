// Both backends of wasi:keyvalue keep the same promises; the one in a file also keeps them when it is opened again.
#include "wasi/keyvalue/store.h"

#include <thread>

#include "wasi/scratch.h"

namespace cusp::wasi {
namespace {

Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }

class Stores : public testing::TestWithParam<bool> {
protected:
  void SetUp() override { store = open(); }
  std::shared_ptr<KeyValueStore> open() {
    if (!GetParam()) return make_memory_store();
    auto opened = open_sqlite_store(scratch.path / "pairs.db");
    EXPECT_TRUE(opened) << opened.error().to_string();
    return *opened;
  }
  std::string get(std::string_view key) {
    auto value = store->get(key);
    if (!value) return "error: " + value.error().message;
    return *value ? std::string((*value)->begin(), (*value)->end()) : "(none)";
  }
  Scratch scratch;
  std::shared_ptr<KeyValueStore> store;
};
INSTANTIATE_TEST_SUITE_P(Backends, Stores, testing::Bool(),
                         [](const auto& info) { return info.param ? "Sqlite" : "Memory"; });

TEST_P(Stores, SetGetErase) {
  EXPECT_EQ(get("a"), "(none)");
  ASSERT_TRUE(store->set("a", bytes("one")));
  ASSERT_TRUE(store->set("a", bytes("two")));
  ASSERT_TRUE(store->set("empty", {}));
  ASSERT_TRUE(store->set(std::string_view("nul\0key", 7), bytes(std::string_view("\0\xff", 2))));
  EXPECT_EQ(get("a"), "two");
  EXPECT_EQ(get("empty"), "");
  EXPECT_EQ(get(std::string_view("nul\0key", 7)), std::string("\0\xff", 2));
  EXPECT_EQ(get("nul"), "(none)");
  ASSERT_TRUE(store->erase("a"));
  ASSERT_TRUE(store->erase("a"));
  EXPECT_EQ(get("a"), "(none)");
}

TEST_P(Stores, KeysComeInPages) {
  for (const char* key : {"c", "a", "d", "b"}) ASSERT_TRUE(store->set(key, bytes("x")));
  using Keys = std::vector<std::string>;
  EXPECT_EQ(*store->keys(std::nullopt, 0, 2), (Keys{"a", "b"}));
  EXPECT_EQ(*store->keys("b", 0, 10), (Keys{"c", "d"}));
  EXPECT_EQ(*store->keys("b", 1, 10), (Keys{"d"}));
  EXPECT_EQ(*store->keys(std::nullopt, 3, 10), (Keys{"d"}));
  EXPECT_EQ(*store->keys("d", 0, 10), Keys{});
  EXPECT_EQ(*store->keys(std::nullopt, ~std::uint64_t{0}, 10), Keys{});
}

TEST_P(Stores, IncrementKeepsDecimalText) {
  EXPECT_EQ(increment<std::uint64_t>(*store, "n", 5), 5u);
  EXPECT_EQ(increment<std::int64_t>(*store, "n", -7), -2);
  EXPECT_EQ(get("n"), "-2");
  auto unsigned_of_negative = increment<std::uint64_t>(*store, "n", 1);
  ASSERT_FALSE(unsigned_of_negative);
  EXPECT_NE(unsigned_of_negative.error().message.find("'n'"), std::string::npos);
  EXPECT_EQ(get("n"), "-2");
  ASSERT_TRUE(store->set("n", bytes("18446744073709551615")));
  EXPECT_FALSE(increment<std::uint64_t>(*store, "n", 1));
  EXPECT_EQ(get("n"), "18446744073709551615");
}

TEST_P(Stores, AFailedChangeChangesNothing) {
  ASSERT_TRUE(store->set("a", bytes("kept")));
  auto refused = store->update("a", [](const auto& current) -> StoreResult<Bytes> {
    EXPECT_EQ(current, bytes("kept"));
    return std::unexpected(StoreError{"no"});
  });
  EXPECT_EQ(refused.error().message, "no");
  EXPECT_EQ(get("a"), "kept");
  ASSERT_TRUE(store->set("a", bytes("free again"))); // no lock, no transaction is left behind
}

TEST_P(Stores, NothingIsLostBetweenThreads) {
  constexpr int kTimes = 200;
  auto count = [&] {
    for (int i = 0; i < kTimes; ++i) EXPECT_TRUE(increment<std::int64_t>(*store, "n", 1));
  };
  std::thread other(count);
  count();
  other.join();
  EXPECT_EQ(get("n"), std::to_string(2 * kTimes));
}

TEST(SqliteStore, OutlivesTheProcessAndIsShared) {
  Scratch scratch;
  const std::string file = scratch.path / "pairs.db";
  auto one = *open_sqlite_store(file);
  ASSERT_TRUE(one->set("a", bytes("kept")));
  auto other = *open_sqlite_store(file);
  EXPECT_EQ(*other->get("a"), bytes("kept"));
  ASSERT_TRUE(other->set("a", bytes("changed")));
  EXPECT_EQ(*one->get("a"), bytes("changed"));
  one = {};
  other = {};
  EXPECT_EQ(*(*open_sqlite_store(file))->get("a"), bytes("changed"));
}

TEST(SqliteStore, SaysWhichFileIsNone) {
  Scratch scratch;
  scratch.write("text", "this is not a database, and it is long enough to look like one would");
  for (const char* name : {"text", "no/such/folder.db"}) {
    auto opened = open_sqlite_store(scratch.path / name);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find(name), std::string::npos);
  }
}

} // namespace
} // namespace cusp::wasi
