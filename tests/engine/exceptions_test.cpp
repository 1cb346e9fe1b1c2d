// What a throw does to everything around it: registers, stacks, other modules, the host, the exception's own life.
#include "engine/engine.h"
#include "lower/code_bytes.h"
#include "wasm/types.h"

namespace cusp::test {
namespace {

using namespace code;

class Exceptions : public EngineTest {};
INSTANTIATE_TEST_SUITE_P(All, Exceptions, kEverySetting, setting_name);

// A module with tag 0 (i32) and function 0: throws tag 0 with its argument unless that is 0, and returns 7.
struct Thrower : ModuleBytes {
  Thrower() {
    i32_to_i32 = type({kI32}, {kI32});
    takes_i32 = type({kI32}, {});
    nothing = type({}, {});
    tag(takes_i32);
    func(i32_to_i32, local_get(0) + if_() + local_get(0) + throw_(0) + end() + i32_const(7));
  }
  std::uint32_t i32_to_i32, takes_i32, nothing;
};

TEST_P(Exceptions, PayloadReachesTheClause) {
  Thrower m;
  auto f = m.func(m.i32_to_i32, block(kI32) + try_table(kI32, {catch_clause(0, 0)}) + local_get(0) + call(0) + end() +
                                    return_() + end() + i32_const(100) + i32_add());
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, f, {0}), 7u);
  EXPECT_EQ(run_i32(instance, f, {5}), 105u);
}

TEST_P(Exceptions, PayloadsOfEveryType) {
  ModuleBytes m;
  auto type = m.type({kI32, kI64, kF32, kF64, kV128}, {});
  auto results = m.type({}, {kI32, kI64, kF32, kF64, kV128});
  auto none = m.type({}, {});
  auto sum = m.type({}, {kI64});
  m.tag(type);
  Bytes v128{0xfd, 0x0c};
  for (std::uint8_t i = 0; i < 16; ++i) v128.push_back(static_cast<std::uint8_t>(i == 8 ? 40 : 0));
  auto thrower = m.func(none, i32_const(1) + i64_const(2) + Bytes{0x43, 0, 0, 0x40, 0x40} +
                                  Bytes{0x44, 0, 0, 0, 0, 0, 0, 0x10, 0x40} + v128 + throw_(0));
  // 1 + 2 + 3.0 + 4.0 + lane 1 of the vector
  auto f = m.func(sum,
                  block_of(results) + try_table(kVoid, {catch_clause(0, 0)}) + call(thrower) + end() + unreachable() +
                      end() + Bytes{0xfd, 0x1d, 1} + local_set(0) + Bytes{0xb0} + local_get(0) + i64_add() +
                      local_set(0) + Bytes{0xae} + local_get(0) + i64_add() + local_set(0) + local_get(0) + i64_add() +
                      local_set(0) + Bytes{0xac} + local_get(0) + i64_add(),
                  {kI64});
  auto* instance = instantiate(m);
  auto result = run(instance, f);
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(*result, 50u);
}

TEST_P(Exceptions, WhatNoClauseTakesGoesOnOutward) {
  Thrower m;
  m.tag(m.takes_i32); // another tag of the same type
  auto inner = m.func(m.i32_to_i32, block(kI32) + try_table(kI32, {catch_clause(1, 0)}) + local_get(0) + call(0) +
                                        end() + return_() + end() + i32_const(1000) + i32_add());
  auto f =
      m.func(m.i32_to_i32, block(kI32) + try_table(kI32, {catch_clause(1, 0)}) + block(kI32) +
                               try_table(kI32, {catch_clause(0, 0)}) + local_get(0) + call(inner) + end() + return_() +
                               end() + i32_const(100) + i32_add() + return_() + end() + unreachable() + end());
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, f, {5}), 105u);
  expect_trap(instance, inner, abi::Trap::UncaughtException, {5});
}

TEST_P(Exceptions, AThrowInItsOwnTryIsTakenToo) {
  Thrower m;
  auto f = m.func(m.i32_to_i32, block(kI32) + try_table(kI32, {catch_clause(0, 0)}) + local_get(0) + throw_(0) + end() +
                                    unreachable() + end() + i32_const(1) + i32_add());
  EXPECT_EQ(run_i32(instantiate(m), f, {5}), 6u);
}

