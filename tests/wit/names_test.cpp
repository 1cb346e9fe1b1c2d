#include "wit/names.h"

#include <gtest/gtest.h>

namespace cusp::wit {
namespace {

TEST(Names, VersionsAreOrderedAsSemverSays) {
  const char* ascending[] = {"0.9.9",      "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
                             "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
                             "1.0.0",      "1.0.1"};
  for (std::size_t i = 1; i < std::size(ascending); ++i)
    EXPECT_LT(*parse_version(ascending[i - 1]), *parse_version(ascending[i])) << ascending[i];
  EXPECT_EQ(parse_version("1.2.3-rc.1+b5")->to_string(), "1.2.3-rc.1+b5");
}

TEST(Names, MalformedVersionsAreNone) {
  for (const char* text :
       {"", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "1.2.x", "99999999999999999999.0.0"})
    EXPECT_FALSE(parse_version(text)) << text;
}

TEST(Names, CompatibleVersionsShareATrack) {
  EXPECT_TRUE(compatible_names("wasi:io/streams@0.2.0", "wasi:io/streams@0.2.12"));
  EXPECT_FALSE(compatible_names("wasi:io/streams@0.2.0", "wasi:io/streams@0.3.0"));
  EXPECT_TRUE(compatible_names("a:b/c@1.0.0", "a:b/c@1.9.0"));
  EXPECT_FALSE(compatible_names("a:b/c@0.0.1", "a:b/c@0.0.2"));
  EXPECT_FALSE(compatible_names("a:b/c@0.2.0-draft", "a:b/c@0.2.0"));
  EXPECT_FALSE(compatible_names("a:b/c", "a:b/c@1.0.0"));
  EXPECT_TRUE(compatible_names("plain", "plain"));
}

TEST(Names, InterfaceNames) {
  auto name = parse_interface_name("wasi:http/types@0.2.0");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->package.space, "wasi");
  EXPECT_EQ(name->name, "types");
  EXPECT_EQ(name->to_string(), "wasi:http/types@0.2.0");
  for (const char* text : {"types", "wasi:http", "wasi:http/types@", "wasi/http:types", "a:b/c@1", "A_:b/c"})
    EXPECT_FALSE(parse_interface_name(text)) << text;
}

TEST(Names, LabelsAreKebabCase) {
  for (const char* text : {"a", "a-b", "parse-XML-document", "a1-2-3", "A"}) EXPECT_FALSE(label_problem(text)) << text;
  for (const char* text : {"", "-a", "a-", "a--b", "1a", "aB", "a_b"}) EXPECT_TRUE(label_problem(text)) << text;
}

TEST(Names, SimilarNames) {
  EXPECT_EQ(similar_names("ordr", {"order", "claims"}), std::vector<std::string>{"order"});
  EXPECT_TRUE(similar_names("x", {"completely-different"}).empty());
}

} // namespace
} // namespace cusp::wit
