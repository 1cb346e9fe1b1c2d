// Memory in all its kinds: what a bounds check costs and what the optimiser may do with it, short copies and fills, shared
// memories, atomics.
#include <cmath>
#include <cstring>
#include <random>

#include <gmock/gmock.h>
#include <llvm/IR/IntrinsicInst.h>

#include "../src/compile/guestlib/fma.h"
#include "lower/lowered.h"

namespace cusp::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint8_t kLoop = 0x03, kEnd = 0x0b, kBrIf = 0x0d, kCall = 0x10, kIf = 0x04, kDrop = 0x1a,
                       kLocalGet = 0x20, kLocalTee = 0x22, kI32Load = 0x28, kI64Load = 0x29, kI32Store = 0x36,
                       kI32Const = 0x41, kI64Const = 0x42, kI32Add = 0x6a, kI64Add = 0x7c, kBulk = 0xfc, kAtomic = 0xfe,
                       kVoid = 0x40;
constexpr std::uint8_t k64 = 4, kShared = 3;

compile::LoweringSettings explicit_bounds() {
  compile::LoweringSettings settings;
  settings.bounds = artifact::BoundsMode::Explicit;
  return settings;
}

// i32.load of the parameter, from a memory of one page.
ModuleBytes load_at(const Bytes& offset, std::uint8_t memory_flags) {
  ModuleBytes m;
  m.memory(memory_flags);
  Bytes code{kLocalGet, 0, kI32Load, 2};
  append(code, offset);
  m.func(m.type({(memory_flags & k64) != 0 ? kI64 : kI32}, {kI32}), code);
  return m;
}

TEST(Bounds64, OneComparisonWhateverTheOffset) {
  for (std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{65532}, std::uint64_t{65533}, std::uint64_t{1} << 40}) {
    Lowered lowered(load_at(leb(offset), k64));
    lowered.optimise();
    EXPECT_EQ(conditional_branches(lowered.function(0)), 1u) << offset << lowered.text(0);
    EXPECT_EQ(count<llvm::ICmpInst>(lowered.function(0)), 1u) << offset << lowered.text(0);
    EXPECT_EQ(count<llvm::TruncInst>(lowered.function(0)), 0u) << lowered.text(0);
  }
}

TEST(Bounds64, AnOffsetThatNoMemoryReachesAlwaysTraps) {
  for (std::uint64_t offset : {~std::uint64_t{0}, ~std::uint64_t{0} - 8, std::uint64_t{1} << 63}) {
    Lowered always(load_at(leb(offset), k64));
    always.optimise();
    EXPECT_EQ(count<llvm::LoadInst>(always.function(0)), 0u) << always.text(0);
    EXPECT_EQ(count<llvm::UnreachableInst>(always.function(0)), 1u);
  }
}

unsigned traps(const llvm::Function& function) {
  unsigned n = 0;
  for (const llvm::BasicBlock& block : function)
    for (const llvm::Instruction& instruction : block)
      if (const auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction); call && call->getCalledFunction())
        n += call->getCalledFunction()->getName() == "cusp_trap_MemoryOutOfBounds";
  return n;
}

// A later access that reaches no further than one before it needs no check, even after a call; one that is not certain to
// come later does, and so does one after another value was given to the index.
TEST(Bounds, LaterChecksAreImpliedByWiderOnes) {
  for (std::uint8_t flags : {std::uint8_t{0}, k64}) {
    const std::uint8_t address = flags == k64 ? kI64 : kI32;
    ModuleBytes m;
    m.memory(flags);
    const auto type = m.type({address}, {kI32});
    const std::uint8_t nothing = static_cast<std::uint8_t>(m.import_func(m.type({}, {})));
    m.func(type, {kLocalGet, 0, kI32Load, 2, 8, kLocalGet, 0, kI32Load, 2, 4, kI32Add, kCall, nothing, kLocalGet, 0,
                  kI32Load, 2, 0, kI32Add});
    m.func(type, {kLocalGet, 0, kI32Load, 2, 4, kLocalGet, 0, kI32Load, 2, 8, kI32Add});
    m.func(type, {kLocalGet, 0,    kI32Load,  2,    8,         kIf, kVoid,    kLocalGet, 0,     kI32Load,  2, 0,
                  kDrop,     kEnd, kLocalGet, 0,    kI32Load,  2,   16,       kIf,       kVoid, kLocalGet, 0, kI32Load,
                  2,         24,   kDrop,     kEnd, kLocalGet, 0,   kI32Load, 2,         20});
    Lowered lowered(m, explicit_bounds());
    lowered.optimise();
    EXPECT_EQ(traps(lowered.function(1)), 1u) << lowered.text(1);
    EXPECT_EQ(traps(lowered.function(2)), 2u) << lowered.text(2);
    EXPECT_EQ(traps(lowered.function(3)), 4u) << "8, 16, 24 under a condition, 20" << lowered.text(3);
  }
}

