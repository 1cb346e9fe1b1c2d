// Typed lifting and lowering, every kind of type, through memory and flat; and what a hostile guest may put there.
#include <cmath>

#include "canon/guest_memory.h"

namespace cusp::canon {
namespace shapes {
struct Inner {
  std::uint8_t small = 0;
  std::uint64_t large = 0;
};
CUSP_RECORD(Inner, small, large)
struct Outer {
  bool on = false;
  Inner inner_;
  std::string name;
  std::optional<std::uint16_t> port;
};
CUSP_RECORD(Outer, on, inner_, name, port)
enum class Color : std::uint8_t { Red, DarkGreen, Blue };
CUSP_ENUM(Color, "red", "dark-green", "blue")
enum class Rights : std::uint8_t { Read = 1, Write = 2, Exec = 4 };
CUSP_FLAGS(Rights, "read", "write", "exec")
enum class Many : std::uint32_t { A = 1, Last = 1u << 16 };
CUSP_FLAGS(Many, "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b0", "b1", "b2", "b3", "b4", "b5", "b6")
struct Counted {
  explicit Counted(int& alive) : alive(alive) { ++alive; }
  ~Counted() { --alive; }
  int& alive;
};
struct Other {};
} // namespace shapes
namespace {
using namespace shapes;
using component::StringEncoding;

// Layouts as CanonicalABI.md computes them.
static_assert(Abi<Inner>::size == 16 && Abi<Inner>::alignment == 8 && Abi<Inner>::flat_count == 2);
static_assert(Abi<Outer>::size == 40 && Abi<Outer>::flat_count == 1 + 2 + 2 + 2);
static_assert(Abi<std::optional<std::uint8_t>>::size == 2 && Abi<std::optional<std::uint64_t>>::size == 16);
static_assert(Abi<std::expected<void, Color>>::size == 2 && Abi<std::expected<void, std::monostate>>::size == 1);
static_assert(Abi<std::variant<std::monostate, float, std::uint64_t>>::size == 16);
static_assert(Abi<std::variant<std::monostate, float, std::uint64_t>>::flat_count == 2);
static_assert(Abi<Many>::size == 4 && Abi<Rights>::size == 1);
static_assert(Abi<std::array<std::uint16_t, 8>>::size == 16 && Abi<std::array<std::uint16_t, 8>>::flat_count == 8);
static_assert(Abi<std::tuple<>>::size == 0);

template <class T> void expect_both_ways(const T& value, auto equal) {
  GuestMemory memory;
  Use cx(memory);
  cx.store<T>(64, T(value));
  EXPECT_TRUE(equal(cx.load<T>(64), value));
  abi::ValRaw flat[16];
  std::memset(flat, 0xee, sizeof flat);
  Abi<T>::lower_flat(cx, flat, T(value));
  EXPECT_TRUE(equal(Abi<T>::lift_flat(cx, flat), value));
  EXPECT_FALSE(cx.trapped()) << cx.trap_info().message;
}
template <class T> void expect_both_ways(const T& value) { expect_both_ways<T>(value, std::equal_to<T>()); }

TEST(Abi, NumbersGoBothWays) {
  expect_both_ways<bool>(true);
  expect_both_ways<std::uint8_t>(200);
  expect_both_ways<std::int8_t>(-100);
  expect_both_ways<std::uint16_t>(60000);
  expect_both_ways<std::int16_t>(-30000);
  expect_both_ways<std::uint32_t>(4'000'000'000);
  expect_both_ways<std::int32_t>(-2'000'000'000);
  expect_both_ways<std::uint64_t>(~std::uint64_t{0});
  expect_both_ways<std::int64_t>(-5);
  expect_both_ways<float>(1.5f);
  expect_both_ways<double>(-0.0);
  expect_both_ways<char32_t>(U'\U0001f600');
}

TEST(Abi, SmallIntegersIgnoreTheUpperBitsOfTheirSlot) {
  GuestMemory memory;
  Use cx(memory);
  abi::ValRaw slot;
  slot.i64 = 0xffffffff'ffffff85;
  EXPECT_EQ(Abi<std::uint8_t>::lift_flat(cx, &slot), 0x85);
  EXPECT_EQ(Abi<std::int8_t>::lift_flat(cx, &slot), -123);
  slot.i64 = 0xdeadbeef'00000000;
  EXPECT_FALSE(Abi<bool>::lift_flat(cx, &slot));
  slot.i64 = 2;
  EXPECT_TRUE(Abi<bool>::lift_flat(cx, &slot));
  Abi<std::int8_t>::lower_flat(cx, &slot, -1);
  EXPECT_EQ(slot.i64, 0xffffffffu); // sign-extended to i32, not beyond
}

TEST(Abi, NansAreMadeOne) {
  GuestMemory memory;
  Use cx(memory);
  memory.put_raw<std::uint32_t>(0, 0xffc12345);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(cx.load<float>(0)), 0x7fc00000u);
  memory.put_raw<std::uint64_t>(8, 0x7ff0000000000001);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(cx.load<double>(8)), 0x7ff8000000000000u);
}

TEST(Abi, CharsAreScalarValues) {
  for (std::uint32_t bad : {0xd800u, 0xdfffu, 0x110000u, 0xffffffffu}) {
    GuestMemory memory;
    Use cx(memory);
    memory.put_raw(0, bad);
    cx.load<char32_t>(0);
    EXPECT_TRUE(cx.trapped()) << bad;
  }
}

TEST(Abi, RecordsNest) {
  Outer value{true, {7, 1ull << 40}, "näme", 443};
  expect_both_ways<Outer>(value, [](const Outer& a, const Outer& b) {
    return a.on == b.on && a.inner_.small == b.inner_.small && a.inner_.large == b.inner_.large && a.name == b.name &&
           a.port == b.port;
  });
}

TEST(Abi, OptionsResultsVariants) {
  expect_both_ways<std::optional<std::uint64_t>>(std::nullopt);
  expect_both_ways<std::optional<std::uint64_t>>(9);
  expect_both_ways<std::expected<std::string, Color>>("fine");
  expect_both_ways<std::expected<std::string, Color>>(std::unexpected(Color::Blue));
  expect_both_ways<std::expected<void, std::string>>(std::unexpected("bad"));
  using V = std::variant<std::monostate, float, std::uint64_t, std::string>;
  expect_both_ways<V>(V());
  expect_both_ways<V>(V(2.5f));
  expect_both_ways<V>(V(~std::uint64_t{0}));
  expect_both_ways<V>(V(std::string("s")));
  expect_both_ways<std::tuple<std::uint8_t, std::string, bool>>({1, "two", true});
  expect_both_ways<std::array<std::uint16_t, 8>>({1, 2, 3, 4, 5, 6, 7, 8});
  expect_both_ways<Color>(Color::DarkGreen);
  expect_both_ways<Rights>(Rights::Read | Rights::Exec);
}

TEST(Abi, ThePayloadOfAJoinedSlotIsReadAtItsOwnWidth) {
  // variant { a(f32), b(u64) } flattens to i32 i64: a float sits in the low half of an i64.
  GuestMemory memory;
  Use cx(memory);
  abi::ValRaw flat[2];
  flat[0].i64 = 0;
  flat[1].i64 = 0xdeadbeef'00000000 | std::bit_cast<std::uint32_t>(1.25f);
  using V = std::variant<float, std::uint64_t>;
  EXPECT_EQ(std::get<0>(Abi<V>::lift_flat(cx, flat)), 1.25f);
  Abi<V>::lower_flat(cx, flat, V(std::in_place_index<0>, 1.25f));
  EXPECT_EQ(flat[1].i64, std::bit_cast<std::uint32_t>(1.25f)); // zero above
}

TEST(Abi, UnknownCasesTrap) {
  auto traps = []<class T>(std::type_identity<T>, std::uint32_t which) {
    GuestMemory memory;
    Use cx(memory);
    abi::ValRaw flat[4]{};
    flat[0].i32 = which;
    Abi<T>::lift_flat(cx, flat);
    EXPECT_TRUE(cx.trapped());
    EXPECT_EQ(cx.trap_info().message, "invalid variant discriminant");
  };
  traps(std::type_identity<Color>(), 3);
  traps(std::type_identity<std::optional<std::uint8_t>>(), 2);
  traps(std::type_identity<std::expected<void, std::uint8_t>>(), 0x100);
  traps(std::type_identity<std::variant<std::uint8_t, std::uint8_t>>(), ~0u);
}

TEST(Abi, FlagsBeyondTheLabelsAreDropped) {
  GuestMemory memory;
  Use cx(memory);
  memory.put_raw<std::uint8_t>(0, 0xff);
  EXPECT_EQ(static_cast<int>(cx.load<Rights>(0)), 7);
  memory.put_raw<std::uint32_t>(4, 0xffffffff);
  EXPECT_EQ(static_cast<std::uint32_t>(cx.load<Many>(4)), 0x1ffffu);
}

TEST(Abi, ListsOfEverything) {
  expect_both_ways<std::vector<std::uint32_t>>({1, 2, 3});
  expect_both_ways<std::vector<std::string>>({"a", "", "ccc"});
  expect_both_ways<std::vector<std::optional<std::uint64_t>>>({1, std::nullopt, 3});
  expect_both_ways<std::vector<std::pair<std::string, ByteList>>>({{"k", {1, 2}}, {"l", {}}});
  expect_both_ways<std::vector<std::vector<std::int16_t>>>({{-1}, {}, {2, 3}});
}

TEST(Abi, ViewsAreTheGuestsMemory) {
  GuestMemory memory;
  memory.put(100, "hello");
  memory.put_raw<std::uint32_t>(0, 100), memory.put_raw<std::uint32_t>(4, 5);
  Use cx(memory);
  EXPECT_EQ(cx.load<std::string_view>(0), "hello");
  EXPECT_EQ(cx.load<std::string_view>(0).data(), reinterpret_cast<char*>(memory.bytes.data()) + 100);
  EXPECT_EQ(cx.load<std::span<const std::uint8_t>>(0).data(), memory.bytes.data() + 100);
}

TEST(Abi, ListsOutOfBoundsTrap) {
  struct Case {
    std::uint32_t pointer, length;
    const char* text;
  };
  for (Case c : {Case{65536, 1, "list content out-of-bounds"}, Case{65532, 2, "list content out-of-bounds"},
                 Case{0, 0x40000000, "list content out-of-bounds"}, Case{~3u, 1, "list content out-of-bounds"},
                 Case{2, 1, "unaligned pointer"}, Case{65540, 0, "list content out-of-bounds"},
                 Case{4, ~0u, "list content out-of-bounds"}}) {
    GuestMemory memory;
    memory.put_raw(0, c.pointer), memory.put_raw(4, c.length);
    Use cx(memory);
    EXPECT_TRUE(cx.load<std::vector<std::uint32_t>>(0).empty());
    ASSERT_TRUE(cx.trapped()) << c.pointer << " " << c.length;
    EXPECT_TRUE(cx.trap_info().message.starts_with(c.text)) << cx.trap_info().message;
  }
  GuestMemory memory; // exactly up to the end, and nothing at the end
  memory.put_raw<std::uint32_t>(0, 65532), memory.put_raw<std::uint32_t>(4, 1);
  memory.put_raw<std::uint32_t>(8, 65536), memory.put_raw<std::uint32_t>(12, 0);
  Use cx(memory);
  EXPECT_EQ(cx.load<std::vector<std::uint32_t>>(0).size(), 1u);
  EXPECT_TRUE(cx.load<std::vector<std::uint32_t>>(8).empty());
  EXPECT_FALSE(cx.trapped());
}

TEST(Abi, ReallocIsCheckedAndMayNotLeave) {
  auto lower = [](GuestMemory& memory) {
    Use cx(memory);
    cx.store<std::vector<std::uint32_t>>(0, {1, 2, 3});
    return cx.trapped() ? cx.trap_info().message : std::string();
  };
  GuestMemory beyond, unaligned, failing, good, wrapping;
  beyond.forced = 65536;
  EXPECT_NE(lower(beyond).find("realloc return: beyond end of memory"), std::string::npos);
  wrapping.forced = ~3u;
  EXPECT_NE(lower(wrapping).find("list content out-of-bounds"), std::string::npos);
  unaligned.forced = 1026;
  EXPECT_NE(lower(unaligned).find("realloc return: result not aligned"), std::string::npos);
  failing.fails = true;
  EXPECT_FALSE(lower(failing).empty());
  EXPECT_EQ(lower(good), "");
  EXPECT_EQ(good.calls, 1u);
  EXPECT_FALSE(good.saw_may_leave);
  EXPECT_TRUE(good.state.may_leave);
  GuestMemory empty; // an empty list is allocated like any other
  Use cx(empty);
  cx.store<ByteList>(0, {});
  EXPECT_EQ(empty.calls, 1u);
}

TEST(Abi, BytesAreMadeInPlace) {
  GuestMemory memory;
  Use cx(memory);
  GuestBytes bytes = cx.new_bytes(10);
  ASSERT_EQ(bytes.length, 10u);
  std::memcpy(bytes.data().data(), "0123456789", 10);
  cx.shrink(bytes, 4);
  cx.store(0, bytes);
  EXPECT_EQ(cx.load<std::string>(0), "0123");
}

struct Encoded {
  StringEncoding encoding;
  std::string bytes;
  std::uint32_t units;
};
std::string wide(std::u16string_view text) { return {reinterpret_cast<const char*>(text.data()), text.size() * 2}; }
constexpr std::uint32_t kTag = 0x80000000;

TEST(Strings, AllEncodingsLift) {
  const std::pair<Encoded, std::string> kCases[] = {
      {{StringEncoding::Utf8, "zä€😀", 10}, "zä€😀"},
      {{StringEncoding::Utf16, wide(u"zä€😀"), 5}, "zä€😀"},
      {{StringEncoding::Latin1Utf16, "z\xe4\xff", 3}, "zäÿ"},
      {{StringEncoding::Latin1Utf16, wide(u"zä€😀"), 5 | kTag}, "zä€😀"},
      {{StringEncoding::Utf16, "", 0}, ""},
  };
  for (const auto& [in, text] : kCases) {
    GuestMemory memory(in.encoding);
    memory.put(200, in.bytes);
    memory.put_raw<std::uint32_t>(0, 200), memory.put_raw(4, in.units);
    Use cx(memory);
    EXPECT_EQ(cx.load<std::string>(0), text);
    EXPECT_FALSE(cx.trapped()) << cx.trap_info().message;
  }
}

TEST(Strings, AllEncodingsLower) {
  const std::pair<std::string, Encoded> kCases[] = {
      {"zä€😀", {StringEncoding::Utf8, "zä€😀", 10}},
      {"zä€😀", {StringEncoding::Utf16, wide(u"zä€😀"), 5}},
      {"zäÿ", {StringEncoding::Latin1Utf16, "z\xe4\xff", 3}},
      {"zāÿ", {StringEncoding::Latin1Utf16, wide(u"zāÿ"), 3 | kTag}},
      {"", {StringEncoding::Latin1Utf16, "", 0}},
  };
  for (const auto& [text, out] : kCases) {
    GuestMemory memory(out.encoding);
    Use cx(memory);
    cx.store<std::string>(0, std::string(text));
    ASSERT_FALSE(cx.trapped()) << cx.trap_info().message;
    EXPECT_EQ(load_raw<std::uint32_t>(memory.bytes.data() + 4), out.units);
    EXPECT_EQ(memory.get(load_raw<std::uint32_t>(memory.bytes.data()), out.bytes.size()), out.bytes);
    EXPECT_EQ(cx.load<std::string>(0), text);
  }
}

TEST(Strings, BrokenTextTraps) {
  const Encoded kCases[] = {
      {StringEncoding::Utf8, "\xc0\x80", 2},
      {StringEncoding::Utf8, "\xed\xa0\x80", 3},
      {StringEncoding::Utf8, "\xf4\x90\x80\x80", 4},
      {StringEncoding::Utf8, "abc\xe2\x82", 5},
      {StringEncoding::Utf8, "\x80", 1},
      {StringEncoding::Utf8, "\xff", 1},
      {StringEncoding::Utf8, "\xe0\x9f\xbf", 3},
      {StringEncoding::Utf8, "\xf0\x8f\xbf\xbf", 4},
      {StringEncoding::Utf16, wide(u"a\xd800"), 2},
      {StringEncoding::Utf16, wide(u"\xdc00z"), 2},
      {StringEncoding::Utf16, wide(u"\xd800z"), 2},
      {StringEncoding::Latin1Utf16, wide(u"\xd800"), 1 | kTag},
  };
  for (const Encoded& in : kCases) {
    GuestMemory memory(in.encoding);
    memory.put(200, in.bytes);
    memory.put_raw<std::uint32_t>(0, 200), memory.put_raw(4, in.units);
    Use cx(memory);
    EXPECT_EQ(cx.load<std::string>(0), "");
    EXPECT_TRUE(cx.trapped());
  }
}

TEST(Strings, BoundsAndAlignment) {
  struct Case {
    StringEncoding encoding;
    std::uint32_t pointer, units;
    const char* text;
  };
  for (Case c : {Case{StringEncoding::Utf8, 65530, 7, "string content out-of-bounds"},
                 Case{StringEncoding::Utf8, 0, ~0u, "string content out-of-bounds"},
                 Case{StringEncoding::Utf16, 201, 1, "unaligned pointer"},
                 Case{StringEncoding::Utf16, 65534, 2, "string content out-of-bounds"},
                 Case{StringEncoding::Utf16, 0, 0x80000001, "string content out-of-bounds"},
                 Case{StringEncoding::Latin1Utf16, 201, 1, "unaligned pointer"},
                 Case{StringEncoding::Latin1Utf16, 65532, 3 | kTag, "string content out-of-bounds"}}) {
    GuestMemory memory(c.encoding);
    memory.put_raw(0, c.pointer), memory.put_raw(4, c.units);
    Use cx(memory);
    cx.load<std::string_view>(0);
    ASSERT_TRUE(cx.trapped());
    EXPECT_TRUE(cx.trap_info().message.starts_with(c.text)) << cx.trap_info().message;
  }
}

TEST(Strings, AHostNeverSendsBrokenText) {
  GuestMemory memory;
  Use cx(memory);
  cx.store<std::string>(0, "\xff");
  EXPECT_TRUE(cx.trapped());
}

TEST(Handles, OwnAndBorrowFollowTheRules) {
  int alive = 0;
  GuestMemory memory;
  abi::ValRaw slot;
  {
    Use cx(memory);
    Abi<Own<Counted>>::lower_flat(cx, &slot, make_own<Counted>(alive));
    EXPECT_EQ(slot.i32, 1u); // 0 is never a handle
    EXPECT_EQ(alive, 1);
  }
  {
    Use cx(memory);
    EXPECT_EQ(&Abi<Borrow<Counted>>::lift_flat(cx, &slot)->alive, &alive);
    Abi<Own<Counted>>::lift_flat(cx, &slot); // lent: not to be had
    EXPECT_EQ(cx.trap_info().message, "cannot remove owned resource while borrowed");
  }
  {
    Use cx(memory);
    Abi<Borrow<Other>>::lift_flat(cx, &slot);
    EXPECT_EQ(cx.trap_info().message, "handle index 1 used with the wrong type, expected host-defined resource but "
                                      "found a different host-defined resource");
  }
  for (std::uint32_t unknown : {0u, 2u, ~0u}) {
    Use cx(memory);
    abi::ValRaw bad;
    bad.i64 = unknown;
    Abi<Borrow<Counted>>::lift_flat(cx, &bad);
    EXPECT_EQ(cx.trap_info().message, "unknown handle index " + std::to_string(unknown));
  }
  EXPECT_EQ(alive, 1);
  {
    Use cx(memory);
    Own<Counted> back = Abi<Own<Counted>>::lift_flat(cx, &slot);
    EXPECT_FALSE(cx.trapped());
    EXPECT_TRUE(back);
  }
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(memory.state.handles.alive, 0u);
}

TEST(Handles, ManyLendersAreAllReleased) {
  int alive = 0;
  GuestMemory memory;
  abi::ValRaw slots[20];
  {
    Use cx(memory);
    for (auto& slot : slots) Abi<Own<Counted>>::lower_flat(cx, &slot, make_own<Counted>(alive));
  }
  {
    Use cx(memory);
    for (auto& slot : slots)
      for (int twice = 0; twice < 2; ++twice) Abi<Borrow<Counted>>::lift_flat(cx, &slot);
    EXPECT_EQ(memory.state.handles.get(slots[19].i32)->lends, 2u);
  }
  for (auto& slot : slots) EXPECT_EQ(memory.state.handles.get(slot.i32)->lends, 0u);
  memory.state.handles.clear();
  EXPECT_EQ(alive, 0);
}

TEST(Handles, BorrowsForTheGuestBelongToATask) {
  int alive = 0;
  Counted object(alive);
  GuestMemory memory;
  Task task;
  Use cx(memory, &task);
  abi::ValRaw slot;
  Abi<Borrow<Counted>>::lower_flat(cx, &slot, Borrow<Counted>(&object));
  EXPECT_EQ(task.num_borrows, 1u);
  Abi<Own<Counted>>::lift_flat(cx, &slot);
  EXPECT_EQ(cx.trap_info().message, "cannot lift own resource from a borrow");
  memory.state.handles.clear();
  EXPECT_EQ(alive, 1); // a borrow owns nothing
}

TEST(ResourceTable, FreedIndicesComeBackLastInFirstOut) {
  ResourceTable table;
  HandleEntry entry;
  entry.kind = HandleKind::Resource;
  for (std::uint32_t i = 1; i <= 4; ++i) EXPECT_EQ(table.add(entry), i);
  table.remove(2), table.remove(4);
  EXPECT_EQ(table.get(2), nullptr);
  EXPECT_EQ(table.add(entry), 4u);
  EXPECT_EQ(table.add(entry), 2u);
  EXPECT_EQ(table.add(entry), 5u);
  table.set_max_length(5);
  EXPECT_EQ(table.add(entry), 0u);
  table.clear();
  EXPECT_EQ(table.get(1), nullptr);
  EXPECT_EQ(table.add(entry), 1u);
}

} // namespace
} // namespace cusp::canon
