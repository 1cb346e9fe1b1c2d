#include <gtest/gtest.h>

#include "wit/printer.h"
#include "wit/resolver.h"

namespace cusp::wit {
namespace {

Graph parse(std::string text, const ResolveOptions& options = {}) {
  auto graph = parse_wit("x.wit", std::move(text), options);
  EXPECT_TRUE(graph) << graph.error().to_string();
  return graph ? std::move(*graph) : Graph{};
}

// Everything that the language has, as the printer writes it.
constexpr const char* kEverything = R"(/// About the package.
package a:b@1.2.0-rc.1+build.5;

/// Types.
@since(version = 1.0.0)
interface types {
  use c:d/others@0.2.0.{thing, r as other-r};

  /// A record.
  ///
  /// With a gap.
  record point {
    /// across
    x: s32,
    %type: option<f64>,
  }

  variant shape {
    none,
    dot(point),
    both(tuple<point, thing>),
  }

  enum color {
    red,
    green,
  }

  flags bits {
    a,
    b,
  }

  type alias = point;

  type owned = own<file>;

  type wide = result<list<u8, 16>, map<string, list<char>>>;

  @external-id("DB \"x\"")
  resource file {
    constructor(name: string) -> result<file, color>;
    @deprecated(version = 1.1.0)
    @since(version = 1.0.0)
    read: func(n: u64) -> stream<u8>;
    wait: async func() -> future;
    %list: static func(of: borrow<other-r>) -> list<file>;
  }

  f: func(a: bool, b: error-context) -> result;

  g: func() -> result<_, string>;
}

world w {
  import c:d/others@0.2.0;
  import types;
  import c:d/more@0.2.0;
  import log: func(line: string);
  import second: types;
  import inner: interface {
    use types.{point};

    h: func(p: point);
  }
  use types.{color as hue};
  record local {
    h: hue,
  }

  export run: async func() -> local;
  export types;
}

package c:d@0.2.0 {
  interface others {
    type thing = u8;

    resource r;
  }

  interface more {
    use others.{thing};
  }
}
)";

TEST(RoundTrip, PrintedTextIsParsedToTheSame) {
  std::string text = kEverything;
  // The order of gates is the printer's own.
  std::string wanted = text;
  std::size_t at = wanted.find("    @deprecated(version = 1.1.0)\n    @since(version = 1.0.0)\n");
  wanted.replace(at, 61, "    @since(version = 1.0.0)\n    @deprecated(version = 1.1.0)\n");
  std::string once = print_wit(parse(text));
  EXPECT_EQ(once, wanted);
  EXPECT_EQ(print_wit(parse(once)), once);
}

TEST(RoundTrip, WithoutDocsAndDependencies) {
  std::string text = print_wit(parse(kEverything), {.docs = false, .dependencies = false});
  EXPECT_EQ(text.find("///"), std::string::npos);
  EXPECT_EQ(text.find("package c:d"), std::string::npos);
}

TEST(Resolve, FeaturesOpenGates) {
  std::string text = "package a:b;\ninterface i {\n  @unstable(feature = extra)\n  f: func();\n  g: "
                     "func();\n}\n@unstable(feature = more)\ninterface j {}";
  EXPECT_EQ(parse(text).interfaces.size(), 1u);
  EXPECT_EQ(parse(text).interfaces[0].functions.size(), 1u);
  Graph some = parse(text, {{"extra"}, false});
  EXPECT_EQ(some.interfaces[0].functions.size(), 2u);
  EXPECT_EQ(parse(text, {{}, true}).interfaces.size(), 2u);
}

TEST(Resolve, UsesImplyImports) {
  Graph graph = parse("package a:b;\ninterface c { type t = u8; }\ninterface d { use c.{t}; }\nworld w { import d; "
                      "}\nworld x { export d; }\nworld y { export d; export c; }");
  auto names = [&](const std::vector<WorldItem>& items) {
    std::string all;
    for (const WorldItem& item : items) all += graph.extern_name(item) + " ";
    return all;
  };
  EXPECT_EQ(names(graph.worlds[0].imports), "a:b/c a:b/d ");
  EXPECT_EQ(names(graph.worlds[1].imports), "a:b/c ");
  EXPECT_EQ(names(graph.worlds[1].exports), "a:b/d ");
  EXPECT_EQ(names(graph.worlds[2].imports), "");
  EXPECT_EQ(names(graph.worlds[2].exports), "a:b/c a:b/d ");
}

TEST(Resolve, IncludesAreWorkedIn) {
  Graph graph = parse(
      "package a:b;\ninterface i {}\nworld v { record r { a: u8 } import f: func(x: r); import i; export g: func(); }\n"
      "world w { import i; include v with { f as renamed, g as h } }");
  std::string text = print_wit(graph);
  EXPECT_NE(text.find("world w {\n  import i;\n  import renamed: func(x: r);\n  record r {\n    a: u8,\n  }\n\n  "
                      "export h: func();\n}"),
            std::string::npos)
      << text;
}

TEST(Resolve, ColonsBindPathsWithoutBlanks) {
  Graph graph = parse("package a:b;\ninterface c {}\nworld w { import x: c; import a:b/c; import f:func(); }");
  EXPECT_EQ(graph.worlds[0].imports.size(), 3u);
  EXPECT_EQ(graph.extern_name(graph.worlds[0].imports[0]), "a:b/c");
  EXPECT_EQ(graph.worlds[0].imports[1].name, "x");
  EXPECT_EQ(graph.interface_name(*graph.worlds[0].imports[1].implements), "a:b/c");
}

TEST(Resolve, BlockDocumentationIsKept) {
  Graph graph =
      parse("package a:b;\n/** One.\n *\n *  Two.\n */\ninterface i { /** f */ f: func(); // not this\n g: func(); }");
  EXPECT_EQ(graph.interfaces[0].attributes.docs, "One.\n\n Two.");
  EXPECT_EQ(graph.interfaces[0].functions[0].attributes.docs, "f");
  EXPECT_EQ(graph.interfaces[0].functions[1].attributes.docs, "");
}

TEST(Resolve, WorldsAreSelectedByName) {
  Graph graph = parse("package a:b;\nworld one {}\nworld two {}\npackage c:d@1.2.3 { world three {} }");
  EXPECT_EQ(graph.world_name(*select_world(graph, "two")), "a:b/two");
  EXPECT_EQ(graph.world_name(*select_world(graph, "c:d/three@1.2.3")), "c:d/three@1.2.3");
  EXPECT_EQ(graph.world_name(*select_world(graph, "c:d/three")), "c:d/three@1.2.3");
  auto none = select_world(graph, "");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message,
            "package a:b has several worlds; say which world is meant; there are one, two, c:d/three@1.2.3");
}

} // namespace
} // namespace cusp::wit
