#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wit/resolver.h"

namespace cusp::wit {
namespace {

using testing::HasSubstr;

std::string error_of(std::string text) {
  auto graph = parse_wit("x.wit", std::move(text));
  return graph ? "no error" : graph.error().to_string();
}

TEST(Errors, ShowPlaceLineAndCaret) {
  EXPECT_EQ(error_of("package a:b;\n\ninterface i {\n  f: func(x: ordr);\n  record order { a: u8 }\n}\n"),
            "x.wit:4:14: interface `i` has no type `ordr`; did you mean `order`?\n"
            "  4 |   f: func(x: ordr);\n"
            "    |              ^^^^");
}

TEST(Errors, CountCharactersNotBytes) {
  EXPECT_EQ(error_of("package a:b;\n/* \xc3\xa4\xc3\xb6 */ interfac i {}\n"),
            "x.wit:2:10: expected `package`, `use`, `interface` or `world`, found `interfac`\n"
            "  2 | /* \xc3\xa4\xc3\xb6 */ interfac i {}\n"
            "    |          ^^^^^^^^");
}

TEST(Errors, PointAtTheEnd) {
  EXPECT_EQ(error_of("package a:b;\ninterface i {"),
            "x.wit:2:14: expected a type, a function, `use` or `}`, found the end of the file\n"
            "  2 | interface i {\n"
            "    |              ^");
}

struct Case {
  const char* body; // inside `interface i { … }` of package a:b@1.0.0
  const char* expected;
};
class InterfaceErrors : public testing::TestWithParam<Case> {};
TEST_P(InterfaceErrors, SayWhatToDo) {
  EXPECT_THAT(error_of(std::string("package a:b@1.0.0;\ninterface i {\n") + GetParam().body + "\n}\n"),
              HasSubstr(GetParam().expected));
}
INSTANTIATE_TEST_SUITE_P(
    All, InterfaceErrors,
    testing::Values(
        Case{"enum: func();", "write `%enum` to use it as a name"},
        Case{"f: func() -> float32;", "did you mean `f32`?"}, Case{"type t = t;", "type `t` contains itself"},
        Case{"record r { a: list<r> }", "contains itself"}, Case{"type a = u8; type A = u8;", "already has a `a`"},
        Case{"enum e {}", "has no cases"}, Case{"f: func(a: u8, a: u8);", "there already is a parameter `a`"},
        Case{"resource r; f: func() -> borrow<r>;", "a result cannot hold a borrowed handle"},
        Case{"resource r { constructor() -> u8; }", "a constructor gives `r` by itself"},
        Case{"resource r { a: func(); a: static func(); }", "already has a `a`"},
        Case{"type t = borrow<u8>;", "expected the name of a resource"},
        Case{"type t = map<f32, u8>;", "a map's key is"}, Case{"type t = list<u8, 0>;", "the length of the list"},
        Case{"f: func() -> (a: u8);", "return a tuple or a record"},
        Case{"f: static func();", "`static` belongs to functions of a resource"},
        Case{"@since(version = 2.0.0) type t = u8;", "version 2.0.0 is later than the package's own, 1.0.0"},
        Case{"@deprecated(version = 1.0.0) type t = u8;", "needs a `@since` or `@unstable` beside it"},
        Case{"@since(version = 1.0.0) @unstable(feature = x) type t = u8;", "exclude each other"},
        Case{"@unstable(feature = x) type t = u8; f: func() -> t;", "`t` is behind the feature `x`, which is off"},
        Case{"use j.{t};", "has no interface or world `j`"}, Case{"use c:d/e.{t};", "there is no package c:d"},
        Case{"use i.{t};", "depends on itself"}, Case{"type my_type = u8;", "`_` cannot stand in a name"},
        Case{"type t = string; /* open", "this comment is not closed"},
        Case{"f: func(a: u8 b: u8);", "expected `,` or `)`"},
        Case{"@external-id(\"a\\q\") f: func();", "this escape is unknown"}));

class WorldErrors : public testing::TestWithParam<Case> {};
TEST_P(WorldErrors, SayWhatToDo) {
  EXPECT_THAT(error_of(std::string("package a:b;\ninterface i { type t = u8; resource r; f: func(); }\nworld v { "
                                   "import x: func(); import i; }\nworld w {\n") +
                       GetParam().body + "\n}\n"),
              HasSubstr(GetParam().expected));
}
INSTANTIATE_TEST_SUITE_P(
    All, WorldErrors,
    testing::Values(Case{"import i; import i;", "`i` is already imported"},
                    Case{"import x: func(); include v;", "include v with { x as … }"},
                    Case{"include v with { i as j };", "has no plain name `i` to rename"},
                    Case{"include i;", "`i` is an interface, and a world is wanted"},
                    Case{"import v;", "`v` is a world, and an interface is wanted"},
                    Case{"import a:b;", "name an interface or world in it"},
                    Case{"import x: func(); import X: func();", "already has an"},
                    Case{"include w;", "world `w` depends on itself"},
                    Case{"use i.{nope};", "interface `i` has no type `nope`"}, Case{"use i.{f};", "`f` is a function"},
                    Case{"export e: interface { use i.{r}; } export j;", "has no interface or world `j`"}));

TEST(Errors, FilesOfOnePackageAgree) {
  Sources sources;
  std::uint32_t a = sources.add("a.wit", "package a:b;"), b = sources.add("b.wit", "package a:c;");
  auto graph = resolve_packages(sources, {{{a, b}}}, {});
  ASSERT_FALSE(graph);
  EXPECT_THAT(graph.error().to_string(),
              HasSubstr("b.wit:1:9: this file is of package a:c, and a.wit beside it of a:b"));
}

TEST(Errors, OtherVersionsAreNamed) {
  EXPECT_THAT(error_of("package a:b;\nworld w { import c:d/e@0.2.1; }\npackage c:d@0.2.0 { interface e {} }"),
              HasSubstr("there is c:d@0.2.0"));
}

TEST(Errors, WhatWouldMisleadAReaderIsRefused) {
  EXPECT_THAT(error_of("package a:b; // \xe2\x80\xae"), HasSubstr("the character U+202E must not stand in WIT"));
  EXPECT_THAT(error_of("package a:b; // \xff"), HasSubstr("this is not UTF-8"));
}

TEST(Errors, DeepTypesEnd) {
  std::string type = "u8";
  for (int i = 0; i < 200; ++i) type = "list<" + type + ">";
  EXPECT_THAT(error_of("package a:b; interface i { type t = " + type + "; }"), HasSubstr("nested too deeply"));
}

TEST(Errors, LongChainsEnd) {
  std::string text = "package a:b; interface i { ";
  for (int i = 100'000; i > 0; --i) text += "type t" + std::to_string(i) + " = t" + std::to_string(i - 1) + "; ";
  EXPECT_THAT(error_of(text + "type t0 = u8; }"), HasSubstr("the chain of types that contain each other is too long"));
}

TEST(Errors, AnExportCannotSeeOneInterfaceTwice) {
  EXPECT_THAT(error_of("package a:b;\ninterface t { resource r; }\ninterface m { use t.{r}; }\ninterface e { use "
                       "t.{r}; use m.{r as s}; }\n"
                       "world w { export t; export e; }"),
              HasSubstr("world `w` cannot export a:b/e"));
}

} // namespace
} // namespace cusp::wit
