#include "cli/terminal.h"

#include <gtest/gtest.h>

namespace cusp::cli {
namespace {

TEST(ParseSize, TakesBytesAndSuffixes) {
  EXPECT_EQ(parse_size("65536").value(), 65536u);
  EXPECT_EQ(parse_size("64k").value(), 65536u);
  EXPECT_EQ(parse_size("64KiB").value(), 65536u);
  EXPECT_EQ(parse_size("1.5M").value(), 1572864u);
  EXPECT_EQ(parse_size("2GB").value(), 2147483648u);
}

TEST(ParseSize, RefusesEverythingElse) {
  for (const char* text : {"", "k", "-1", "1x", "1 k", "lots", "1e30", "nan", "99999999999g"}) {
    auto size = parse_size(text);
    ASSERT_FALSE(size.has_value()) << text;
    EXPECT_NE(size.error().message.find("64MiB"), std::string::npos) << "says what would be right";
  }
}

TEST(ParseDuration, TakesUnits) {
  EXPECT_EQ(parse_duration("2").value(), 2'000'000'000u);
  EXPECT_EQ(parse_duration("500ms").value(), 500'000'000u);
  EXPECT_EQ(parse_duration("1.5s").value(), 1'500'000'000u);
  EXPECT_EQ(parse_duration("1m").value(), 60'000'000'000u);
  EXPECT_FALSE(parse_duration("soon").has_value());
}

} // namespace
} // namespace cusp::cli