// Recursion with many values alive over each call: the first throw comes from the bottom, each level adds what it kept.
TEST_P(Exceptions, CalleeSavedRegistersAreThoseOfTheCatcher) {
  ModuleBytes m;
  auto type = m.type({kI32, kI64, kI64, kI64}, {kI64});
  auto tag = m.tag(m.type({kI64}, {}));
  // f(n, a, b, c): n == 0: throw a*b+c. Else five values from a, b, c; try f(n-1, a+1, b+2, c+3) catch as result; the
  // values and the result summed; thrown on where n is odd, returned where it is even.
  Bytes body = local_get(0) + i32_eqz() + if_() + local_get(1) + local_get(2) + i64_mul() + local_get(3) + i64_add() +
               throw_(tag) + end();
  for (std::uint32_t i = 0; i < 5; ++i)
    body += local_get(1) + i64_const(i + 3) + i64_mul() + local_get(2) + i64_add() + local_get(3) + i64_mul() +
            local_set(4 + i);
  body += block(kI64) + try_table(kI64, {catch_clause(tag, 0)}) + local_get(0) + i32_const(1) + i32_sub() +
          local_get(1) + i64_const(1) + i64_add() + local_get(2) + i64_const(2) + i64_add() + local_get(3) +
          i64_const(3) + i64_add() + call(0) + end() + end();
  for (std::uint32_t i = 0; i < 5; ++i) body += local_get(4 + i) + i64_add();
  body +=
      local_set(9) + local_get(0) + i32_const(1) + op(0x71) + if_() + local_get(9) + throw_(tag) + end() + local_get(9);
  auto f = m.func(type, body, {kI64, kI64, kI64, kI64, kI64, kI64});
  auto expected = [](auto self, std::uint32_t n, std::uint64_t a, std::uint64_t b, std::uint64_t c) -> std::uint64_t {
    if (n == 0) return a * b + c;
    std::uint64_t sum = self(self, n - 1, a + 1, b + 2, c + 3);
    for (std::uint64_t i = 0; i < 5; ++i) sum += (a * (i + 3) + b) * c;
    return sum;
  };
  auto* instance = instantiate(m);
  for (std::uint32_t n : {2u, 8u, 100u}) {
    auto result = run(instance, f, {n, 11, 13, 17});
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(*result, expected(expected, n, 11, 13, 17));
  }
}

// Ten integers: four of them on the stack, which the callee takes off when it returns and nobody when it throws.
Bytes ten_arguments(std::uint32_t local) {
  Bytes out;
  for (int i = 0; i < 10; ++i) out += local_get(local) + i32_const(i) + i32_add();
  return out;
}

TEST_P(Exceptions, TheStackPointerIsRightAfterCallsWithStackArguments) {
  Thrower m;
  auto big = m.type(Bytes(10, kI32), {kI32});
  Bytes sum = local_get(0);
  for (std::uint32_t i = 1; i < 10; ++i) sum += local_get(i) + i32_mul() + local_get(i) + i32_add();
  auto callee = m.func(big, sum + call(0));
  // Catches n times, with the sums of the payloads in local 1.
  auto f = m.func(m.i32_to_i32,
                  loop() + block(kI32) + try_table(kI32, {catch_clause(0, 0)}) + ten_arguments(0) + call(callee) +
                      end() + end() + local_get(1) + i32_add() + local_set(1) + local_get(0) + i32_const(1) +
                      i32_sub() + local_tee(0) + br_if(0) + end() + local_get(1),
                  {kI32});
  std::uint32_t expected = 0;
  for (std::uint32_t n = 100000; n != 0; --n) {
    std::uint32_t value = n;
    for (std::uint32_t i = 1; i < 10; ++i) value = value * (n + i) + (n + i);
    expected += value == 0 ? 7 : value;
  }
  EXPECT_EQ(run_i32(instantiate(m), f, {100000}), expected);
}

