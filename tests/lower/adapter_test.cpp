// Which calls between components are compiled, and what the plan is then; that what is generated is validated like any other module and
// disappears where it may be inlined. What adapters do is seen in tests/canon.
#include "compile/adapter/adapters.h"

#include "compile/adapter/eligibility.h"
#include "compile/import_targets.h"
#include "compile/linker.h"
#include "component/layout.h"
#include "lower/lowered.h"

namespace cusp::compile {
namespace {

using namespace component;
using test::Bytes;
using test::kI32;

// A component (instance 1) whose module imports `f`, and one (instance 2) whose module defines it: f(u32) -> u32.
class AdapterPlan : public testing::Test {
protected:
  AdapterPlan() {
    test::ModuleBytes callee;
    callee.memory();
    callee.export_func("f", callee.func(callee.type({kI32}, {kI32}), {0x20, 0, 0x41, 1, 0x6a}));
    test::ModuleBytes caller;
    const std::uint32_t type = caller.type({kI32}, {kI32});
    caller.import_func(type);
    caller.export_func("g", caller.func(type, {0x20, 0, 0x10, 0}));
    add_module(callee.bytes());
    add_module(caller.bytes());
    LinkPlan& plan = linked.plan;
    plan.component_instances = 3;
    plan.core_instances = {0, 1};
    plan.types.funcs.push_back({{{"x", {TypeKind::U32}}}, ValType{TypeKind::U32}, false});
    plan.lifts.push_back({ComponentInstanceIndex(2), CoreItem{CoreInstanceIndex(0), 0}, 0, {}});
    plan.trampolines.push_back({ComponentInstanceIndex(1), Lower{LiftIndex(0), 0, {}}});
    plan.steps.push_back(InstantiateCore{CoreInstanceIndex(0), 0, {}});
    plan.steps.push_back(InstantiateCore{CoreInstanceIndex(1), 1, {TrampolineIndex(0)}});
  }
  void add_module(Bytes content) {
    const Bytes& kept = bytes.emplace_back(std::move(content));
    auto module = wasm::read_module(kept, {});
    ASSERT_TRUE(module) << module.error().to_string();
    linked.modules.push_back({kept, 0, std::move(*module)});
  }
  bool is_compiled(std::vector<bool> made = {true, false}) {
    return Eligibility(linked.plan, linked.modules).is_compiled(linked.plan.trampolines[0], made);
  }
  Lower& lower() { return std::get<Lower>(linked.plan.trampolines[0].kind); }

