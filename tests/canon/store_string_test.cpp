// Strings between guests: what arrives, and the sizes that the receiver's realloc is asked for on the way.
#include "canon/store_string.h"

#include "canon/guest_memory.h"
#include "canon/strings.h"

namespace cusp::canon {
namespace {

using component::StringEncoding;
constexpr std::uint32_t kTag = 0x80000000;

struct Case {
  const char* text;
  StringEncoding from;
  std::uint32_t units;
  StringEncoding to;
  std::uint32_t new_units;
  std::vector<std::uint32_t> sizes;
};

TEST(StoreString, AsksForTheReferencesSizes) {
  constexpr auto kUtf8 = StringEncoding::Utf8, kUtf16 = StringEncoding::Utf16, kLatin1 = StringEncoding::Latin1Utf16;
  const Case cases[] = {
      {"héé", kUtf8, 5, kUtf8, 5, {5}},
      {"abc", kUtf16, 3, kUtf8, 3, {3}},
      {"aé€", kUtf16, 3, kUtf8, 6, {3, 9, 6}},
      {"€€", kUtf16, 2, kUtf8, 6, {2, 6}}, // the worst case, exactly
      {"aé", kLatin1, 2, kUtf8, 3, {2, 4, 3}},
      {"abc", kUtf8, 3, kUtf16, 3, {6}},
      {"aé€", kUtf8, 6, kUtf16, 3, {12, 6}},
      {"aé", kLatin1, 2, kUtf16, 2, {4}},
      {"a€", kLatin1, 2 | kTag, kUtf16, 2, {4}},
      {"aé", kUtf8, 3, kLatin1, 2, {3, 2}},
      {"abc", kUtf8, 3, kLatin1, 3, {3}},
      {"a€", kUtf8, 4, kLatin1, 2 | kTag, {4, 8, 4}},
      {"a€", kUtf16, 2, kLatin1, 2 | kTag, {2, 4}},
      {"aé", kLatin1, 2, kLatin1, 2, {2}},
      {"a€", kLatin1, 2 | kTag, kLatin1, 2 | kTag, {4}},
      {"aé", kLatin1, 2 | kTag, kLatin1, 2, {4, 2}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.text << " from " << int(c.from) << " to " << int(c.to));
    GuestMemory memory(c.to);
    Use to(memory);
    std::uint32_t pointer = 0, units = 0;
    store_string(to, c.text, c.from, c.units, pointer, units);
    ASSERT_FALSE(to.trapped()) << to.trap_info().message;
    EXPECT_EQ(units, c.new_units);
    EXPECT_EQ(memory.sizes, c.sizes);
    EXPECT_EQ(to.lift_string(pointer, units), c.text);
  }
}

TEST(StoreString, ChecksWhatEveryCallOfReallocGives) {
  GuestMemory memory(StringEncoding::Latin1Utf16);
  memory.forced = 1025;
  Use to(memory);
  std::uint32_t pointer = 0, units = 0;
  store_string(to, "a€", StringEncoding::Utf16, 2, pointer, units);
  ASSERT_TRUE(to.trapped());
  EXPECT_NE(to.trap_info().message.find("unaligned pointer"), std::string::npos);
}

} // namespace
} // namespace cusp::canon