// A function that may make a tail call with more stack arguments than it has keeps its return address elsewhere.
TEST_P(Exceptions, AFrameThatMakesRoomForATailCallIsPassed) {
  Thrower m;
  auto big = m.type(Bytes(12, kI32), {kI32});
  auto last = m.func(big, local_get(11));
  Bytes twelve;
  for (int i = 0; i < 12; ++i) twelve += local_get(1) + i32_const(i) + i32_add();
  auto middle = m.func(m.i32_to_i32, local_get(0) + call(0) + local_set(1) + twelve + return_call(last), {kI32});
  auto f = m.func(m.i32_to_i32,
                  local_get(0) + i32_const(3) + i32_mul() + local_set(1) + block(kI32) +
                      try_table(kI32, {catch_clause(0, 0)}) + local_get(0) + call(middle) + end() + end() +
                      local_get(1) + i32_add(),
                  {kI32});
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, f, {5}), 20u);
  EXPECT_EQ(run_i32(instance, f, {0}), 18u);
  expect_trap(instance, middle, abi::Trap::UncaughtException, {5});
  EXPECT_EQ(store_->last_trap().backtrace.size(), 2u) << store_->last_trap().to_string();
}

// Eight values in a row become one vector, which wants a stack with another alignment while it is kept over the call.
TEST_P(Exceptions, FramesOfAnyAlignmentAreTheSameAfterwards) {
  Thrower m;
  m.memory();
  Bytes fill, load, store, sum = i32_const(0);
  for (std::uint32_t i = 0; i < 8; ++i) {
    fill += i32_const(0) + local_get(0) + i32_const(static_cast<std::int32_t>(i * i)) + i32_add() + i32_store(4 * i);
    load += i32_const(0) + i32_load(4 * i) + local_set(1 + i);
    store += i32_const(0) + local_get(1 + i) + local_get(1 + i) + i32_mul() + i32_store(64 + 4 * i);
    sum += i32_const(0) + i32_load(64 + 4 * i) + i32_add();
  }
  auto f = m.func(m.i32_to_i32,
                  fill + load + block(kI32) + try_table(kI32, {catch_clause(0, 0)}) + local_get(0) + call(0) + end() +
                      end() + drop() + store + sum,
                  Bytes(8, kI32));
  auto* instance = instantiate(m);
  for (std::uint32_t n : {0u, 1u, 1000u}) {
    std::uint32_t expected = 0;
    for (std::uint32_t i = 0; i < 8; ++i) expected += (n + i * i) * (n + i * i);
    EXPECT_EQ(run_i32(instance, f, {n}), expected);
  }
}

// The callee's frame is where its caller's was, and lower: what it was given on the stack is more.
TEST_P(Exceptions, AThrowAfterATailCallFindsTheCallersStack) {
  Thrower m;
  auto many = m.type(Bytes(12, kI32), {kI32});
  auto last = m.func(many, local_get(11) + call(0));
  Bytes twelve;
  for (int i = 0; i < 12; ++i) twelve += local_get(0);
  auto middle = m.func(m.i32_to_i32, twelve + return_call(last));
  auto fewer = m.func(many, local_get(3) + return_call(0));
  auto f = m.func(m.i32_to_i32,
                  loop() + block(kI32) + try_table(kI32, {catch_clause(0, 0)}) + local_get(0) + call(middle) + end() +
                      end() + block(kI32) + try_table(kI32, {catch_clause(0, 0)}) + twelve + call(fewer) + end() +
                      end() + i32_mul() + local_get(1) + i32_add() + local_set(1) + local_get(0) + i32_const(1) +
                      i32_sub() + local_tee(0) + br_if(0) + end() + local_get(1),
                  {kI32});
  EXPECT_EQ(run_i32(instantiate(m), f, {1000}), 1000u * 1001 * 2001 / 6);
}

TEST_P(Exceptions, ATailCallLeavesTheTry) {
  Thrower m;
  auto h = m.func(m.i32_to_i32, block() + try_table(kVoid, {catch_all_clause(0)}) + local_get(0) + return_call(0) +
                                    end() + end() + i32_const(1));
  expect_trap(instantiate(m), h, abi::Trap::UncaughtException, {5});
}

