#include "compose/componentize.h"

#include <gmock/gmock.h>

#include "compose/to_wit.h"
#include "compose/world_encoder.h"
#include "small_module.h"
#include "wasm/reader.h"
#include "wit/printer.h"

namespace cusp::compose {
namespace {

using test::kTrap;
using test::SmallModule;
using test::wit_of;
using testing::HasSubstr;
using wasm::ValType;

std::string world_of(std::span<const std::uint8_t> component) {
  auto graph = component_to_wit(component);
  return graph ? wit::print_wit(*graph, {.docs = false, .dependencies = false}) : graph.error().to_string();
}

base::Result<std::vector<std::uint8_t>> make(const std::vector<std::uint8_t>& module, const wit::Graph& graph,
                                             std::vector<AdapterInput> adapters = {}) {
  ComponentizeInput input;
  input.module = module;
  input.adapters = std::move(adapters);
  input.graph = &graph;
  input.world = wit::WorldId(0);
  return componentize(input);
}

// Worlds with what makes components hard; each becomes a component that validates and says that world again.
class Worlds : public testing::TestWithParam<const char*> {};
TEST_P(Worlds, BecomeValidComponents) {
  wit::Graph graph = wit_of(GetParam());
  auto component = test::component_for(graph, "w");
  EXPECT_TRUE(test::valid(component));
  auto back = component_to_wit(component);
  EXPECT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(component, test::component_for(graph, "w")) << "equal input gives equal bytes";
}
INSTANTIATE_TEST_SUITE_P(
    All, Worlds,
    testing::Values(
        "package a:b; world w {}",
        "package a:b; world w { import f: func(a: string) -> list<string>; export g: func(a: list<u64>) -> string; }",
        "package a:b; interface i { resource r { constructor(); m: func(); s: static func() -> r; } } world w { import "
        "i; export i; }",
        "package a:b; interface i { resource r; } interface j { use i.{r}; f: func(x: r) -> borrow-holder; record "
        "borrow-holder { x: r } } world w { export i; export j; }",
        "package a:b; interface i { record p { x: u8 } record q { p: p } } interface j { use i.{q}; f: func(x: q) -> "
        "q; } world w { export j; }",
        "package a:b; interface i { record p { x: u8 } record q { p: p } } interface j { use i.{q}; f: func(x: q) -> "
        "q; } world w { export i; export j; }",
        "package a:b; interface i { resource r; } interface j { use i.{r as s}; } interface k { use j.{s}; f: func(x: "
        "borrow<s>) -> s; } world w { import j; export k; }",
        "package a:b; interface t { enum e { x } } world w { use t.{e}; import f: func(x: e); export g: func() -> e; "
        "export n: interface { use t.{e}; h: func(x: e); } }",
        "package a:b; world w { resource r { constructor(x: u8); m: func() -> u8; } import f: func() -> r; }",
        "package a:b; interface i { type a = u8; type b = a; flags c { x } type d = c; variant v { one(d), two(b) } f: "
        "func(x: v) -> option<d>; } world w { import i; export i; }"));

TEST(Componentize, TypesThatDoubleAreLookedAtOnce) {
  std::string text = "package a:b; interface i { type t0 = string; ";
  for (int i = 1; i < 64; ++i)
    text +=
        "variant t" + std::to_string(i) + " { a(t" + std::to_string(i - 1) + "), b(t" + std::to_string(i - 1) + ") } ";
  wit::Graph graph = wit_of(text + "f: func(x: t63) -> t63; } world w { import i; export g: func(); }");
  EXPECT_EQ(core_signature(graph, graph.interfaces[0].functions[0], CoreSide::Import).type.params.size(),
            2u); // spilled, and a return area
  EXPECT_FALSE(test::component_for(graph, "w").empty());
}

TEST(Componentize, OnlyWhatIsUsedIsImported) {
  wit::Graph graph = wit_of("package a:b; interface i { f: func(); g: func(); type t = u8; } interface j { h: func(); "
                            "} world w { import i; import j; }");
  SmallModule module;
  module.import_func("a:b/i", "f", {});
  auto component = make(module.bytes(), graph);
  ASSERT_TRUE(component) << component.error().to_string();
  EXPECT_TRUE(test::valid(*component));
  auto back = component_to_wit(*component);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->worlds.front().imports.size(), 1u);
  ASSERT_EQ(back->interfaces.size(), 1u);
  EXPECT_EQ(back->interfaces[0].functions.size(), 1u);
  EXPECT_TRUE(back->interfaces[0].types.empty());
}

TEST(Componentize, TheModuleMaySayItsWorld) {
  wit::Graph graph = wit_of("package a:b; world w { export f: func() -> u32; }");
  SmallModule module;
  module.export_func("f", module.func({{}, {ValType::i32()}}, Bytes{0x41, 7}));
  std::vector<std::uint8_t> bytes = module.bytes();
  auto metadata = encode_world_metadata(graph, wit::WorldId(0));
  ASSERT_TRUE(metadata);
  Bytes section;
  section.name("component-type:w").append(*metadata);
  Bytes whole;
  bytes = whole.append(bytes).u8(0).sized(section.view()).take();
  ComponentizeInput input;
  input.module = bytes;
  auto component = componentize(input);
  ASSERT_TRUE(component) << component.error().to_string();
  EXPECT_TRUE(test::valid(*component));
  EXPECT_EQ(world_of(*component), "package root:component;\n\nworld root {\n  export f: func() -> u32;\n}\n");
}

struct Mistake {
  const char* import_module; // null: no import
  const char* import_name;
  wasm::FuncType import_type;
  const char* export_name;
  wasm::FuncType export_type;
  const char* expected;
};
TEST(Componentize, MistakesAreToldInWit) {
  wit::Graph graph = wit_of("package a:b@1.0.0; interface i { read: func(n: u64) -> string; } world w { import i; "
                            "export f: func(a: string); }");
  const wasm::FuncType f{{ValType::i32(), ValType::i32()}, {}};
  const Mistake mistakes[] = {
      {"a:b/i@1.0.0",
       "reed",
       {},
       "f",
       f,
       "the module imports `reed` from `a:b/i@1.0.0`: there is no such function; did you mean `read`?"},
      {"a:b/j", "read", {}, "f", f, "the world imports no such interface; it has a:b/i@1.0.0"},
      {"wasi_snapshot_preview1",
       "fd_write",
       {},
       "f",
       f,
       "this is WASI 0.1, which components reach through an adapter; give one with --adapt"},
      {"a:b/i@1.0.0",
       "read",
       {{ValType::i32()}, {}},
       "f",
       f,
       "expected (i64 i32) -> (), as `read: func(n: u64) -> string` needs\n    found    (i32) -> ()"},
      {nullptr, "", {}, "g", f, "the module does not export `f`, which the world needs for `f: func(a: string)`"},
      {nullptr, "", {}, "f", {}, "expected (i32 i32) -> (), as `f: func(a: string)` needs\n    found    () -> ()"},
      {nullptr, "", {}, "f", f, "the module does not export its `memory`, which `f` needs"},
  };
  for (const Mistake& mistake : mistakes) {
    SmallModule module;
    if (mistake.import_module) module.import_func(mistake.import_module, mistake.import_name, mistake.import_type);
    module.export_func(mistake.export_name, module.func(mistake.export_type, kTrap));
    auto component = make(module.bytes(), graph);
    ASSERT_FALSE(component) << mistake.expected;
    EXPECT_THAT(component.error().message, HasSubstr(mistake.expected));
  }
}

TEST(Componentize, WithoutAWorldThereIsAdvice) {
  ComponentizeInput input;
  std::vector<std::uint8_t> module = SmallModule().bytes();
  input.module = module;
  auto component = componentize(input);
  ASSERT_FALSE(component);
  EXPECT_THAT(component.error().message, HasSubstr("give one with --wit and --world"));
}

// An adapter that offers `get` of module `old` in terms of a:b/new, with a stack of its own and a function that nobody asks for.
std::vector<std::uint8_t> small_adapter(const wit::Graph& graph) {
  SmallModule adapter;
  adapter.import_memory("env", "memory");
  std::uint32_t read = adapter.import_func("a:b/new", "read", {{ValType::i32()}, {}});
  std::uint32_t extra = adapter.import_func("a:b/new", "extra", {});
  std::uint32_t stack = adapter.mutable_global("__stack_pointer");
  adapter.mutable_global("allocation_state");
  Bytes body;
  body.u8(0x23).u32(stack).u8(0x10).u32(read).u8(0x41).u8(1);
  adapter.export_func("get", adapter.func({{}, {ValType::i32()}}, body));
  adapter.export_func("unused", adapter.func({}, Bytes{0x10}.u32(extra)));
  adapter.export_func("cabi_import_realloc", adapter.func(test::realloc_type(), kTrap));
  auto metadata = encode_world_metadata(graph, *wit::select_world(graph, "adapter"));
  EXPECT_TRUE(metadata);
  Bytes section;
  section.name("component-type:adapter").append(*metadata);
  std::vector<std::uint8_t> bytes = adapter.bytes();
  Bytes whole;
  return whole.append(bytes).u8(0).sized(section.view()).take();
}

class Adapters : public testing::TestWithParam<bool> {};
TEST_P(Adapters, ServeAndAreCutDown) {
  bool has_realloc = GetParam();
  wit::Graph graph = wit_of(
      "package a:b; world w { export run: func() -> u32; }\ninterface new { read: func() -> string; extra: func(); }\n"
      "world adapter { import new; }");
  SmallModule module;
  std::uint32_t get = module.import_func("old", "get", {{}, {ValType::i32()}});
  module.export_func("run", module.func({{}, {ValType::i32()}}, Bytes{0x10}.u32(get)));
  if (has_realloc) module.export_func("cabi_realloc", module.func(test::realloc_type(), kTrap));
  module.export_memory();
  auto component = make(module.bytes(), graph, {{"old", small_adapter(graph)}});
  ASSERT_TRUE(component) << component.error().to_string();
  EXPECT_TRUE(test::valid(*component));
  auto back = component_to_wit(*component);
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->worlds.front().imports.size(), 1u);
  EXPECT_EQ(back->interfaces.at(0).functions.size(), 1u) << "`extra` is reached by nothing that is left";
}
INSTANTIATE_TEST_SUITE_P(Realloc, Adapters, testing::Bool());

