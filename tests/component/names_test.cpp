#include "component/names.h"

#include <gtest/gtest.h>

namespace cusp::component {
namespace {

TEST(Names, LabelsAreInKebabCase) {
  for (std::string_view good : {"a", "A", "a-b-c", "A-B", "is-XML", "a1-2-3", "a11-w0rds", "m1x3d-4CR0NYMS", "a-0"})
    EXPECT_TRUE(is_label(good)) << good;
  for (std::string_view bad : {"", "-", "a-", "-a", "a--b", "aB", "1-2", "0", "a_b", "a b", "é", "a-bC", "a.b"})
    EXPECT_FALSE(is_label(bad)) << bad;
}

TEST(Names, Semver) {
  for (std::string_view good : {"0.0.0", "1.2.3", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-0a", "1.0.0+01",
                                "0.0.0-abcd.1.2+efg.4.ee.5", "1.0.0--"})
    EXPECT_TRUE(is_semver(good)) << good;
  for (std::string_view bad :
       {"", "1", "1.2", "01.2.3", "1.2.3-", "1.2.3+", "1.2.3-01", "1.2.3-a..b", "1.2.3.4", "1.2.x", "a.2", "1.2.3-é"})
    EXPECT_FALSE(is_semver(bad)) << bad;
}

TEST(Names, KindsAndParts) {
  struct Row {
    std::string_view text;
    NameKind kind;
    std::string_view resource, member;
  };
  const Row rows[] = {{"a-b", NameKind::Label, "", "a-b"},
                      {"[constructor]a-b", NameKind::Constructor, "a-b", ""},
                      {"[method]a-0.b-1", NameKind::Method, "a-0", "b-1"},
                      {"[static]a.b", NameKind::Static, "a", "b"},
                      {"wasi:http/types@0.2.0", NameKind::Interface, "", ""},
                      {"unlocked-dep=<a:b@{>=1.0.0 <2.0.0}>", NameKind::Dependency, "", ""},
                      {"unlocked-dep=<a:b/c@*>", NameKind::Dependency, "", ""},
                      {"locked-dep=<a:b@1.2.3>,integrity=<sha256-aaaa>", NameKind::Dependency, "", ""},
                      {"url=<https://example.com>", NameKind::Url, "", ""},
                      {"integrity=<sha512-a+/=?opt>", NameKind::Hash, "", ""}};
  for (const Row& row : rows) {
    auto name = parse_extern_name(row.text, false);
    ASSERT_TRUE(name) << row.text << ": " << name.error().message;
    EXPECT_EQ(name->kind, row.kind) << row.text;
    EXPECT_EQ(name->resource, row.resource) << row.text;
    EXPECT_EQ(name->member, row.member) << row.text;
  }
  EXPECT_EQ(parse_extern_name("a:b/c@1.2.3", false)->version, "1.2.3");
}

TEST(Names, WhatIsNoName) {
  struct Row {
    std::string_view text, sentence;
  };
  const Row rows[] = {{"", "not in kebab case"},
                      {"a_b", "not in kebab case"},
                      {"[async]a", "not in kebab case"},
                      {"[method]a", "failed to find `.`"},
                      {"[method]a.b.c", "not in kebab case"},
                      {"[static].b", "not in kebab case"},
                      {"a:b", "expected `/` after package name"},
                      {"A:b/c", "not lowercase"},
                      {"a:b/c/d", "trailing characters found: `/d`"},
                      {"a:b:c/d", "expected `/`"},
                      {"url=<a<b>", "url cannot contain `<`"},
                      {"url=<a", "expected `>`"},
                      {"unlocked-dep=<a:b@{1.0.0}>", "expected `>=` or `<`"},
                      {"unlocked-dep=<a:b@{>=1.0.0 2.0.0}>", "upper bounds"},
                      {"locked-dep=<a:b@1>", "not a valid semver"},
                      {"integrity=<>", "cannot be empty"},
                      {"integrity=<md5-a>", "unrecognized hash algorithm"},
                      {"integrity=<sha256a>", "expected `-`"},
                      {"integrity=<sha256-a===>", "not valid base64"}};
  for (const Row& row : rows) {
    auto name = parse_extern_name(row.text, false);
    ASSERT_FALSE(name) << row.text;
    EXPECT_NE(name.error().message.find(row.sentence), std::string::npos) << row.text << ": " << name.error().message;
  }
}

TEST(Names, NestedPackagesAreAFeature) {
  EXPECT_FALSE(parse_extern_name("a:b:c/d/e", false));
  EXPECT_TRUE(parse_extern_name("a:b:c/d/e", true));
}

TEST(Names, Versions) {
  auto check = [](std::string_view text, std::optional<std::string_view> suffix) {
    return check_version(*parse_extern_name(text, false), suffix).has_value();
  };
  EXPECT_TRUE(check("a:b/c", {}));
  EXPECT_TRUE(check("a:b/c@1.2.3", {}));
  EXPECT_TRUE(check("a:b/c@1", {})); // canonical
  EXPECT_TRUE(check("a:b/c@0.2", {}));
  EXPECT_FALSE(check("a:b/c@", {}));
  EXPECT_FALSE(check("a:b/c@1.2", {}));
  EXPECT_FALSE(check("a:b/c@01", {}));
  EXPECT_TRUE(check("a:b/c@1", ".2.3"));
  EXPECT_TRUE(check("a:b/c@0.2", ".6-rc.1"));
  EXPECT_TRUE(check("a:b/c@0.0.1", "-alpha"));
  EXPECT_TRUE(check("a:b/c@0.0.0", ""));
  EXPECT_FALSE(check("a:b/c@1", ".2"));
  EXPECT_FALSE(check("a:b/c@1.2.3", "-rc")); // not canonical
  EXPECT_FALSE(check("a:b/c", ".2.3"));
}

TEST(Names, StrongUniqueness) {
  auto same = [](std::string_view a, std::string_view b) {
    return uniqueness_key(*parse_extern_name(a, false)) == uniqueness_key(*parse_extern_name(b, false));
  };
  EXPECT_TRUE(same("foo-bar", "foo-BAR"));
  EXPECT_TRUE(same("[method]foo.foo", "foo"));
  EXPECT_TRUE(same("[static]foo-BAR.FOO-bar", "foo-bar"));
  EXPECT_TRUE(same("[method]foo.bar", "[static]FOO.bar"));
  EXPECT_TRUE(same("foo:bar/baz", "foo:bar/BAZ"));
  EXPECT_TRUE(same("[constructor]foo", "[constructor]FOO"));
  EXPECT_FALSE(same("[constructor]foo", "foo"));
  EXPECT_FALSE(same("[method]foo.bar", "foo"));
  EXPECT_FALSE(same("a:b/c@1.0.0", "a:b/c@2.0.0"));
  EXPECT_FALSE(same("integrity=<sha256-AAAA>", "integrity=<sha256-aaaa>"));
}

} // namespace
} // namespace cusp::component
