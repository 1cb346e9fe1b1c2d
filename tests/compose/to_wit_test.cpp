#include "compose/to_wit.h"

#include "compose/check_world.h"
#include "compose/world_encoder.h"
#include "small_module.h"
#include "wit/printer.h"

namespace cusp::compose {
namespace {

using test::wit_of;

constexpr const char* kPackage = R"(package a:b@1.0.0;

interface types {
  record point {
    x: s32,
    y: option<f64>,
  }

  variant shape {
    none,
    dot(point),
  }

  flags bits {
    a,
    b,
  }

  enum color {
    red,
    green,
  }

  type wide = result<list<u8, 16>, map<string, list<char>>>;

  type alias = point;

  resource file {
    constructor(name: string);
    read: async func(n: u64) -> stream<u8>;
    merge: static func(a: borrow<file>) -> result<file, color>;
  }

  wait: async func(s: shape) -> future;
}

interface more {
  use types.{file, point as position};

  type owned = own<file>;

  f: func(at: position, b: tuple<bool, error-context>) -> owned;
}

world w {
  import types;
  @external-id("the log")
  import log: func(line: string);
  import one: types;
  import two: types;
  import inner: interface {
    use types.{point};

    h: func(p: point);
  }
  use types.{color};

  export run: func(c: color) -> u8;
  export more;
}
)";

TEST(ToWit, PackagesSurviveTheBinaryForm) {
  std::string text = kPackage;
  auto bytes = encode_package(wit_of(text));
  ASSERT_TRUE(bytes) << bytes.error().to_string();
  EXPECT_TRUE(test::valid(*bytes));
  auto back = binary_to_wit(*bytes);
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(wit::print_wit(*back), text);
}

TEST(ToWit, EmptyTypesAndTooManyFlagsAreRefused) {
  auto bytes = encode_package(wit_of("package a:b; interface i { record r {} f: func(x: r); }"));
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().message, "`r` has no members, and components need one at least");
}

TEST(ToWit, AComponentSaysTheWorldItWasMadeFor) {
  wit::Graph graph =
      wit_of("package a:b@1.0.0;\ninterface types { resource r { m: func() -> string; } record p { x: u8 } }\n"
             "interface api { use types.{r, p}; variant v { one(p), two } f: func(x: borrow<r>, y: v) -> list<p>; }\n"
             "world w { import types; import log: func(s: string); export api; export run: func() -> u64; }");
  auto component = test::component_for(graph, "w");
  EXPECT_TRUE(test::valid(component));
  auto back = component_to_wit(component);
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_TRUE(check_world(*back, back->worlds.front(), graph, graph.worlds.front()).empty());
  std::string text = wit::print_wit(*back);
  EXPECT_NE(text.find("  import a:b/types@1.0.0;\n  import log: func(s: string);\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  use types.{r, p};"), std::string::npos) << text;
}

TEST(ToWit, NotEveryComponentIsWit) {
  // (component (import "m" (core module)))
  const std::vector<std::uint8_t> bytes{0,    'a', 's', 'm', 13, 0, 1, 0,   3, 3,    1,
                                        0x50, 0,   10,  7,   1,  0, 1, 'm', 0, 0x11, 0};
  auto graph = component_to_wit(bytes);
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().message, "`m` is a core module, which WIT cannot say");
}

TEST(ToWit, TypesThatDoubleEnd) {
  ScopeWriter root(ScopeKind::Component);
  std::uint32_t type = root.type(Bytes{0x7d});                                       // u8
  for (int i = 0; i < 40; ++i) type = root.type(Bytes{0x6f, 2}.u32(type).u32(type)); // a tuple of two of it
  root.import(std::string("f"),
              {component::ast::ExternKind::Func, root.type(Bytes{0x40, 1, 1, 'x'}.u32(type).u8(1).u8(0))});
  auto graph = component_to_wit(root.finish());
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().message, "a type without a name is too large to be written as WIT");
}

TEST(CheckWorld, SaysWhatIsMissing) {
  wit::Graph graph = wit_of(
      "package a:b;\ninterface i { f: func(x: u8); }\ninterface j {}\nworld narrow { export run: func(); }\n"
      "world wide { import i; import j; export run: func(); }\nworld other { import i; export run: func() -> u8; }");
  auto component = test::component_for(graph, "wide");
  auto decoded = component_to_wit(component);
  ASSERT_TRUE(decoded);
  auto check = [&](std::uint32_t world) {
    return to_text(check_world(*decoded, decoded->worlds.front(), graph, graph.worlds[world]));
  };
  EXPECT_EQ(check(1), "");
  EXPECT_EQ(check(0), "  import `a:b/i`: the world does not give it\n");
  EXPECT_EQ(check(2), "  export `run`: function `run`, result\n    expected u8\n    found    nothing\n");
}

TEST(CheckWorld, NamesThePlaceWhereTypesPart) {
  wit::Graph graph =
      wit_of("package a:b;\nworld w { export f: func(x: list<tuple<u8, option<string>>>) -> result<u8, u16>; }\n"
             "world other { export f: func(x: list<tuple<u8, option<char>>>) -> result<u8>; }\n"
             "world third { export f: func(x: list<tuple<u8, option<string>>>) -> result<u8>; }");
  auto decoded = component_to_wit(test::component_for(graph, "w"));
  ASSERT_TRUE(decoded);
  auto check = [&](std::uint32_t world) {
    return to_text(check_world(*decoded, decoded->worlds.front(), graph, graph.worlds[world]));
  };
  EXPECT_EQ(check(0), "");
  EXPECT_EQ(check(1), "  export `f`: function `f`, parameter `x`, element, element 1, some\n"
                      "    expected char\n    found    string\n");
  EXPECT_EQ(check(2), "  export `f`: function `f`, result, error\n    expected nothing\n    found    u16\n");
}

} // namespace
} // namespace cusp::compose
