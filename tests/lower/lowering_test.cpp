// What lowering promises beyond the right result, which the specification's suite checks: where bounds checks are and
// are not, that loads which only trap stay, that calls are calls, how results travel, and that what it does not know is
// refused.
#include <gmock/gmock.h>

#include "lower/lowered.h"

namespace cusp::test {
namespace {

using testing::HasSubstr;
using testing::Not;

// Operators that the tests write.
constexpr std::uint8_t kUnreachable = 0x00, kBlock = 0x02, kLoop = 0x03, kIf = 0x04, kElse = 0x05, kEnd = 0x0b,
                       kBr = 0x0c, kBrIf = 0x0d, kBrTable = 0x0e, kReturn = 0x0f, kCall = 0x10, kCallIndirect = 0x11,
                       kReturnCall = 0x12, kDrop = 0x1a, kLocalGet = 0x20, kLocalSet = 0x21, kGlobalGet = 0x23,
                       kI32Load = 0x28, kI32Store = 0x36, kI32Const = 0x41, kF32Const = 0x43, kI32Add = 0x6a,
                       kI32DivS = 0x6d, kI32RemS = 0x6f, kF32Mul = 0x94, kVoid = 0x40;

compile::LoweringSettings explicit_bounds() {
  compile::LoweringSettings settings;
  settings.bounds = artifact::BoundsMode::Explicit;
  return settings;
}

ModuleBytes loads(const Bytes& offset = {0}, std::uint8_t memory_flags = 0) {
  ModuleBytes m;
  m.memory(memory_flags);
  Bytes code{kLocalGet, 0, kI32Load, 2};
  append(code, offset);
  m.func(m.type({memory_flags == 4 ? kI64 : kI32}, {kI32}), code);
  return m;
}

TEST(Bounds, GuardPagesNeedNoCheck) {
  Lowered lowered(loads());
  EXPECT_EQ(conditional_branches(lowered.function(0)), 0u) << lowered.text(0);
}

TEST(Bounds, ExplicitModeChecksOnce) {
  Lowered lowered(loads(), explicit_bounds());
  EXPECT_EQ(conditional_branches(lowered.function(0)), 1u) << lowered.text(0);
  EXPECT_THAT(lowered.text(0), HasSubstr("cusp_trap_MemoryOutOfBounds"));
}

TEST(Bounds, OffsetsBeyondTheGuardAreChecked) {
  Lowered inside(loads(leb(abi::kMaxUncheckedOffset)));
  EXPECT_EQ(conditional_branches(inside.function(0)), 0u);
  Lowered beyond(loads(leb(abi::kMaxUncheckedOffset + 1)));
  EXPECT_EQ(conditional_branches(beyond.function(0)), 1u);
}

TEST(Bounds, EveryKindOfMemoryHasItsMode) {
  using enum artifact::BoundsMode;
  wasm::MemoryType type;
  EXPECT_EQ(compile::memory_bounds(type, Guard), Guard);
  EXPECT_EQ(compile::memory_bounds(type, Explicit), Explicit);
  type.page_size_log2 = 0;
  EXPECT_EQ(compile::memory_bounds(type, Guard), Explicit);
  type = {.limits = {}, .memory64 = true};
  EXPECT_EQ(compile::memory_bounds(type, Guard), Explicit);
}

// A load whose value goes nowhere is a bounds check in guard mode.
TEST(UnusedLoads, StayThroughTheOptimiser) {
  ModuleBytes m;
  m.memory();
  const auto type = m.type({kI32}, {});
  m.func(type, {kLocalGet, 0, kI32Load, 2, 0, kDrop});
  m.func(type, {kLocalGet, 0, kI32Load, 2, 0, kI32Const, 1, kI32Add, kLocalSet, 0});
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_THAT(lowered.text(0), HasSubstr("load volatile i32"));
  EXPECT_THAT(lowered.text(1), HasSubstr("load volatile i32"));
}

TEST(UnusedLoads, UsedOnesAreOrdinary) {
  ModuleBytes m;
  m.memory();
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kI32Load, 2, 0});
  m.func(m.type({kI32}, {}), {kI32Const, 0, kLocalGet, 0, kI32Load, 2, 0, kI32Store, 2, 0});
  Lowered lowered(m);
  EXPECT_THAT(lowered.text(0), Not(HasSubstr("volatile")));
  EXPECT_THAT(lowered.text(1), Not(HasSubstr("volatile")));
}