// The size is read before the loop, not in it, where nothing in the loop can change it.
TEST(Bounds64, TheSizeLeavesTheLoop) {
  ModuleBytes m;
  m.memory(k64);
  m.func(m.type({kI64}, {}),
         {kLoop, kVoid,   kLocalGet, 0, kI32Const, 1, kI32Store, 2,    16,    kLocalGet, 0,   kI64Const,
          12,    kI64Add, kLocalTee, 0, kI64Load,  3, 0,         0xa7, kBrIf, 0,         kEnd});
  Lowered lowered(m);
  lowered.optimise();
  const llvm::Function& function = lowered.function(0);
  EXPECT_EQ(count<llvm::LoadInst>(function), 3u) << lowered.text(0); // base, size, the value
  for (const llvm::Instruction& instruction : function.getEntryBlock())
    if (const auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction))
      EXPECT_NE(load->getMetadata(llvm::LLVMContext::MD_range) != nullptr, load->getType()->isPointerTy());
}

// ---- copy and fill ----

Bytes copy_of(const Bytes& length) {
  Bytes code{kLocalGet, 0, kLocalGet, 1};
  append(code, length);
  append(code, {kBulk, 10, 0, 0});
  return code;
}

unsigned indirect_calls(const llvm::Function& function) {
  unsigned n = 0;
  for (const llvm::BasicBlock& block : function)
    for (const llvm::Instruction& instruction : block)
      if (const auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction)) n += call->isIndirectCall();
  return n;
}

TEST(Copy, AShortConstantLengthIsLoadsAndStores) {
  ModuleBytes m;
  m.memory();
  m.func(m.type({kI32, kI32}, {}), copy_of({kI32Const, 24}));
  Lowered lowered(m);
  EXPECT_EQ(conditional_branches(lowered.function(0)), 2u) << "the bounds of both ranges" << lowered.text(0);
  EXPECT_EQ(count<llvm::MemMoveInst>(lowered.function(0)), 1u);
  EXPECT_EQ(indirect_calls(lowered.function(0)), 0u);
}

TEST(Copy, ALongConstantLengthIsTheBuiltIns) {
  ModuleBytes m;
  m.memory();
  m.func(m.type({kI32, kI32}, {}), copy_of({kI32Const, 0x80, 0x20}));
  Lowered lowered(m);
  EXPECT_EQ(conditional_branches(lowered.function(0)), 0u) << "which checks";
  EXPECT_EQ(indirect_calls(lowered.function(0)), 1u);
}

TEST(Copy, AnUnknownLengthDecidesAtRunTime) {
  for (std::uint8_t flags : {std::uint8_t{0}, k64}) {
    ModuleBytes m;
    m.memory(flags);
    const std::uint8_t address = flags == k64 ? kI64 : kI32;
    m.func(m.type({address, address, address}, {}), copy_of({kLocalGet, 2}));
    m.func(m.type({address, kI32, address}, {}), {kLocalGet, 0, kLocalGet, 1, kLocalGet, 2, kBulk, 11, 0});
    Lowered lowered(m);
    EXPECT_EQ(conditional_branches(lowered.function(0)), 3u) << lowered.text(0);
    EXPECT_EQ(indirect_calls(lowered.function(0)), 1u);
    EXPECT_THAT(lowered.text(0), HasSubstr("@cusp_short_copy"));
    EXPECT_EQ(conditional_branches(lowered.function(1)), 2u) << lowered.text(1);
    EXPECT_THAT(lowered.text(1), HasSubstr("@cusp_short_fill"));
    lowered.optimise(); // and the helpers verify
  }
}

// ---- shared memories and atomics ----

TEST(Shared, ValuesAreFrozenAndTheSizeIsReadAtomically) {
  Lowered shared(load_at({0}, kShared), explicit_bounds());
  EXPECT_THAT(shared.text(0), HasSubstr("freeze i32"));
  EXPECT_THAT(shared.text(0), HasSubstr("load atomic i64"));
  Lowered alone(load_at({0}, 0), explicit_bounds());
  EXPECT_THAT(alone.text(0), Not(HasSubstr("freeze")));
  EXPECT_THAT(alone.text(0), Not(HasSubstr("atomic")));
}

TEST(Shared, TheRecordIsWhereTheEntrySays) {
  ModuleBytes m;
  m.memory(kShared);
  m.func(m.type({}, {kI32}), {0x3f, 0}); // memory.size
  Lowered lowered(m);
  EXPECT_EQ(count<llvm::LoadInst>(lowered.function(0)), 3u) << "base, record, size" << lowered.text(0);
}