TEST_P(Exceptions, PassModulesThatKnowNothingOfThem) {
  Thrower inner;
  auto* thrower = instantiate(inner);
  // Keeps several values over the call, and never heard of tags.
  ModuleBytes plain;
  auto type = plain.type({kI32}, {kI32});
  plain.import_func(type);
  auto through =
      plain.func(type,
                 local_get(0) + i32_const(3) + i32_mul() + local_set(1) + local_get(0) + i32_const(5) + i32_mul() +
                     local_set(2) + local_get(0) + call(0) + local_get(1) + i32_add() + local_get(2) + i32_mul(),
                 {kI32, kI32});
  auto* middle = instantiate(plain, {runtime::ExternFunc{thrower->func(0)}});
  ModuleBytes outer;
  type = outer.type({kI32}, {kI32});
  auto takes_i32 = outer.type({kI32}, {});
  outer.import_func(type);
  outer.import_tag(takes_i32);
  auto f = outer.func(type,
                      local_get(0) + i32_const(9) + i32_mul() + local_set(1) + block(kI32) +
                          try_table(kI32, {catch_clause(0, 0)}) + local_get(0) + call(0) + end() + end() +
                          local_get(1) + i32_add(),
                      {kI32});
  auto* catcher =
      instantiate(outer, {runtime::ExternFunc{middle->func(through)}, thrower->item(artifact::ExternKind::Tag, 0)});
  EXPECT_EQ(run_i32(catcher, f, {2}), 2u + 18u);
  EXPECT_EQ(run_i32(catcher, f, {0}), 0u);
}

TEST_P(Exceptions, ATagIsItsInstances) {
  Thrower module;
  auto* first = instantiate(module);
  auto* second = instantiate(module);
  ModuleBytes outer;
  auto type = outer.type({kI32}, {kI32});
  auto takes_i32 = outer.type({kI32}, {});
  outer.import_func(type);
  outer.import_tag(takes_i32);
  outer.import_tag(takes_i32);
  auto f = outer.func(type, block(kI32) + block(kI32) + try_table(kI32, {catch_clause(0, 0), catch_clause(1, 1)}) +
                                local_get(0) + call(0) + end() + return_() + end() + i32_const(100) + i32_add() +
                                return_() + end() + i32_const(200) + i32_add());
  auto tag = [](runtime::Instance* instance) { return instance->item(artifact::ExternKind::Tag, 0); };
  runtime::ExternFunc thrower{second->func(0)};
  EXPECT_EQ(run_i32(instantiate(outer, {thrower, tag(first), tag(second)}), f, {5}), 205u);
  EXPECT_EQ(run_i32(instantiate(outer, {thrower, tag(second), tag(second)}), f, {5}), 105u);
  EXPECT_EQ(run_i32(instantiate(outer, {thrower, tag(second), tag(first)}), f, {5}), 105u);
  expect_trap(instantiate(outer, {thrower, tag(first), tag(first)}), f, abi::Trap::UncaughtException, {5});
}

// The host function's failure is what the outer guest sees, and no clause takes a trap.
TEST_P(Exceptions, DoNotCrossTheHost) {
  struct Environment {
    runtime::Store* store;
    runtime::Instance* thrower;
    bool failed = false;
  };
  Thrower inner;
  Environment environment{store_.get(), instantiate(inner)};
  artifact::FuncTypeMeta type{.params = {wasm::ValType::i32().raw()}, .results = {wasm::ValType::i32().raw()}};
  auto* host = store_->add_host_func(
      type,
      [](abi::HostFunc* self, abi::ValRaw* values) -> std::uint32_t {
        auto& environment = *static_cast<Environment*>(self->environment);
        auto result = environment.store->call(*environment.thrower->func(0), values);
        environment.failed = !result;
        if (environment.failed) environment.store->set_pending_trap(abi::Trap::HostError, "the callback threw");
        return environment.failed;
      },
      &environment);
  ModuleBytes outer;
  auto i32_to_i32 = outer.type({kI32}, {kI32});
  outer.import_func(i32_to_i32);
  auto f = outer.func(i32_to_i32, block() + try_table(kVoid, {catch_all_clause(0)}) + local_get(0) + call(0) +
                                      return_() + end() + end() + i32_const(1));
  auto* instance = instantiate(outer, {runtime::ExternFunc{host}});
  EXPECT_EQ(run_i32(instance, f, {0}), 7u);
  EXPECT_FALSE(environment.failed);
  expect_trap(instance, f, abi::Trap::HostError, {5});
  EXPECT_TRUE(environment.failed);
  EXPECT_EQ(run_i32(instance, f, {0}), 7u) << "and it goes on working";
}