TEST(UnusedLoads, DeadCodeAfterATerminatedBlockIsRemoved) {
  ModuleBytes m;
  m.memory();
  // what follows the block is valid and can never run
  m.func(m.type({}, {kI32}), {kBlock, kI32, kBlock, kVoid, kUnreachable, kEnd, kI32Const, 0, kI32Load, 2, 0, kEnd});
  Lowered lowered(m);
  EXPECT_THAT(lowered.text(0), Not(HasSubstr("load i32")));
}

// The base of a memory is loaded once, however many accesses, and the optimiser knows that a store leaves globals
// alone.
TEST(Aliases, StoresToMemoryLeaveTheContextAlone) {
  ModuleBytes m;
  m.memory();
  m.global(kI32, true, {kI32Const, 7});
  m.func(m.type({kI32}, {kI32}), {kGlobalGet, 0, kLocalGet, 0, kI32Const, 1, kI32Store, 2, 0, kGlobalGet, 0, kI32Add});
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_EQ(count<llvm::LoadInst>(lowered.function(0)), 2u) << lowered.text(0); // memory base, global
}

TEST(Calls, ProbeTheStackWhereTheyAreMade) {
  ModuleBytes m;
  const auto nothing = m.type({}, {});
  m.import_func(nothing);
  m.func(nothing, {kCall, 0});
  m.func(nothing, {kUnreachable});
  m.func(nothing, {kReturnCall, 0});
  Lowered lowered(m);
  lowered.optimise();
  const std::string probe = "testb %al, -131072(%rsp)";
  EXPECT_THAT(lowered.text(1), HasSubstr(probe));
  EXPECT_THAT(lowered.text(2), Not(HasSubstr(probe)));
  EXPECT_THAT(lowered.text(3), HasSubstr(probe));
  Lowered quick(m);
  quick.optimise(0);
  for (std::uint32_t func : {1u, 3u}) EXPECT_THAT(quick.text(func), HasSubstr("load volatile i8"));
  EXPECT_THAT(quick.text(2), Not(HasSubstr("load volatile")));
}

// Otherwise runaway recursion would never exhaust the stack.
TEST(Calls, AreNotTurnedIntoJumps) {
  ModuleBytes m;
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kCall, 0});
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_THAT(lowered.text(0), HasSubstr("notail call tailcc"));
}

TEST(Calls, TailCallsAreGuaranteed) {
  ModuleBytes m;
  m.func(m.type({kI32}, {kI32, kI32, kI32, kI32}), {kLocalGet, 0, kReturnCall, 0});
  m.func(m.type({kI32, kF64}, {kI32}), {kLocalGet, 0, kLocalGet, 1, kReturnCall, 1});
  Lowered lowered(m);
  EXPECT_THAT(lowered.text(0), HasSubstr("musttail call tailcc void"));
  EXPECT_THAT(lowered.text(1), HasSubstr("musttail call tailcc i32"));
}

TEST(Calls, ResultsTravelAsTheAbiSays) {
  ModuleBytes m;
  m.func(m.type({}, {kI32, kI64, kI32}), {kI32Const, 1, 0x42, 2, kI32Const, 3});
  m.func(m.type({}, {kI32, kI64, kI32, kI32}), {kI32Const, 1, 0x42, 2, kI32Const, 3, kI32Const, 4});
  m.func(m.type({}, {kI32}), {kCall, 1, kDrop, kDrop, kDrop});
  Lowered lowered(m);
  EXPECT_TRUE(lowered.function(0).getReturnType()->isStructTy());
  EXPECT_TRUE(lowered.function(1).getReturnType()->isVoidTy());
  EXPECT_EQ(count<llvm::StoreInst>(lowered.function(1)), 4u);
}