TEST(Atomics, CheckAlignmentAndAreSequentiallyConsistent) {
  ModuleBytes m;
  m.memory(kShared);
  const auto binary = m.type({kI32, kI64}, {kI64});
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kAtomic, 0x10, 2, 3});
  m.func(binary, {kLocalGet, 0, kLocalGet, 1, kAtomic, 0x1f, 3, 0});               // i64.atomic.rmw.add
  m.func(m.type({kI32}, {kI32}), {kLocalGet, 0, kAtomic, 0x12, 0, 0});             // i32.atomic.load8_u
  m.func(binary, {kLocalGet, 0, kLocalGet, 1, kLocalGet, 1, kAtomic, 0x4e, 2, 0}); // i64.atomic.rmw32.cmpxchg_u
  m.func(m.type({}, {}), {kAtomic, 3, 0});
  Lowered lowered(m);
  EXPECT_THAT(lowered.text(0), HasSubstr("cusp_trap_UnalignedAtomic"));
  EXPECT_THAT(lowered.text(0), HasSubstr("load atomic i32, ptr"));
  EXPECT_THAT(lowered.text(1), HasSubstr("atomicrmw add ptr"));
  EXPECT_EQ(conditional_branches(lowered.function(2)), 0u) << "a byte is always aligned" << lowered.text(2);
  EXPECT_THAT(lowered.text(3), HasSubstr("cmpxchg ptr"));
  EXPECT_THAT(lowered.text(4), HasSubstr("fence seq_cst"));
}

TEST(Atomics, AnUnusedLoadStays) {
  ModuleBytes m;
  m.memory(kShared);
  m.func(m.type({kI32}, {}), {kLocalGet, 0, kAtomic, 0x10, 2, 0, kDrop});
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_THAT(lowered.text(0), HasSubstr("load atomic i32"));
}

TEST(Atomics, EveryOperatorLowers) {
  ModuleBytes m;
  m.memory(kShared);
  for (unsigned i = 0; i < wasm::kOpCount; ++i) {
    const wasm::OpInfo& info = wasm::op_info(static_cast<wasm::Op>(i));
    if (info.encoding >> 16 != kAtomic || info.signature.param_count == 0) continue;
    Bytes params, results, code;
    for (unsigned p = 0; p < info.signature.param_count; ++p) {
      const bool is_long = wasm::ValType::from_raw(info.signature.params[p]) == wasm::ValType::i64();
      params.push_back(is_long ? kI64 : kI32);
      append(code, {kLocalGet, static_cast<std::uint8_t>(p)});
    }
    for (unsigned r = 0; r < info.signature.result_count; ++r)
      results.push_back(wasm::ValType::from_raw(info.signature.results[r]) == wasm::ValType::i64() ? kI64 : kI32);
    // The alignment must be natural: find it by the text.
    std::uint8_t align = info.text.find("8") != std::string_view::npos                   ? 0
                         : info.text.find("16") != std::string_view::npos                ? 1
                         : info.text.find("32_u") != std::string_view::npos              ? 2
                         : info.text.find("rmw32") != std::string_view::npos             ? 2
                         : info.text.ends_with("store32")                                ? 2
                         : info.text.starts_with("i64") || info.text.ends_with("wait64") ? 3
                                                                                         : 2;
    append(code, {kAtomic, static_cast<std::uint8_t>(info.encoding & 0xff), align, 0});
    m.func(m.type(params, results), code);
  }
  Lowered lowered(m);
  EXPECT_FALSE(lowered.failed()) << lowered.error().to_string();
}

// ---- guestlib ----

// Multiply-add in integers against the C library's, over all kinds of numbers.
TEST(Guestlib, FmaRoundsOnce) {
  std::mt19937_64 random(7);
  auto number = [&](unsigned kind) {
    std::uint64_t bits = random();
    constexpr std::uint64_t kFraction = 0x800fffffffffffff;
    if (kind == 1) bits = (bits & kFraction) | ((963 + random() % 120) << 52);    // products that meet the addend
    if (kind == 2) bits = (bits & kFraction) | ((random() % 60) << 52);           // small and subnormal
    if (kind == 3) bits &= 0xfff8000000000000 | (random() & random() & random()); // few digits: ties
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  };
  auto same = [](auto a, auto b) { return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b)); };
  for (unsigned i = 0; i < 400'000; ++i) {
    const unsigned kind = i % 4;
    const double a = number(kind), b = number(kind == 2 ? 1 : kind), c = i % 16 == 7 ? -a * b : number(kind);
    ASSERT_TRUE(same(std::fma(a, b, c), cusp_fma(a, b, c))) << a << " * " << b << " + " << c;
    const auto x = static_cast<float>(a), y = static_cast<float>(b), z = static_cast<float>(c);
    ASSERT_TRUE(same(std::fma(x, y, z), cusp_fmaf(x, y, z))) << x << " * " << y << " + " << z;
  }
}

} // namespace
} // namespace cusp::test