TEST_P(Exceptions, AnUncaughtOneKeepsTheBacktraceOfItsThrow) {
  Thrower m;
  m.tag(m.nothing);
  auto middle = m.func(m.i32_to_i32, block() + try_table(kI32, {catch_clause(1, 0)}) + local_get(0) + call(0) + end() +
                                         return_() + end() + i32_const(0));
  auto f = m.func(m.i32_to_i32, local_get(0) + call(middle) + i32_const(1) + i32_add());
  auto* instance = instantiate(m);
  expect_trap(instance, f, abi::Trap::UncaughtException, {5});
  std::vector<std::uint32_t> functions;
  for (const auto& frame : store_->last_trap().backtrace) functions.push_back(frame.frame.func);
  EXPECT_EQ(functions, (std::vector<std::uint32_t>{0, middle, f}));
}

TEST_P(Exceptions, ANullReferenceCannotBeThrown) {
  ModuleBytes m;
  auto f = m.func(m.type({}, {}), ref_null(0x69) + throw_ref());
  expect_trap(instantiate(m), f, abi::Trap::NullReference);
}

TEST_P(Exceptions, TrapsPassEveryClause) {
  ModuleBytes m;
  auto none = m.type({}, {});
  auto trap = m.func(none, unreachable());
  auto f = m.func(none, block() + try_table(kVoid, {catch_all_clause(0)}) + call(trap) + end() + end());
  expect_trap(instantiate(m), f, abi::Trap::Unreachable);
}

// A C++ clean-up: catch_all_ref, something else thrown and caught meanwhile, throw_ref.
TEST_P(Exceptions, AReferenceThrowsTheSameException) {
  Thrower m;
  auto quiet = m.func(m.nothing, block(kI32) + try_table(kI32, {catch_clause(0, 0)}) + i32_const(99) + call(0) + end() +
                                     end() + drop());
  auto cleanup = m.func(m.i32_to_i32, block(kExnref) + try_table(kI32, {catch_all_ref_clause(0)}) + local_get(0) +
                                          call(0) + end() + return_() + end() + call(quiet) + throw_ref());
  auto f = m.func(m.i32_to_i32, block(kI32) + try_table(kI32, {catch_clause(0, 0)}) + local_get(0) + call(cleanup) +
                                    end() + return_() + end() + i32_const(1) + i32_add());
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, f, {41}), 42u);
  EXPECT_EQ(run_i32(instance, f, {0}), 7u);
  expect_trap(instance, cleanup, abi::Trap::UncaughtException, {41});
}