TEST(Calls, IndirectOnesCheckBoundsNullAndType) {
  ModuleBytes m;
  m.table(10);
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kLocalGet, 0, kCallIndirect, 0, 0});
  Lowered lowered(m);
  EXPECT_EQ(conditional_branches(lowered.function(0)), 3u) << lowered.text(0);
  for (const char* trap : {"TableOutOfBounds", "IndirectCallToNull", "BadSignature"})
    EXPECT_THAT(lowered.text(0), HasSubstr(trap));
}

TEST(Control, EveryShapeVerifies) {
  ModuleBytes m;
  const auto pair = m.type({kI32}, {kI32, kI32}); // also a block type
  const auto one = m.type({kI32}, {kI32});
  m.func(one, {kLocalGet, 0, kLoop, 1, kLocalGet, 0, kBrIf, 0, kEnd}); // loop with a parameter
  m.func(one,
         {kLocalGet, 0, kLocalGet, 0, kIf, 1, kI32Const, 1, kI32Add, kEnd}); // if without else, parameter passed on
  m.func(one, {kLocalGet, 0, kIf, kI32, kI32Const, 1, kElse, kI32Const, 2, kReturn, kEnd}); // one arm returns
  m.func(one, {kBlock, kI32, kI32Const, 5, kLocalGet, 0, kBrTable, 3, 0, 1, 0, 1,
               kEnd});                                                         // edges to the function's own label
  m.func(one, {kLoop, kI32, kBr, 0, kEnd});                                    // never ends
  m.func(one, {kLocalGet, 0, kBlock, 0, kI32Const, 3, kBr, 0, kEnd, kI32Add}); // two results
  m.func(one, {kUnreachable, kBlock, kVoid, kLoop, kVoid, kEnd, kEnd});        // unreachable frames
  m.func(pair, {kLocalGet, 0, kLocalGet, 0, kLocalGet, 0, kBrIf, 0});
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_FALSE(lowered.failed());
}

// x * 1 makes a signalling NaN quiet, so that the multiplication may not disappear.
TEST(Floats, IdentitiesStillQuietNans) {
  ModuleBytes m;
  m.func(m.type({kF32}, {kF32}), {kLocalGet, 0, kF32Const, 0, 0, 0x80, 0x3f, kF32Mul});
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_THAT(lowered.text(0), HasSubstr("canonicalize"));
}

TEST(Integers, DivisionIsGuarded) {
  ModuleBytes m;
  const auto type = m.type({kI32, kI32}, {kI32});
  m.func(type, {kLocalGet, 0, kLocalGet, 1, kI32DivS});
  m.func(type, {kLocalGet, 0, kLocalGet, 1, kI32RemS});
  m.func(type, {kLocalGet, 0, kI32Const, 3, kI32DivS});
  Lowered lowered(m);
  EXPECT_EQ(conditional_branches(lowered.function(0)), 2u);
  EXPECT_EQ(conditional_branches(lowered.function(1)), 1u);
  EXPECT_EQ(conditional_branches(lowered.function(2)), 0u) << lowered.text(2);
}

TEST(Refusals, InvalidBodiesAreTheValidators) {
  ModuleBytes m;
  m.func(m.type({}, {kI32}), {kI32Const, 1, kI32Add});
  Lowered lowered(m);
  ASSERT_TRUE(lowered.failed());
  EXPECT_EQ(lowered.error().code, base::ErrorCode::Invalid);
}

TEST(TrapStubs, OneForEachTrapAtItsPlace) {
  llvm::LLVMContext context;
  llvm::Module module("stubs", context);
  compile::GroupLowering::emit_trap_stubs(module);
  const std::string text = module.getModuleInlineAsm();
  std::size_t stubs = 0;
  for (std::size_t at = text.find("ud2"); at != std::string::npos; at = text.find("ud2", at + 1)) ++stubs;
  EXPECT_EQ(stubs, abi::kTrapCount);
}

} // namespace
} // namespace cusp::test