TEST(Adapters, MustHaveWhatIsImportedFromThem) {
  wit::Graph graph = wit_of("package a:b; world w {}\ninterface new { read: func() -> string; extra: func(); }\nworld "
                            "adapter { import new; }");
  SmallModule module;
  module.import_func("old", "put", {});
  auto component = make(module.bytes(), graph, {{"old", small_adapter(graph)}});
  ASSERT_FALSE(component);
  EXPECT_EQ(component.error().message, "adapter old does not export `put`, which is imported from it");
}

TEST(Componentize, AsyncExportsNeedTheirCallback) {
  wit::Graph graph = wit_of("package a:b; world w { export f: async func() -> u32; }");
  SmallModule module;
  module.import_func("[export]$root", "[task-return]f", {{ValType::i32()}, {}});
  module.import_func("$root", "[waitable-set-new]", {{}, {ValType::i32()}});
  std::uint32_t f = module.func({{}, {ValType::i32()}}, kTrap);
  module.export_func("[async-lift]f", f);
  auto without = make(module.bytes(), graph);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().message, "the module exports `[async-lift]f` without its `[callback][async-lift]f`");
  module.export_func("[callback][async-lift]f",
                     module.func({std::vector<ValType>(3, ValType::i32()), {ValType::i32()}}, kTrap));
  auto component = make(module.bytes(), graph);
  ASSERT_TRUE(component) << component.error().to_string();
  EXPECT_THAT(world_of(*component), HasSubstr("export f: async func() -> u32;"));
}

} // namespace
} // namespace cusp::compose
