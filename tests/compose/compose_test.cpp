#include <gmock/gmock.h>

#include "compose/link.h"
#include "compose/picture.h"
#include "compose/to_wit.h"
#include "small_module.h"
#include "wit/printer.h"

namespace cusp::compose {
namespace {

using test::part;
using test::wit_of;
using testing::ElementsAre;
using testing::HasSubstr;

Part made(const char* file, const std::string& text, std::string_view world = "w") {
  return part(file, test::component_for(wit_of(text), world));
}

template <class... Parts> base::Result<Composition> plugs(Parts&&... parts) {
  std::vector<Part> list;
  (list.push_back(std::forward<Parts>(parts)), ...);
  return plan_plugs(std::move(list));
}

struct Composed {
  std::vector<std::string> imports, exports;
};
// Links, validates, decodes.
Composed composed(const base::Result<Composition>& plan) {
  Composed result;
  EXPECT_TRUE(plan) << plan.error().to_string();
  if (!plan) return result;
  auto bytes = link_composition(*plan);
  EXPECT_TRUE(bytes) << bytes.error().to_string();
  if (!bytes) return result;
  EXPECT_TRUE(test::valid(*bytes));
  auto graph = component_to_wit(*bytes);
  EXPECT_TRUE(graph) << graph.error().to_string();
  if (!graph) return result;
  for (const wit::WorldItem& item : graph->worlds.front().imports) result.imports.push_back(graph->extern_name(item));
  for (const wit::WorldItem& item : graph->worlds.front().exports) result.exports.push_back(graph->extern_name(item));
  return result;
}

std::string error_of(const base::Result<Composition>& plan) {
  if (!plan) return plan.error().to_string();
  auto bytes = link_composition(*plan);
  return bytes ? "no error" : bytes.error().to_string();
}

const std::string kStore = "package acme:kv@1.0.0;\ninterface store { record entry { key: string, value: u64 } get: "
                           "func(key: string) -> option<entry>; }\n"
                           "interface clock { now: func() -> u64; }\n";

TEST(Compose, PlugsFillImports) {
  auto plan = plugs(made("front.wasm", kStore + "world w { import store; import clock; export run: func(); }"),
                    made("store.wasm", kStore + "world w { import clock; export store; }"));
  Composed whole = composed(plan);
  EXPECT_THAT(whole.imports, ElementsAre("acme:kv/clock@1.0.0"));
  EXPECT_THAT(whole.exports, ElementsAre("run"));
  EXPECT_EQ(draw_text(*plan),
            "front  (front.wasm)\n├─ run → outside\n├─ acme:kv/store@1.0.0 ← store\n└─ acme:kv/clock@1.0.0 ← outside\n"
            "store  (store.wasm)\n└─ acme:kv/clock@1.0.0 ← outside\n");
  EXPECT_THAT(draw_dot(*plan), HasSubstr("\"i:front\" -> \"i:store\" [label = \"acme:kv/store@1.0.0\"];"));
}

TEST(Compose, CompatibleVersionsFit) {
  std::string newer = "package acme:kv@1.2.0;\ninterface store { record entry { key: string, value: u64 } get: "
                      "func(key: string) -> option<entry>; put: func(e: entry); }\n";
  Composed whole = composed(plugs(made("front.wasm", kStore + "world w { import store; export run: func(); }"),
                                  made("store.wasm", newer + "world w { export store; }")));
  EXPECT_THAT(whole.imports, ElementsAre());
  std::string other = "package acme:kv@2.0.0;\ninterface store { get: func(); }\n";
  EXPECT_THAT(
      error_of(plugs(made("front.wasm", kStore + "world w { import store; export run: func(); }"),
                     made("store.wasm", other + "world w { export store; }"))),
      HasSubstr("acme:kv/store@2.0.0: front.wasm imports acme:kv/store@1.0.0, and the versions are not compatible"));
}

TEST(Compose, MismatchesAreShownSideBySide) {
  std::string other = "package acme:kv@1.0.0;\ninterface store { record entry { key: string, value: s64 } get: "
                      "func(key: string) -> option<entry>; }\n";
  EXPECT_EQ(error_of(plugs(made("front.wasm", kStore + "world w { import store; export run: func(); }"),
                           made("store.wasm", other + "world w { export store; }"))),
            "what store.wasm exports does not fit the import `acme:kv/store@1.0.0` of front.wasm\n"
            "  record `entry`, field `value`\n"
            "    expected u64\n"
            "    found    s64\n");
  std::string renamed = "package acme:kv@1.0.0;\ninterface store { record entry { key: string, count: u64 } get: "
                        "func(key: string) -> option<entry>; }\n";
  EXPECT_THAT(
      error_of(plugs(made("front.wasm", kStore + "world w { import store; export run: func(); }"),
                     made("store.wasm", renamed + "world w { export store; }"))),
      HasSubstr(
          "  record `entry`\n"
          "    expected record entry {\n               key: string,\n               value: u64,\n             }\n"
          "    found    record entry {\n               key: string,\n               count: u64,\n             }\n"));
  std::string less = "package acme:kv@1.0.0;\ninterface store { record entry { key: string, value: u64 } get: func(k: "
                     "string) -> option<entry>; }\n";
  EXPECT_THAT(error_of(plugs(made("front.wasm", kStore + "world w { import store; export run: func(); }"),
                             made("store.wasm", less + "world w { export store; }"))),
              HasSubstr("    expected get: func(key: string) -> option<entry>\n    found    get: func(k: string) -> "
                        "option<entry>\n"));
}

TEST(Compose, PlugsFormChains) {
  std::string wrapping = kStore + "world w { import store; export store; }";
  auto plan = plugs(made("front.wasm", kStore + "world w { import store; export run: func(); }"),
                    made("cache.wasm", wrapping), made("store.wasm", kStore + "world w { export store; }"));
  Composed whole = composed(plan);
  EXPECT_THAT(whole.imports, ElementsAre());
  EXPECT_EQ(plan->source(0, "acme:kv/store@1.0.0").instance, 1u);
  EXPECT_EQ(plan->source(1, "acme:kv/store@1.0.0").instance, 2u);
  EXPECT_THAT(error_of(plugs(made("front.wasm", kStore + "world w { import store; export run: func(); }"),
                             made("a.wasm", wrapping), made("b.wasm", wrapping))),
              HasSubstr("these instances need each other, and one must come first: a → b → a"));
}

const std::string kResources = "package acme:res@0.1.0;\ninterface types { resource handle { constructor(); id: func() "
                               "-> u32; } record pair { a: u8 } }\n"
                               "interface maker { use types.{handle, pair}; make: func(p: pair) -> handle; }\n";

TEST(Compose, OpenImportsAreSharedSoThatResourcesStayOne) {
  Composed whole =
      composed(plugs(made("front.wasm", kResources + "world w { import types; import maker; export run: func(); }"),
                     made("maker.wasm", kResources + "world w { import types; export maker; }")));
  EXPECT_THAT(whole.imports, ElementsAre("acme:res/types@0.1.0"));
}

TEST(Compose, ResourcesOfOnePlugReachAnother) {
  Composed whole =
      composed(plugs(made("front.wasm", kResources + "world w { import types; import maker; export run: func(); }"),
                     made("types.wasm", kResources + "world w { export types; }"),
                     made("maker.wasm", kResources + "world w { import types; export maker; }")));
  EXPECT_THAT(whole.imports, ElementsAre());
}

TEST(Compose, ResourcesOfTwoOriginsAreNotOne) {
  // The maker brings its own `types`: its handles are not those of types.wasm.
  EXPECT_THAT(
      error_of(plugs(made("front.wasm", kResources + "world w { import types; import maker; export run: func(); }"),
                     made("types.wasm", kResources + "world w { export types; }"),
                     made("maker.wasm", kResources + "world w { export types; export maker; }"))),
      HasSubstr("  resource `handle`\n    expected the one of `acme:res/types@0.1.0` of types.handle\n    found    the "
                "one of `acme:res/types@0.1.0` of maker.handle"));
}

TEST(Compose, ExportsBringTheInterfacesThatTheirTypesAreOf) {
  Composed whole = composed(plugs(made("front.wasm", kResources + "world w { import types; export maker; }"),
                                  made("types.wasm", kResources + "world w { export types; }")));
  EXPECT_THAT(whole.exports, ElementsAre("acme:res/types@0.1.0", "acme:res/maker@0.1.0"));
}

TEST(Compose, WorldTypesComeWithTheirInterface) {
  std::string front =
      kResources + "world w { use types.{handle}; import f: func(x: borrow<handle>); export run: func(x: handle); }";
  Composed open = composed(plugs(made("front.wasm", front)));
  EXPECT_THAT(open.imports, ElementsAre("acme:res/types@0.1.0", "f"));
  EXPECT_THAT(error_of(plugs(made("front.wasm", front), made("types.wasm", kResources + "world w { export types; }"))),
              HasSubstr("front.wasm gets `acme:res/types@0.1.0` from types.wasm, but imports what uses its type "
                        "`handle` from outside"));
}

TEST(Compose, OpenImportsThatContradictEachOtherAreExplained) {
  std::string other = "package acme:kv@1.0.0;\ninterface clock { now: func() -> s64; }\ninterface store { record entry "
                      "{ key: string, value: u64 } get: func(key: string) -> option<entry>; }\n";
  EXPECT_THAT(error_of(plugs(made("front.wasm", kStore + "world w { import store; import clock; export run: func(); }"),
                             made("store.wasm", other + "world w { import clock; export store; }"))),
              HasSubstr("store.wasm imports `acme:kv/clock@1.0.0` otherwise than front.wasm"));
}

// ---- files ----

base::Result<Composition> from_file(const std::string& text, std::map<std::string, Part> parts) {
  auto file = read_composition("app.toml", text);
  if (!file) return std::unexpected(file.error());
  std::vector<Part> list;
  for (const auto& [name, _] : file->components) list.push_back(std::move(parts.at(name)));
  return plan_file(*file, std::move(list));
}

std::map<std::string, Part> two_stores() {
  std::string front =
      "package acme:app;\nworld w { import hot: interface { get: func() -> u64; } import acme:kv/cold; export run: "
      "func(); }\npackage acme:kv { interface cold { get: func() -> u64; } interface store { get: func() -> u64; } }";
  std::string store = "package acme:kv;\ninterface store { get: func() -> u64; }\ninterface log { line: func(); "
                      "}\nworld w { import log; export store; }";
  std::map<std::string, Part> parts;
  parts.emplace("front", made("front.wasm", front));
  parts.emplace("store", made("store.wasm", store));
  return parts;
}

TEST(CompositionFile, TheSameComponentTwiceAndRenamedInstances) {
  auto plan = from_file(R"(
export = "front"
[components]
front = "front.wasm"
store = "store.wasm"
[instances.front.imports]
hot = { instance = "one", export = "acme:kv/store" }
"acme:kv/cold" = { instance = "two", export = "acme:kv/store" }
[instances.one]
component = "store"
[instances.two]
component = "store"
imports."acme:kv/log" = { import = "second-log" }
[exports]
"acme:kv/admin" = { instance = "one", export = "acme:kv/store" }
)",
                        two_stores());
  Composed whole = composed(plan);
  EXPECT_THAT(whole.imports, ElementsAre("acme:kv/log", "second-log"));
  EXPECT_THAT(whole.exports, ElementsAre("run", "acme:kv/admin"));
}

TEST(CompositionFile, MistakesHaveAPlace) {
  auto error = [&](const std::string& text) {
    auto plan = from_file(text, two_stores());
    return plan ? std::string("no error") : plan.error().to_string();
  };
  const std::string head = "export = \"front\"\n[components]\nfront = \"f\"\nstore = \"s\"\n";
  EXPECT_EQ(error("components = 1\n"), "app.toml:1:14: components is a table");
  EXPECT_THAT(error(head + "[instance.x]\n"), HasSubstr("app.toml:5:2: there is no key `instance` here"));
  EXPECT_THAT(error(head + "[instances.x]\ncomponent = \"nope\"\n"),
              HasSubstr("app.toml:5: instance `x` is of component `nope`"));
  EXPECT_THAT(error(head + "[instances.front]\nplug = [\"nope\"]\n"),
              HasSubstr("there is no instance `nope`; there are front, store"));
  EXPECT_THAT(error(head + "[instances.front]\nimports.cool = \"store\"\n"),
              HasSubstr("does not import `cool`; it imports acme:kv/cold, hot"));
  EXPECT_THAT(error(head + "[instances.front]\nimports.hot = \"store\"\n"),
              HasSubstr("instance `store` does not export `hot`; it exports acme:kv/store"));
  EXPECT_THAT(error(head + "[instances.front]\nplug = \"store\"\n"),
              HasSubstr("`store` exports nothing that `front` still needs"));
  EXPECT_THAT(error(head + "[instances.front]\nimports.hot = { instance = \"store\", import = \"x\" }\n"),
              HasSubstr("app.toml:6:15: say either `instance` or `import`"));
  EXPECT_THAT(error("[components]\nfront = \"f\"\nstore = \"s\"\n"), HasSubstr("nothing is exported"));
  EXPECT_THAT(error("[components\n"), HasSubstr("app.toml:1:"));
}

TEST(Compose, ACoreModuleIsNoPart) {
  auto result = make_part("m.wasm", test::SmallModule().bytes());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().to_string(),
            "m.wasm: this is not a component; `cusp componentize` makes one of a core module");
}

} // namespace
} // namespace cusp::compose