// exnref in a global, in a table, and inside another exception; all others are used again.
TEST_P(Exceptions, StayWhileReferredToAndNoLonger) {
  Thrower m;
  auto gives_ref = m.type({kI32}, {kExnref});
  auto takes_ref = m.type({kExnref}, {kI32});
  auto holder = m.tag(m.type({kExnref}, {}));
  m.raw_table({kExnref, 0, 3});
  m.global(kExnref, true, ref_null(0x69));
  auto pack = m.type({}, {kI32, kExnref});
  auto make = m.func(gives_ref,
                     block_of(pack) + try_table(kVoid, {catch_ref_clause(0, 0)}) + local_get(0) + call(0) + drop() +
                         end() + unreachable() + end() + local_set(1) + drop() + local_get(1),
                     {kExnref});
  auto open = m.func(takes_ref, block(kI32) + try_table(kVoid, {catch_clause(0, 0)}) + local_get(0) + throw_ref() +
                                    end() + unreachable() + end());
  auto wrap = m.func(takes_ref,
                     block(kExnref) + try_table(kVoid, {catch_all_ref_clause(0)}) + local_get(0) + throw_(holder) +
                         end() + unreachable() + end() + i32_const(2) + local_set(1) + local_set(0) + local_get(1) +
                         local_get(0) + table_set(0) + i32_const(0),
                     {kI32});
  auto unwrap = m.func(m.i32_to_i32, block(kExnref) + try_table(kVoid, {catch_clause(holder, 0)}) + i32_const(2) +
                                         table_get(0) + throw_ref() + end() + unreachable() + end() + call(open));
  auto keep = m.func(m.nothing, i32_const(11) + call(make) + global_set(0) + i32_const(1) + i32_const(22) + call(make) +
                                    table_set(0) + i32_const(33) + call(make) + call(wrap) + drop());
  auto churn = m.func(m.i32_to_i32, loop() + local_get(0) + call(make) + drop() + local_get(0) + i32_const(1) +
                                        i32_sub() + local_tee(0) + br_if(0) + end() + i32_const(0));
  // One on the stack alone while others come and go.
  auto hold = m.func(m.i32_to_i32, i32_const(44) + call(make) + local_get(0) + call(churn) + drop() + call(open));
  auto look = m.func(m.i32_to_i32, global_get(0) + call(open) + i32_const(100) + i32_mul() + i32_const(1) +
                                       table_get(0) + call(open) + i32_add() + i32_const(100) + i32_mul() +
                                       local_get(0) + call(unwrap) + i32_add());
  runtime::StoreLimits limits;
  limits.memory_bytes = 1 << 20;
  make_store(limits);
  auto* instance = instantiate(m);
  ASSERT_TRUE(run(instance, keep));
  EXPECT_EQ(run_i32(instance, look, {0}), 112233u);
  EXPECT_EQ(run_i32(instance, churn, {100000}), 0u);
  EXPECT_EQ(run_i32(instance, hold, {100000}), 44u);
  EXPECT_EQ(run_i32(instance, look, {0}), 112233u);
  EXPECT_LT(store_->memory_in_use(), 256u * 1024);
}

TEST_P(Exceptions, CountAgainstTheMemoryLimit) {
  Thrower m;
  auto chain = m.tag(m.type({kExnref}, {}));
  // An endless chain of exceptions, each with the last one inside.
  auto f = m.func(m.nothing,
                  loop() + block(kExnref) + try_table(kVoid, {catch_all_ref_clause(0)}) + local_get(0) + throw_(chain) +
                      end() + unreachable() + end() + local_set(0) + br(0) + end(),
                  {kExnref});
  runtime::StoreLimits limits;
  limits.memory_bytes = 1 << 20;
  make_store(limits);
  auto* instance = instantiate(m);
  expect_trap(instance, f, abi::Trap::MemoryLimit);
  EXPECT_EQ(run_i32(instance, 0, {0}), 7u);
}

TEST_P(Exceptions, ThrowingForEverEndsAtTheDeadline) {
  Thrower m;
  auto f = m.func(m.nothing, loop() + block(kI32) + try_table(kI32, {catch_clause(0, 0)}) + i32_const(1) + call(0) +
                                 end() + end() + drop() + br(0) + end());
  auto* instance = instantiate(m);
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  store_->set_deadline(std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec + 50'000'000);
  expect_trap(instance, f, abi::Trap::Timeout);
}

// ---- the legacy form ----

class LegacyExceptions : public EngineTest {};
INSTANTIATE_TEST_SUITE_P(All, LegacyExceptions, kEverySetting, setting_name);

TEST_P(LegacyExceptions, TheFirstArmThatFitsTakesIt) {
  Thrower m;
  auto other = m.tag(m.nothing);
  auto f = m.func(m.i32_to_i32, try_(kI32) + local_get(0) + i32_const(9) + op(0x46) + if_() + throw_(other) + end() +
                                    local_get(0) + call(0) + catch_(0) + i32_const(100) + i32_add() + catch_all() +
                                    i32_const(200) + end() + i32_const(1) + i32_add());
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, f, {0}), 8u);
  EXPECT_EQ(run_i32(instance, f, {5}), 106u);
  EXPECT_EQ(run_i32(instance, f, {9}), 201u);
}

