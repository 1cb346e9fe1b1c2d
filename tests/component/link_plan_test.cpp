// What flattening leaves of nested, aliased and instantiated components.
#include "component/link_plan.h"

#include <gtest/gtest.h>

#include "component/builder.h"
#include "component/component.h"

namespace cusp::component {
namespace {

using namespace test;

LinkPlan plan_of(const Bytes& bytes, const Features& features = {}) {
  auto linked = link_component(bytes, features);
  EXPECT_TRUE(linked) << linked.error().to_string();
  return linked ? std::move(linked->plan) : LinkPlan{};
}

template <class T> const T& kind(const LinkPlan& plan, std::size_t trampoline) {
  return std::get<T>(plan.trampolines.at(trampoline).kind);
}

TEST(LinkPlan, HostFunctionLoweredGivenAndLifted) {
  LinkPlan plan = plan_of(
      component({types({func({{"x", kU32}}, kU32),
                        instance_type({type_decl(func({{"x", kU32}}, kU32)), export_decl("f", func_desc(0))})}),
                 imports({import("a:b/c@1.0.0", instance_desc(1))}), aliases({alias_export(kFunc, 0, "f")}),
                 canons({lower(0, {})}), module({0, 'a', 's', 'm', 1,   0, 0,   0, 1, 6, 1, 0x60, 1, kI32, 1, kI32,
                                                 2, 7,   1,   1,   'h', 1, 'f', 0, 0, 7, 5, 1,    1, 'g',  0, 0}),
                 core_instances({bundle({core_item("f", 0, 0)}), instantiate(0, {core_with("h", 0)})}),
                 aliases({core_alias(0, 1, "g")}), canons({lift(1, {}, 0)}), exports({export_of("run", kFunc, 1)})}));
  ASSERT_EQ(plan.host_imports.size(), 1u);
  EXPECT_EQ(plan.host_imports[0].interface, "a:b/c@1.0.0");
  EXPECT_EQ(plan.host_imports[0].name, "f");
  EXPECT_EQ(std::get<HostImportIndex>(kind<Lower>(plan, 0).callee), HostImportIndex(0));
  ASSERT_EQ(plan.steps.size(), 1u);
  const auto& step = std::get<InstantiateCore>(plan.steps[0]);
  EXPECT_EQ(std::get<TrampolineIndex>(step.arguments.at(0)), TrampolineIndex(0));
  ASSERT_EQ(plan.lifts.size(), 1u);
  const auto& core = std::get<CoreItem>(plan.lifts[0].core);
  EXPECT_EQ(core.instance, CoreInstanceIndex(0));
  EXPECT_EQ(core.index, 0u);
  ASSERT_EQ(plan.exports.size(), 1u);
  EXPECT_EQ(plan.exports[0].name, "run");
  EXPECT_EQ(plan.types.funcs.size(), 1u); // both are one type
}

// Two instances of one component: two core instances, two resources, handle tables of their own below the root.
TEST(LinkPlan, EveryInstantiationIsItsOwn) {
  Bytes inner = component({types({resource()}), module(core_module({})), core_instances({instantiate(0, {})}),
                           canons({{0x02, 0x00}}), exports({export_of("r", kType, 0)})});
  LinkPlan plan = plan_of(component({nested(inner), instances({instantiate(0, {}), instantiate(0, {})}),
                                     exports({export_of("a", kInstance, 0), export_of("b", kInstance, 1)})}));
  EXPECT_EQ(plan.component_instances, 3u);
  EXPECT_EQ(plan.component_parents, (std::vector<std::uint32_t>{0, 0, 0}));
  EXPECT_EQ(plan.core_instances, (std::vector<std::uint32_t>{0, 0}));
  ASSERT_EQ(plan.resources.size(), 2u);
  EXPECT_EQ(plan.resources[1].instance, ComponentInstanceIndex(2));
  EXPECT_EQ(kind<ResourceNew>(plan, 1).resource, ResourceIndex(1));
  ASSERT_EQ(plan.exports.size(), 2u);
  EXPECT_EQ(plan.exports[1].interface, "b");
  EXPECT_EQ(std::get<ExportedType>(plan.exports[1].item).resource, ResourceIndex(1));
}

TEST(LinkPlan, OuterAliasesAndParents) {
  Bytes innermost = component(
      {aliases({alias_outer(kType, 2, 0)}), imports({import("f", func_desc(0))}), exports({export_of("g", kFunc, 0)})});
  Bytes middle = component({types({func({{"x", kU8}})}), imports({import("f", func_desc(0))}), nested(innermost),
                            instances({instantiate(0, {with("f", kFunc, 0)})}), aliases({alias_export(kFunc, 0, "g")}),
                            exports({export_of("h", kFunc, 1)})});
  LinkPlan plan = plan_of(component({types({func({{"x", kU8}})}), imports({import("f", func_desc(0))}), nested(middle),
                                     instances({instantiate(0, {with("f", kFunc, 0)})}),
                                     aliases({alias_export(kFunc, 0, "h")}), exports({export_of("top", kFunc, 1)})}));
  EXPECT_EQ(plan.component_parents, (std::vector<std::uint32_t>{0, 0, 1}));
  ASSERT_EQ(plan.exports.size(), 1u);
  EXPECT_EQ(std::get<ExportedHostFunc>(plan.exports[0].item).import, HostImportIndex(0));
}

// An export shows what its type tells of, and no more.
TEST(LinkPlan, AscribedInstancesAreNarrowed) {
  Bytes shared = cat({types({func({})}), imports({import("f", func_desc(0))}),
                      instances({bundle({cat({{0x00}, name("a"), {kFunc, 0}}), cat({{0x00}, name("b"), {kFunc, 0}})})}),
                      types({instance_type({type_decl(func({})), export_decl("b", func_desc(0))})})});
  LinkPlan whole = plan_of(component({shared, exports({export_of("i", kInstance, 0)})}));
  EXPECT_EQ(whole.exports.size(), 2u);
  LinkPlan narrow = plan_of(component({shared, exports({export_as("i", kInstance, 0, instance_desc(1))})}));
  ASSERT_EQ(narrow.exports.size(), 1u);
  EXPECT_EQ(narrow.exports[0].name, "b");
}

TEST(LinkPlan, ArgumentsAreNarrowedByTheImport) {
  Bytes inner = component({types({instance_type({type_decl(func({})), export_decl("b", func_desc(0))})}),
                           imports({import("i", instance_desc(0))}), exports({export_of("o", kInstance, 0)})});
  LinkPlan plan = plan_of(
      component({types({func({})}), imports({import("f", func_desc(0))}),
                 instances({bundle({cat({{0x00}, name("a"), {kFunc, 0}}), cat({{0x00}, name("b"), {kFunc, 0}})})}),
                 nested(inner), instances({instantiate(0, {with("i", kInstance, 0)})}),
                 aliases({alias_export(kInstance, 1, "o")}), exports({export_of("top", kInstance, 2)})}));
  ASSERT_EQ(plan.exports.size(), 1u);
  EXPECT_EQ(plan.exports[0].interface, "top");
  EXPECT_EQ(plan.exports[0].name, "b");
}

TEST(LinkPlan, AsyncOptions) {
  Bytes core =
      cat({module(core_module({{{kI32}, {kI32}}, {{kI32, kI32, kI32}, {kI32}}, {{kI32}, {}}})),
           core_instances({instantiate(0, {})}),
           aliases({core_alias(0, 0, "0"), core_alias(0, 0, "1"), core_alias(0, 0, "2"), core_alias(2, 0, "m")}),
           types({async_func({{"x", kU32}}, kU32)})});
  LinkPlan plan =
      plan_of(component({core, canons({lift(0, {with_async(), with_callback(1)}, 0), lift(2, {with_async()}, 0),
                                       lower(0, {with_async(), with_memory(0)})})}));
  ASSERT_EQ(plan.lifts.size(), 2u);
  EXPECT_TRUE(plan.lifts[0].options.is_async);
  EXPECT_EQ(std::get<CoreItem>(*plan.lifts[0].options.callback).index, 1u);
  EXPECT_TRUE(plan.lifts[1].options.is_async);
  EXPECT_FALSE(plan.lifts[1].options.callback);
  const Lower& lowered = kind<Lower>(plan, 0);
  EXPECT_EQ(std::get<LiftIndex>(lowered.callee), LiftIndex(0));
  EXPECT_TRUE(lowered.options.is_async);
  EXPECT_EQ(lowered.options.memory->index, 0u);
  EXPECT_TRUE(plan.types.funcs.at(lowered.type).is_async);
}

TEST(LinkPlan, BuiltinsKeepTheirImmediates) {
  Bytes core = cat({module(core_module({})), core_instances({instantiate(0, {})}),
                    aliases({core_alias(2, 0, "m"), core_alias(1, 0, "t")}), core_types({{0x60, 0x01, kI64, 0x00}}),
                    types({stream_of(kU8), stream_of(kU8)})});
  LinkPlan plan = plan_of(component({core, canons({{0x0e, 0x00},                         // stream.new
                                                   {0x0f, 0x01, 0x02, 0x06, 0x03, 0x00}, // stream.read, async, memory
                                                   {0x11, 0x00, 0x01},                   // stream.cancel-read async
                                                   {0x09, 0x00, kU32, 0x00},             // task.return u32
                                                   {0x0b, kI32, 0x01},                   // context.set i32 1
                                                   {0x20, 0x01, 0x00}, // waitable-set.wait cancellable
                                                   {0x27, 0x00, 0x00}, // thread.new-indirect
                                                   {0x25}})}));        // backpressure.dec
  ASSERT_EQ(plan.trampolines.size(), 8u);
  const Builtin &made = kind<Builtin>(plan, 0), &read = kind<Builtin>(plan, 1);
  EXPECT_EQ(made.kind, BuiltinKind::StreamNew);
  EXPECT_EQ(made.type, read.type); // two definitions, one type
  EXPECT_EQ(plan.types.defs.at(made.type->index).element, (ValType{TypeKind::U8, 0}));
  EXPECT_TRUE(read.options.is_async);
  EXPECT_TRUE(read.options.memory);
  EXPECT_TRUE(kind<Builtin>(plan, 2).is_async);
  EXPECT_EQ(kind<Builtin>(plan, 3).type, (ValType{TypeKind::U32, 0}));
  EXPECT_EQ(kind<Builtin>(plan, 4).slot, 1u);
  EXPECT_TRUE(kind<Builtin>(plan, 5).is_cancellable);
  EXPECT_TRUE(kind<Builtin>(plan, 5).options.memory);
  EXPECT_EQ(kind<Builtin>(plan, 6).value, AddressType::I64);
  EXPECT_EQ(kind<Builtin>(plan, 6).table->index, 0u);
  EXPECT_EQ(builtin_name(kind<Builtin>(plan, 7).kind), "backpressure.dec");
}

TEST(LinkPlan, SurvivesTheArchive) {
  LinkPlan plan = plan_of(component({types({stream_of(kString), record({{"a", 0}})}), canons({{0x0e, 0x00}})}));
  base::ArchiveWriter writer;
  writer(plan);
  std::vector<std::uint8_t> bytes = writer.take();
  LinkPlan back;
  base::ArchiveReader reader(bytes);
  reader(back);
  EXPECT_TRUE(reader.ok() && reader.at_end());
  ASSERT_EQ(back.types.defs.size(), plan.types.defs.size());
  EXPECT_EQ(back.types.defs[0].wide, plan.types.defs[0].wide);
  EXPECT_EQ(kind<Builtin>(back, 0).type, kind<Builtin>(plan, 0).type);
}

TEST(LinkPlan, WhatCannotRunIsSaid) {
  struct Row {
    Bytes bytes;
    std::string_view sentence;
  };
  const Row rows[] = {
      {component({types({component_type({})}), imports({import("c", component_desc(0))})}),
       "import `c`: the host does not give components or core modules"},
      {component({types({func({})}), imports({import("f", func_desc(0))}), section(9, {0x00, 0x00, 0x00})}),
       "component start functions cannot be run"}};
  for (const Row& row : rows) {
    EXPECT_TRUE(validate_component(row.bytes, {}));
    auto linked = link_component(row.bytes, {});
    ASSERT_FALSE(linked);
    EXPECT_EQ(linked.error().code, base::ErrorCode::Unsupported);
    EXPECT_EQ(linked.error().message, row.sentence);
  }
}

// Each component instantiates the one before it twice.
TEST(LinkPlan, InstantiationsAreBounded) {
  Bytes bytes = component({});
  for (int i = 0; i < 30; ++i) bytes = component({nested(bytes), instances({instantiate(0, {}), instantiate(0, {})})});
  auto linked = link_component(bytes, {});
  ASSERT_FALSE(linked);
  EXPECT_EQ(linked.error().code, base::ErrorCode::LimitExceeded);
}

} // namespace
} // namespace cusp::component
