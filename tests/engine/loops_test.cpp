// Loops over memory near both ends of 32 bits: what is made of them must do what each turn by itself would.
#include "engine/engine.h"
#include "lower/code_bytes.h"

namespace cusp::test {
namespace {

using namespace code;

class Loops : public EngineTest {};
INSTANTIATE_TEST_SUITE_P(All, Loops, kEverySetting, setting_name);

Bytes i32_ne() { return op(0x47); }
Bytes i32_lt_u() { return op(0x49); }
Bytes i32_shl() { return op(0x74); }

// Stores index + 1 at start + step * index for each of `turns` turns, only where that is below 65536 if `guarded`; then gives the word
// at `place`. Parameters: start, turns, step, place; locals: index, address.
std::uint32_t stores(ModuleBytes& m, bool guarded) {
  const Bytes store = local_get(5) + local_get(4) + i32_const(1) + i32_add() + i32_store(0);
  const Bytes body = local_get(0) + local_get(4) + local_get(2) + i32_mul() + i32_add() + local_set(5) +
                     (guarded ? local_get(5) + i32_const(65536) + i32_lt_u() + if_() + store + end() : store);
  return m.func(m.type({kI32, kI32, kI32, kI32}, {kI32}),
                loop() + body + local_get(4) + i32_const(1) + i32_add() + local_tee(4) + local_get(1) + i32_ne() +
                    br_if(0) + end() + local_get(3) + i32_load(0),
                {kI32, kI32});
}

TEST_P(Loops, SumsWrap) {
  ModuleBytes m;
  m.memory(0);
  auto f = stores(m, true);
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, f, {0xfffffff0u, 40, 4, 0}), 5u); // passes the end and goes on from 0
  EXPECT_EQ(run_i32(instance, f, {0xfffffff0u, 40, 4, 140}), 40u);
  EXPECT_EQ(run_i32(instance, f, {400, 200, 0xfffffffcu, 0}), 101u);   // falls below 0 and goes on from the end
  EXPECT_EQ(run_i32(instance, f, {1000, 100, 0xc0000004u, 1008}), 0u); // other than every fourth turn lies out of reach
  EXPECT_EQ(run_i32(instance, f, {1000, 100, 0xc0000004u, 1016}), 5u);
}

TEST_P(Loops, WithinMemory) {
  ModuleBytes m;
  m.memory(0);
  auto f = stores(m, false);
  auto* instance = instantiate(m);
  EXPECT_EQ(run_i32(instance, f, {0, 16384, 4, 65532}), 16384u);
  EXPECT_EQ(run_i32(instance, f, {65532, 16384, 0xfffffffcu, 0}), 16384u);
  EXPECT_EQ(run_i32(instance, f, {0, 1, 0x7fffffffu, 0}), 1u);
}

// Whether the stores before it are seen is not promised (docs/traps.md).
TEST_P(Loops, WhatLeavesMemoryTraps) {
  ModuleBytes m;
  m.memory(0);
  auto f = stores(m, false);
  auto* instance = instantiate(m);
  expect_trap(instance, f, abi::Trap::MemoryOutOfBounds, {65436, 1000, 4, 0});
  expect_trap(instance, f, abi::Trap::MemoryOutOfBounds, {0xffffffe0u, 1000, 4, 0});
  expect_trap(instance, f, abi::Trap::MemoryOutOfBounds, {96, 1000, 0xfffffffcu, 0});
}

// A turn is two neighbours, as compilers unroll: to[k] = from[k] + 1. Parameters: to, from, turns.
TEST_P(Loops, NeighboursThatOverlap) {
  ModuleBytes m;
  m.memory(0);
  Bytes body;
  for (std::uint32_t offset : {0u, 4u})
    body += local_get(0) + local_get(3) + i32_add() + i32_const(static_cast<std::int32_t>(offset)) + i32_add() +
            local_get(1) + local_get(3) + i32_add() + i32_const(static_cast<std::int32_t>(offset)) + i32_add() +
            i32_load(0) + i32_const(1) + i32_add() + i32_store(0);
  auto f = m.func(m.type({kI32, kI32, kI32}, {}),
                  loop() + body + local_get(3) + i32_const(8) + i32_add() + local_tee(3) + local_get(2) + i32_const(3) +
                      i32_shl() + i32_ne() + br_if(0) + end(),
                  {kI32});
  auto read = m.func(m.type({kI32}, {kI32}), local_get(0) + i32_load(0));
  auto* instance = instantiate(m);
  ASSERT_TRUE(run(instance, f, {1004, 1000, 100})); // each reads what the one before wrote
  EXPECT_EQ(run_i32(instance, read, {1800}), 200u);
  ASSERT_TRUE(run(instance, f, {20000, 1000, 100})); // apart
  EXPECT_EQ(run_i32(instance, read, {20796}), 200u);
  ASSERT_TRUE(run(instance, f, {996, 1000, 100})); // each reads what has not been written yet
  EXPECT_EQ(run_i32(instance, read, {1792}), 200u);
}

} // namespace
} // namespace cusp::test