  std::deque<Bytes> bytes, adapter_bytes;
  LinkedComponent linked;
};

TEST_F(AdapterPlan, IsInstantiatedRightBeforeWhoImportsFromIt) {
  ASSERT_TRUE(add_adapters(linked, adapter_bytes));
  const LinkPlan& plan = linked.plan;
  ASSERT_EQ(plan.steps.size(), 3u);
  const auto& adapter = std::get<InstantiateCore>(plan.steps[1]);
  EXPECT_EQ(adapter.module, 2u);
  EXPECT_EQ(plan.core_instances, (std::vector<std::uint32_t>{0, 1, 2}));
  const auto& given = std::get<CoreItem>(std::get<InstantiateCore>(plan.steps[2]).arguments[0]);
  EXPECT_EQ(given.instance, adapter.instance);
  ASSERT_TRUE(plan.trampolines[0].adapter);
  EXPECT_EQ(plan.trampolines[0].adapter->index, given.index);
  const wasm::Module& module = linked.modules[2].module;
  EXPECT_EQ(module.defined_functions(), 1u);
  EXPECT_EQ(module.func_type(wasm::FuncIndex(given.index)).params.size(), 1u);
  EXPECT_TRUE(wasm::validate_bodies(module));
}

TEST_F(AdapterPlan, MaySayWhatInputMayNot) {
  ASSERT_TRUE(add_adapters(linked, adapter_bytes));
  auto as_input = wasm::read_module(adapter_bytes.front(), wasm::Features::validated());
  ASSERT_TRUE(as_input);
  auto valid = wasm::validate_bodies(*as_input);
  ASSERT_FALSE(valid);
  EXPECT_EQ(valid.error().message, "illegal opcode 0xff");
}

TEST_F(AdapterPlan, LetsCallsBeDirectAndInlined) {
  ASSERT_TRUE(add_adapters(linked, adapter_bytes));
  std::vector<ImportTargets> targets = import_targets(linked);
  ASSERT_TRUE(targets[1][0]);
  EXPECT_EQ(targets[1][0]->module, 2u);
  // Contexts lie one after the other: callee, caller, adapters.
  EXPECT_GT(targets[1][0]->context_delta, 0);

  initialise_llvm();
  auto machine = make_target_machine(*make_target("x86-64-v3"), 2);
  llvm::LLVMContext context;
  auto settings = [&](std::uint32_t module) {
    LoweringSettings made{.module_index = module, .group_module = 1};
    made.import_targets = targets[module];
    return made;
  };
  GroupLowering group(context, *machine, linked.modules[1].module, settings(1));
  ASSERT_TRUE(group.lower(wasm::DefinedFuncIndex(0)));
  for (std::vector<CallTarget> called; !(called = group.take_called_modules()).empty();)
    for (const CallTarget& target : called) {
      const wasm::Module& module = linked.modules[target.module].module;
      ASSERT_TRUE(group.lower_for_inlining(module, settings(target.module), module.defined_index(target.func)));
    }
  std::unique_ptr<llvm::Module> ir = group.take();
  std::string problem;
  llvm::raw_string_ostream out(problem);
  ASSERT_FALSE(llvm::verifyModule(*ir, &out)) << problem;
  optimise(*ir, *machine, 2);
  llvm::Function* caller = ir->getFunction(function_symbol(0, 1)); // the first has its number
  ASSERT_NE(caller, nullptr);
  for (const llvm::BasicBlock& block : *caller)
    for (const llvm::Instruction& instruction : block)
      if (const auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction); call && call->getCalledFunction()) {
        EXPECT_TRUE(call->getCalledFunction()->getName().starts_with("cusp_trap_"))
            << call->getCalledFunction()->getName().str();
      }
}

TEST(Symbols, GetTheirModulesBackFromTheLinker) {
  for (std::uint32_t module : {0u, 1u, 2u, 12u})
    for (std::uint32_t group : {0u, 2u, 12u})
      EXPECT_EQ(place_symbol(function_symbol(number_in_group(module, group), 7), group), function_symbol(module, 7));
  EXPECT_EQ(entry_symbol(number_in_group(3, 3), 1), "e0.1");
  EXPECT_EQ(place_symbol("cusp_trap_stubs", 3), "cusp_trap_stubs");
}

TEST_F(AdapterPlan, NeedsWhatItCallsToBeThere) {
  EXPECT_TRUE(is_compiled());
  EXPECT_FALSE(is_compiled({false, false}));
}

TEST_F(AdapterPlan, LeavesAsyncCallsToTheHost) {
  linked.plan.types.funcs[0].is_async = true;
  EXPECT_FALSE(is_compiled());
  linked.plan.types.funcs[0].is_async = false;
  linked.plan.lifts[0].options.is_async = true;
  EXPECT_FALSE(is_compiled());
}

TEST_F(AdapterPlan, LeavesCallsThatCouldAskForTheirTaskToTheHost) {
  linked.plan.trampolines.push_back({ComponentInstanceIndex(2), Builtin{}});
  EXPECT_FALSE(is_compiled());
  linked.plan.trampolines.back().instance = ComponentInstanceIndex(1);
  EXPECT_FALSE(is_compiled());
  linked.plan.trampolines.back().instance = ComponentInstanceIndex(0);
  EXPECT_TRUE(is_compiled());
  // Nor may what the callee can reach.
  linked.plan.lifts.push_back({ComponentInstanceIndex(0), CoreItem{CoreInstanceIndex(0), 0}, 0, {}});
  linked.plan.trampolines.push_back({ComponentInstanceIndex(2), Lower{LiftIndex(1), 0, {}}});
  EXPECT_FALSE(is_compiled());
}

TEST_F(AdapterPlan, LeavesRelativesToTheHost) {
  linked.plan.component_parents = {0, 0, 1};
  EXPECT_FALSE(is_compiled());
}

TEST_F(AdapterPlan, LeavesValuesThatAreCanonsOwnToTheHost) {
  FuncType& type = linked.plan.types.funcs[0];
  type.params[0].type = {TypeKind::ErrorContext};
  EXPECT_FALSE(is_compiled());
  linked.plan.resources.push_back(
      {.name = "r", .interface = {}, .instance = ComponentInstanceIndex(2), .destructor = {}});
  type.params[0].type = {TypeKind::Borrow, 0};
  EXPECT_TRUE(is_compiled());
  TypeBuilder builder(linked.plan.types);
  TypeDef list;
  list.kind = TypeKind::List;
  list.element = ValType{TypeKind::Borrow, 0};
  type.params[0].type = *builder.define(list); // any number of them to give back
  EXPECT_FALSE(is_compiled());
  list.element = ValType{TypeKind::Own, 0};
  linked.plan.types.funcs[0].params[0].type = *builder.define(list);
  EXPECT_TRUE(is_compiled());
}

// A result of a result of a result …: the code for it would double at every level.
TEST_F(AdapterPlan, LeavesTypesWithoutMeasureToTheHost) {
  TypeBuilder builder(linked.plan.types);
  ValType type{TypeKind::U32};
  for (int i = 0; i < 16; ++i) {
    TypeDef result;
    result.kind = TypeKind::Result;
    result.element = result.error = type;
    type = *builder.define(result);
  }
  linked.plan.types.funcs[0].params[0].type = type;
  ASSERT_TRUE(add_adapters(linked, adapter_bytes));
  EXPECT_FALSE(linked.plan.trampolines[0].adapter);
  EXPECT_EQ(linked.plan.steps.size(), 2u);
}

TEST_F(AdapterPlan, LeavesLargeMemoriesAndHostFunctionsToTheHost) {
  lower().options.memory = CoreItem{CoreInstanceIndex(0), 0};
  EXPECT_TRUE(is_compiled());
  lower().options.addresses = AddressType::I64;
  EXPECT_FALSE(is_compiled());
  lower().options.addresses = AddressType::I32;
  lower().options.realloc = TrampolineIndex(0);
  EXPECT_FALSE(is_compiled());
}

} // namespace
} // namespace cusp::compile