TEST_P(LegacyExceptions, WithoutAnArmThatFitsItGoesOn) {
  Thrower m;
  auto other = m.tag(m.nothing);
  auto bare = m.func(m.i32_to_i32, try_(kI32) + local_get(0) + call(0) + end());
  auto f = m.func(m.i32_to_i32, try_(kI32) + try_(kI32) + local_get(0) + call(bare) + catch_(other) + i32_const(1) +
                                    end() + catch_(0) + i32_const(50) + i32_add() + end());
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, f, {5}), 55u);
  expect_trap(instance, bare, abi::Trap::UncaughtException, {5});
}

TEST_P(LegacyExceptions, AnArmIsOutsideItsTry) {
  Thrower m;
  auto f = m.func(m.i32_to_i32, try_(kI32) + try_(kI32) + local_get(0) + call(0) + catch_(0) + i32_const(1) +
                                    i32_add() + call(0) + catch_all() + i32_const(-1) + end() + catch_(0) +
                                    i32_const(70) + i32_add() + end());
  EXPECT_EQ(run_i32(instantiate(m), f, {5}), 76u);
}

TEST_P(LegacyExceptions, RethrowNamesTheCatchItIsIn) {
  Thrower m;
  // catch 5, then inside it catch 6 (by a call), then rethrow the outer one (depth 1) or the inner one (depth 0).
  auto make = [&](std::uint32_t depth) {
    return m.func(m.i32_to_i32, try_(kI32) + try_(kI32) + local_get(0) + call(0) + catch_(0) + drop() + try_(kI32) +
                                    local_get(0) + i32_const(1) + i32_add() + call(0) + catch_(0) + drop() +
                                    rethrow(depth) + end() + end() + catch_(0) + i32_const(100) + i32_mul() + end());
  };
  auto outer = make(1), inner = make(0);
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, outer, {5}), 500u);
  EXPECT_EQ(run_i32(instance, inner, {5}), 600u);
}

TEST_P(LegacyExceptions, DelegateSkipsToTheTryItNames) {
  Thrower m;
  // try A { try B { try { call } delegate N } catch 1 } catch 2: B is depth 0, A is depth 1.
  auto make = [&](std::uint32_t depth) {
    return m.func(m.i32_to_i32, try_(kI32) + try_(kI32) + try_(kI32) + local_get(0) + call(0) + delegate(depth) +
                                    catch_all() + i32_const(1) + end() + catch_all() + i32_const(2) + end());
  };
  auto to_b = make(0), to_a = make(1), out = make(2);
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, to_b, {5}), 1u);
  EXPECT_EQ(run_i32(instance, to_a, {5}), 2u);
  EXPECT_EQ(run_i32(instance, out, {0}), 7u);
  expect_trap(instance, out, abi::Trap::UncaughtException, {5});
}

TEST_P(LegacyExceptions, DelegateToABlockOrAnArmGoesToTheTryAroundIt) {
  Thrower m;
  auto to_block = m.func(m.i32_to_i32, try_(kI32) + block(kI32) + try_(kI32) + local_get(0) + call(0) + delegate(0) +
                                           end() + catch_all() + i32_const(3) + end());
  auto to_arm =
      m.func(m.i32_to_i32, try_(kI32) + try_(kI32) + local_get(0) + call(0) + catch_(0) + drop() + try_(kI32) +
                               local_get(0) + call(0) + delegate(0) + end() + catch_all() + i32_const(4) + end());
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, to_block, {5}), 3u);
  EXPECT_EQ(run_i32(instance, to_arm, {5}), 4u);
}

TEST_P(LegacyExceptions, ArmsThatNothingReachesAreLoweredAllTheSame) {
  Thrower m;
  auto f = m.func(m.i32_to_i32, try_(kI32) + local_get(0) + catch_(0) + i32_const(3) + i32_mul() + catch_all() +
                                    rethrow(0) + end() + i32_const(1) + i32_add());
  EXPECT_EQ(run_i32(instantiate(m), f, {5}), 6u);
}

} // namespace
} // namespace cusp::test
