// Lines of guests on their way to the log.
#include "app/guest_log.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace cusp::test {
namespace {

// What a guest writes in these pieces comes out as these lines.
std::string logged(std::initializer_list<std::string> pieces, app::LogFormat format = app::LogFormat::None) {
  base::UniqueFd out(memfd_create("out", MFD_CLOEXEC));
  {
    observe::LogWriter writer(out.get(), out.get());
    observe::LogBuffer buffer(writer);
    app::LineSink sink(buffer, observe::LogStream::Out, format, 7);
    for (const std::string& piece : pieces)
      EXPECT_TRUE(sink.write(std::span(reinterpret_cast<const std::uint8_t*>(piece.data()), piece.size())).has_value());
  }
  std::string text(1 << 20, '\0');
  const ssize_t got = pread(out.get(), text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

TEST(GuestLog, LinesArePutTogether) {
  EXPECT_EQ(logged({"one\ntw", "o", "\n", "\nlast"}),
            "stdout [7] :: one\nstdout [7] :: two\nstdout [7] :: \nstdout [7] :: last\n");
  EXPECT_EQ(logged({}), "");
  EXPECT_EQ(logged({""}), "");
}

// However it comes, a line that never ends is no more than a few kilobytes of memory, and loses nothing.
TEST(GuestLog, LongLinesAreCutInParts) {
  const std::string piece(100'000, 'x');
  for (const std::string& text : {logged({piece}), logged({piece.substr(0, 50'000), piece.substr(50'000)})}) {
    std::size_t longest = 0, xs = 0;
    for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
      longest = std::max(longest, end - at);
    for (char c : text) xs += c == 'x';
    EXPECT_LE(longest, 9'000u);
    EXPECT_EQ(xs, piece.size());
  }
}

TEST(GuestLog, JsonLinesAreJsonWhateverTheBytes) {
  for (const std::string bytes :
       {"plain", "quote\" back\\slash \t\x01", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "\xff\xfe", "\xc3",
        "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xc0\xaf", "\xe2\x82", "a\x7f"}) {
    const std::string text = logged({bytes + "\n"}, app::LogFormat::Json);
    const auto line = nlohmann::json::parse(text, nullptr, false);
    ASSERT_TRUE(line.is_object()) << text;
    EXPECT_EQ(line["instance"], 7);
    EXPECT_EQ(line["stream"], "stdout");
    if (static_cast<unsigned char>(bytes[0]) < 0x80) {
      EXPECT_EQ(line["line"], bytes);
    }
  }
}

} // namespace
} // namespace cusp::test
