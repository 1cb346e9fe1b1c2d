// Objects under pressure: what a guest can still reach, by whatever register, frame, array or segment, survives; the rest
// makes room. And what the heap owes its surroundings: limits, exact resets, types shared by modules compiled apart.
#include "engine/engine.h"
#include "lower/gc_bytes.h"
#include "runtime/slot.h"
#include "wasm/types.h"

namespace cusp::test {
namespace {

using namespace code;

class Gc : public EngineTest {
protected:
  // Little enough that the tests below do not fit without collections.
  void SetUp() override { make_store({.memory_bytes = std::uint64_t{8} << 20}); }
};
INSTANTIATE_TEST_SUITE_P(All, Gc, kEverySetting, setting_name);

// Type 0: struct $node { mut i32, mut (ref null $node) }; 1: (i32) -> i32; 2: array of mut (ref null $node);
// 3: () -> i32.
struct Nodes : ModuleBytes {
  static constexpr std::uint32_t kNode = 0, kI32ToI32 = 1, kArray = 2, kGivesI32 = 3;
  Nodes() {
    raw_type({kStructOf, 2, kI32, kMut, kRefNull, kNode, kMut});
    type({kI32}, {kI32});
    raw_type({kArrayOf, kRefNull, kNode, kMut});
    type({}, {kI32});
  }
  static Bytes null() { return ref_null(kNode); }
  // Objects that nobody keeps.
  static Bytes garbage(int objects) {
    Bytes out;
    for (int i = 0; i < objects; ++i) out += i32_const(i) + null() + struct_new(kNode) + drop();
    return out;
  }
  static Bytes loop_down(std::uint32_t counter, const Bytes& body) {
    return loop() + body + local_get(counter) + i32_const(1) + i32_sub() + local_tee(counter) + br_if(0) + end();
  }
};

// Locals: n (ref null $node)s and m i32s.
Bytes locals(std::uint8_t nodes, std::uint8_t integers) {
  return Bytes{2, nodes, kRefNull, Nodes::kNode, integers, kI32};
}

TEST_P(Gc, AListSurvivesWhatIsMadeBesideIt) {
  Nodes m;
  auto f = m.func_with(
      Nodes::kI32ToI32, locals(1, 1),
      Nodes::loop_down(0, Nodes::garbage(20) + local_get(0) + local_get(1) + struct_new(Nodes::kNode) + local_set(1)) +
          loop() + local_get(1) + ref_is_null() + if_() + local_get(2) + return_() + end() + local_get(2) +
          local_get(1) + struct_get(Nodes::kNode, 0) + i32_add() + local_set(2) + local_get(1) +
          struct_get(Nodes::kNode, 1) + local_set(1) + br(0) + end() + unreachable());
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, f, {50'000}), 50'000u * 50'001u / 2);
  EXPECT_EQ(run_i32(instance, f, {50'000}), 50'000u * 50'001u / 2); // the first list makes room
  EXPECT_LE(store_->memory_in_use(), std::uint64_t{8} << 20);
}

// Partial results in registers and frames of a deep recursion.
TEST_P(Gc, ATreeBuiltByRecursionIsWhole) {
  ModuleBytes m;
  m.raw_type({kStructOf, 2, kRefNull, 0, kConst, kRefNull, 0, kConst});
  m.raw_type({kFuncOf, 1, kI32, 1, kRef, 0});
  m.raw_type({kFuncOf, 1, kRefNull, 0, 1, kI32});
  auto whole = m.type({kI32}, {kI32});
  const Bytes less = local_get(0) + i32_const(1) + i32_sub();
  Bytes garbage;
  for (int i = 0; i < 4; ++i) garbage += struct_new_default(0) + drop();
  auto make = m.func_with(1, {0},
                          garbage + local_get(0) + i32_eqz() + if_() + struct_new_default(0) + return_() + end() +
                              less + call(0) + less + call(0) + struct_new(0));
  auto count = m.func_with(2, {0},
                           local_get(0) + ref_is_null() + if_() + i32_const(0) + return_() + end() + local_get(0) +
                               struct_get(0, 0) + call(1) + local_get(0) + struct_get(0, 1) + call(1) + i32_add() +
                               i32_const(1) + i32_add());
  ASSERT_EQ(make, 0u);
  ASSERT_EQ(count, 1u);
  auto f = m.func(whole, local_get(0) + call(make) + call(count));
  auto* instance = instantiate(m);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run_i32(instance, f, {16}), (1u << 17) - 1);
}

// An optimiser may keep nothing of the array but an address that it steps through the elements.
TEST_P(Gc, AnArrayIsReadWhileOthersAreMade) {
  Nodes m;
  // n nodes in an array (local 1 is scratch, 3: index, 4: sum); then they are read, backwards, beside garbage
  const Bytes array_local{3, 1, kRefNull, Nodes::kNode, 1, kRefNull, Nodes::kArray, 2, kI32};
  auto f =
      m.func_with(Nodes::kI32ToI32, array_local,
                  local_get(0) + array_new_default(Nodes::kArray) + local_set(2) + local_get(0) + local_set(3) +
                      Nodes::loop_down(3, local_get(2) + local_get(3) + i32_const(1) + i32_sub() + local_get(3) +
                                              Nodes::null() + struct_new(Nodes::kNode) + array_set(Nodes::kArray)) +
                      local_get(2) + array_len() + local_set(3) +
                      Nodes::loop_down(3, Nodes::garbage(30) + local_get(2) + local_get(3) + i32_const(1) + i32_sub() +
                                              array_get(Nodes::kArray) + struct_get(Nodes::kNode, 0) + local_get(4) +
                                              i32_add() + local_set(4)) +
                      local_get(4));
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, f, {20'000}), 20'000u * 20'001u / 2);
}

TEST_P(Gc, ResultsBeyondRegistersAreReferencesToo) {
  Nodes m;
  Bytes type{kFuncOf, 0, 5};
  for (int i = 0; i < 5; ++i) type += Bytes{kRef, Nodes::kNode};
  m.raw_type(type);
  Bytes make;
  for (int i = 0; i < 5; ++i) make += i32_const(1 << i) + Nodes::null() + struct_new(Nodes::kNode);
  auto five = m.func_with(4, {0}, make);
  Bytes take = call(five), sum;
  for (std::uint32_t i = 1; i <= 5; ++i) take += local_set(i);
  for (std::uint32_t i = 1; i <= 5; ++i)
    sum += local_get(i) + struct_get(Nodes::kNode, 0) + (i > 1 ? i32_add() : Bytes{});
  auto f = m.func_with(Nodes::kI32ToI32, locals(5, 0), take + Nodes::loop_down(0, Nodes::garbage(50)) + sum);
  EXPECT_EQ(run_i32(instantiate(m), f, {20'000}), 31u);
}

TEST_P(Gc, GlobalsTablesAndSegmentsKeepWhatTheyHold) {
  Nodes m;
  m.global(Bytes{kRefNull, Nodes::kNode}, true, i32_const(1) + Nodes::null() + struct_new(Nodes::kNode));
  m.raw_table(Bytes{kRefNull, Nodes::kNode, 0, 4});
  // A passive segment of one node with the value 4.
  m.raw_elem(Bytes{5, kRefNull, Nodes::kNode, 1} + i32_const(4) + Nodes::null() + struct_new(Nodes::kNode) + end());
  auto set = m.func(Nodes::kGivesI32, i32_const(3) + i32_const(2) + Nodes::null() + struct_new(Nodes::kNode) +
                                          table_set(0) + i32_const(0));
  auto get = m.func(Nodes::kGivesI32, global_get(0) + struct_get(Nodes::kNode, 0) + i32_const(3) + table_get(0) +
                                          struct_get(Nodes::kNode, 0) + i32_add() + i32_const(0) + i32_const(1) +
                                          array_new_elem(Nodes::kArray, 0) + i32_const(0) + array_get(Nodes::kArray) +
                                          struct_get(Nodes::kNode, 0) + i32_add());
  auto churn = m.func(Nodes::kI32ToI32, Nodes::loop_down(0, Nodes::garbage(100)) + i32_const(0));
  auto* instance = instantiate(m);
  run_i32(instance, set);
  for (int i = 0; i < 3; ++i) {
    store_->collect_garbage();
    run_i32(instance, churn, {2000});
    EXPECT_EQ(run_i32(instance, get), 7u);
  }
}

TEST_P(Gc, HostReferencesComeBackAsTheyWent) {
  ModuleBytes m;
  m.raw_type({kStructOf, 1, kAnyref, kMut});
  m.raw_type({kFuncOf, 1, kExternref, 1, kExternref});
  // Through a field of an object, with two megabytes of garbage in between.
  Bytes churn = i32_const(100'000) + local_set(2) + Nodes::loop_down(2, struct_new_default(0) + drop());
  auto f = m.func_with(1, Bytes{2, 1, kRefNull, 0, 1, kI32},
                       local_get(0) + any_convert_extern() + struct_new(0) + local_set(1) + churn + local_get(1) +
                           struct_get(0, 0) + extern_convert_any());
  auto i31 = m.func_with(1, {0}, i32_const(42) + ref_i31() + extern_convert_any());
  auto back = m.func_with(1, {0}, local_get(0) + any_convert_extern() + ref_cast(kI31ref) + extern_convert_any());
  auto* instance = instantiate(m);
  auto result = run(instance, f, {0x7fff'1234'5678'9abc});
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 0x7fff'1234'5678'9abcu);
  EXPECT_EQ(run(instance, f, {0}).value_or(1), 0u);
  const std::uint64_t number = run(instance, i31, {0}).value_or(0);
  EXPECT_EQ(store_->any_kind(static_cast<std::uint32_t>(number)), runtime::Store::AnyKind::I31);
  EXPECT_EQ(run(instance, back, {number}).value_or(0), number);
  expect_trap(instance, back, abi::Trap::CastFailure, {77});
}

TEST_P(Gc, LimitsAreTraps) {
  Nodes m;
  // A list without end.
  auto endless = m.func_with(Nodes::kI32ToI32, locals(1, 0),
                             loop() + i32_const(1) + local_get(1) + struct_new(Nodes::kNode) + local_set(1) + br(0) +
                                 end() + unreachable());
  auto array = m.func(Nodes::kI32ToI32, local_get(0) + array_new_default(Nodes::kArray) + array_len());
  auto* instance = instantiate(m);
  expect_trap(instance, endless, abi::Trap::MemoryLimit, {0});
  EXPECT_LE(store_->memory_in_use(), std::uint64_t{8} << 20);
  EXPECT_EQ(run_i32(instance, array, {100'000}), 100'000u); // the list is gone
  expect_trap(instance, array, abi::Trap::AllocationTooLarge, {0xffff'ffff});
  expect_trap(instance, array, abi::Trap::AllocationTooLarge, {0x4000'0000});
  EXPECT_EQ(run_i32(instance, array, {0}), 0u);
}

TEST_P(Gc, NullAndBoundsAreExact) {
  Nodes m;
  auto field = m.func(Nodes::kGivesI32, Nodes::null() + struct_get(Nodes::kNode, 0));
  auto length = m.func(Nodes::kGivesI32, ref_null(Nodes::kArray) + array_len());
  auto element = m.func(Nodes::kI32ToI32, i32_const(3) + array_new_default(Nodes::kArray) + local_get(0) +
                                              array_get(Nodes::kArray) + ref_is_null());
  auto fill = m.func(Nodes::kI32ToI32, i32_const(3) + array_new_default(Nodes::kArray) + local_get(0) + Nodes::null() +
                                           i32_const(2) + array_fill(Nodes::kArray) + i32_const(1));
  auto copy = m.func(Nodes::kI32ToI32, i32_const(3) + array_new_default(Nodes::kArray) + local_get(0) + i32_const(3) +
                                           array_new_default(Nodes::kArray) + i32_const(0) + i32_const(2) +
                                           array_copy(Nodes::kArray, Nodes::kArray) + i32_const(1));
  auto* instance = instantiate(m);
  expect_trap(instance, field, abi::Trap::NullReference);
  expect_trap(instance, length, abi::Trap::NullReference);
  EXPECT_EQ(run_i32(instance, element, {2}), 1u);
  expect_trap(instance, element, abi::Trap::ArrayOutOfBounds, {3});
  expect_trap(instance, element, abi::Trap::ArrayOutOfBounds, {0xffff'ffff});
  for (auto func : {fill, copy}) {
    EXPECT_EQ(run_i32(instance, func, {1}), 1u);
    expect_trap(instance, func, abi::Trap::ArrayOutOfBounds, {2});
    expect_trap(instance, func, abi::Trap::ArrayOutOfBounds, {0xffff'ffff});
  }
}

TEST_P(Gc, CastsFollowTheDeclaredSupertypes) {
  // A chain of twelve structure types (deeper than a record's own display), and one beside it.
  ModuleBytes m;
  m.raw_type({kSub, 0, kStructOf, 0});
  for (std::uint8_t i = 1; i < 12; ++i) m.raw_type({kSub, 1, static_cast<std::uint8_t>(i - 1), kStructOf, 0});
  m.raw_type({kSub, 1, 9, kStructOf, 1, kI32, kMut}); // 12: below 9
  auto gives_any = m.type({kI32}, {kAnyref});
  auto i32_to_i32 = m.type({kI32}, {kI32});
  // The object of a type by its number, as anyref.
  Bytes make;
  for (std::uint8_t i = 0; i < 13; ++i)
    make += local_get(0) + i32_const(i) + op(0x46) + if_() + struct_new_default(i) + return_() + end();
  auto object = m.func(gives_any, make + i32_const(5) + ref_i31());
  std::vector<std::uint32_t> tests;
  for (std::uint8_t i = 0; i < 13; ++i) tests.push_back(m.func(i32_to_i32, local_get(0) + call(object) + ref_test(i)));
  auto cast = m.func(i32_to_i32, local_get(0) + call(object) + ref_cast(9) + ref_is_null());
  auto* instance = instantiate(m);
  for (std::uint32_t sub = 0; sub < 14; ++sub) // 13: an i31
    for (std::uint32_t super = 0; super < 13; ++super) {
      const bool expected = sub == 12 ? super <= 9 || super == 12 : sub < 12 && super <= sub;
      EXPECT_EQ(run_i32(instance, tests[super], {sub}), expected) << sub << " of " << super;
    }
  EXPECT_EQ(run_i32(instance, cast, {12}), 0u);
  expect_trap(instance, cast, abi::Trap::CastFailure, {8});
  expect_trap(instance, cast, abi::Trap::CastFailure, {13});
}

TEST_P(Gc, ModulesCompiledApartAgreeOnTypes) {
  Nodes maker;
  auto gives_any = maker.type({}, {kAnyref});
  auto make = maker.func(gives_any, i32_const(7) + Nodes::null() + struct_new(Nodes::kNode));
  auto* first = instantiate(maker);
  ASSERT_TRUE(first);

  ModuleBytes user;
  user.raw_type({kStructOf, 1, kI64, kMut});
  auto imported = user.type({}, {kAnyref});
  user.raw_type({kStructOf, 2, kI32, kMut, kRefNull, 2, kMut}); // $node by another index
  user.raw_type({kStructOf, 2, kI32, kMut, kRefNull, 2, kMut}); // the same fields, but not recursive
  auto gives_i32 = user.type({}, {kI32});
  user.import_func(imported);
  auto same = user.func(gives_i32, call(0) + ref_cast(2) + struct_get(2, 0));
  auto other = user.func(gives_i32, call(0) + ref_test(0));
  auto similar = user.func(gives_i32, call(0) + ref_test(3));
  auto* second = instantiate(user, {first->item(artifact::ExternKind::Func, make)});
  EXPECT_EQ(run_i32(second, same), 7u);
  EXPECT_EQ(run_i32(second, other), 0u);
  EXPECT_EQ(run_i32(second, similar), 0u);
}

TEST_P(Gc, IndirectCallsTakeSubtypes) {
  auto types = [](ModuleBytes& m) {
    m.raw_type({kSub, 0, kFuncOf, 0, 1, kI32});    // 0
    m.raw_type({kSub, 1, 0, kFuncOf, 0, 1, kI32}); // 1: below it
    m.type({}, {kI32});                            // 2: final, of the same form
  };
  ModuleBytes maker;
  types(maker);
  auto f = maker.func(1, i32_const(9));
  auto* first = instantiate(maker);
  ASSERT_TRUE(first);

  ModuleBytes user;
  types(user);
  user.import_func(0); // a supertype will do
  user.table(1);
  user.raw_elem(Bytes{0} + i32_const(0) + end() + Bytes{1, 0});
  auto as_super = user.func(2, i32_const(0) + call_indirect(0));
  auto as_sub = user.func(2, i32_const(0) + call_indirect(1));
  auto as_final = user.func(2, i32_const(0) + call_indirect(2));
  auto by_reference = user.func(2, ref_func(0) + call_ref(0));
  auto* second = instantiate(user, {first->item(artifact::ExternKind::Func, f)});
  EXPECT_EQ(run_i32(second, as_super), 9u);
  EXPECT_EQ(run_i32(second, as_sub), 9u);
  expect_trap(second, as_final, abi::Trap::BadSignature);
  EXPECT_EQ(run_i32(second, by_reference), 9u);

  // Not the other way round.
  ModuleBytes strict;
  types(strict);
  strict.import_func(2);
  auto code = compile_and_load(strict.bytes(), GetParam());
  on_fiber([&] {
    auto made = store_->instantiate(code, 0, std::vector{first->item(artifact::ExternKind::Func, f)});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, base::ErrorCode::Unlinkable);
  });
}

// A slot's heap goes back to what it was when the slot was sealed, byte for byte, whatever came between.
TEST_P(Gc, ASlotIsPutBackExactly) {
  Nodes m;
  m.global(Bytes{kRefNull, Nodes::kNode}, true, i32_const(100) + Nodes::null() + struct_new(Nodes::kNode));
  // Adds its argument to the node in the global, puts a new one in front, and makes garbage.
  auto f =
      m.func(Nodes::kI32ToI32, global_get(0) + global_get(0) + struct_get(Nodes::kNode, 0) + local_get(0) + i32_add() +
                                   struct_set(Nodes::kNode, 0) + global_get(0) + struct_get(Nodes::kNode, 0) +
                                   global_get(0) + struct_new(Nodes::kNode) + global_set(0) + global_get(0) +
                                   struct_get(Nodes::kNode, 0) + Nodes::loop_down(0, Nodes::garbage(100)));
  auto code = compile_and_load(m.bytes(), GetParam());
  ASSERT_TRUE(code);
  const std::uint32_t modules[] = {0};
  for (auto tracking :
       {runtime::WriteTracking::Automatic, runtime::WriteTracking::Mprotect, runtime::WriteTracking::Scan}) {
    runtime::SlotOptions options;
    options.limits.memory_bytes = std::uint64_t{8} << 20;
    options.tracking = tracking;
    auto layout = runtime::SlotLayout::create(code, modules, options);
    ASSERT_TRUE(layout) << layout.error().to_string();
    on_fiber([&] {
      auto slot = runtime::Slot::create(*layout);
      ASSERT_TRUE(slot) << slot.error().to_string();
      ASSERT_TRUE((*slot)->instantiate_core(0, {}));
      ASSERT_TRUE((*slot)->seal());
      const std::uint8_t* heap = (*slot)->core_instance(0).vmctx()->gc_heap;
      const std::uint64_t in_use = (*slot)->memory_in_use();
      const std::uint64_t bytes = std::uint64_t{64} << 10;
      const std::vector<std::uint8_t> clean(heap, heap + bytes);
      for (std::uint32_t round = 0; round < 6; ++round) {
        abi::ValRaw values[4]{};
        // Every second use makes more than the heap begins with.
        values[0].i32 = round % 2 == 0 ? 10 : 3000;
        auto result = (*slot)->call(*(*slot)->core_instance(0).func(f), values);
        ASSERT_TRUE(result) << result.error().to_string();
        EXPECT_EQ(values[0].i32, round % 2 == 0 ? 110u : 3100u);
        ASSERT_TRUE((*slot)->reset());
        EXPECT_EQ(std::memcmp(heap, clean.data(), bytes), 0);
        EXPECT_EQ((*slot)->memory_in_use(), in_use);
      }
    });
  }
}

} // namespace
} // namespace cusp::test
