// What references cost in code: which checks stand and which the types already decide.
#include <gmock/gmock.h>

#include "lower/gc_bytes.h"
#include "lower/lowered.h"

namespace cusp::test {
namespace {

using namespace code;
using testing::HasSubstr;
using testing::Not;

// Types 0: struct { mut i32, mut anyref }, open; 1: below it, final; 2: array of mut i32; 3: func () -> i32, final.
ModuleBytes with_types() {
  ModuleBytes m;
  m.raw_type({kSub, 0, kStructOf, 2, kI32, kMut, kAnyref, kMut});
  m.raw_type({0x4f, 1, 0, kStructOf, 2, kI32, kMut, kAnyref, kMut});
  m.raw_type({kArrayOf, kI32, kMut});
  m.type({}, {kI32});
  return m;
}

TEST(Objects, OnlyWhatMayBeNullIsCompared) {
  ModuleBytes m = with_types();
  m.raw_type({kFuncOf, 1, kRefNull, 0, 1, kI32});
  m.raw_type({kFuncOf, 1, kRef, 0, 1, kI32});
  m.func(4, local_get(0) + struct_get(0, 0));
  m.func(5, local_get(0) + struct_get(0, 0));
  m.func(4, local_get(0) + struct_get(0, 0) + local_get(0) + struct_get(0, 0) + i32_add()); // once is enough
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_EQ(conditional_branches(lowered.function(0)), 1u) << lowered.text(0);
  EXPECT_EQ(conditional_branches(lowered.function(1)), 0u) << lowered.text(1);
  EXPECT_EQ(conditional_branches(lowered.function(2)), 1u) << lowered.text(2);
  EXPECT_EQ(count<llvm::LoadInst>(lowered.function(2)), 2u) << lowered.text(2); // the heap's base, the field
}

TEST(Objects, FieldsDoNotOverlap) {
  ModuleBytes m = with_types();
  m.raw_type({kStructOf, 1, kI32, kMut});
  m.raw_type({kFuncOf, 3, kRef, 0, kRef, 1, kRef, 4, 1, kI32});
  auto store_between = [&](const Bytes& store) {
    return m.func(5, local_get(0) + struct_get(0, 0) + store + local_get(0) + struct_get(0, 0) + i32_add());
  };
  store_between(local_get(2) + i32_const(1) + struct_set(4, 0)); // an unrelated type
  store_between(local_get(1) + i32_const(1) + struct_set(1, 0)); // the same field, by a subtype
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_EQ(count<llvm::LoadInst>(lowered.function(0)), 2u) << lowered.text(0);
  EXPECT_EQ(count<llvm::LoadInst>(lowered.function(1)), 3u) << lowered.text(1);
}

TEST(Arrays, ALoopLoadsTheLengthOnce) {
  ModuleBytes m = with_types();
  m.raw_type({kFuncOf, 2, kRef, 2, kI32, 1, kI32});
  m.func(4, local_get(0) + local_get(1) + array_get(2) + local_get(0) + local_get(1) + array_get(2) + i32_add() +
                local_get(0) + array_len() + i32_add());
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_EQ(conditional_branches(lowered.function(0)), 1u) << lowered.text(0);
  EXPECT_EQ(count<llvm::LoadInst>(lowered.function(0)), 3u) << lowered.text(0); // base, length, element
}

TEST(Casts, StaticTypesDecideWhatTheyCan) {
  ModuleBytes m = with_types();
  m.raw_type({kFuncOf, 1, kRef, 1, 1, kI32});
  m.raw_type({kFuncOf, 1, kRef, 0, 1, kI32});
  m.raw_type({kFuncOf, 1, kAnyref, 1, kI32});
  m.func(4, local_get(0) + ref_test(0)); // up
  m.func(5, local_get(0) + ref_test(1)); // down to a final type
  m.func(6, local_get(0) + ref_test(0)); // from anything
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_THAT(lowered.text(0), HasSubstr("ret i32 1"));
  // Its id and the one wanted (through the table of ids), the heap's base; no display, no branch.
  EXPECT_EQ(count<llvm::LoadInst>(lowered.function(1)), 4u) << lowered.text(1);
  EXPECT_EQ(conditional_branches(lowered.function(1)), 0u) << lowered.text(1);
  EXPECT_EQ(count<llvm::LoadInst>(lowered.function(2)), 6u) << lowered.text(2); // and the record
}

TEST(Calls, TablesOfAFunctionTypeAreCalledUnchecked) {
  ModuleBytes m = with_types();
  m.raw_table({kRefNull, 3, 0, 4});
  m.func(3, i32_const(0) + call_indirect(3));
  Lowered lowered(m);
  EXPECT_THAT(lowered.text(0), Not(HasSubstr("BadSignature")));
  EXPECT_THAT(lowered.text(0), HasSubstr("cusp_trap_IndirectCallToNull"));
}

TEST(References, OfObjectsAreOffsets) {
  ModuleBytes m = with_types();
  m.raw_type({kFuncOf, 3, kAnyref, kExternref, kFuncref, 1, kAnyref});
  m.func(4, local_get(0));
  Lowered lowered(m);
  const llvm::FunctionType* type = lowered.function(0).getFunctionType();
  EXPECT_TRUE(type->getReturnType()->isIntegerTy(32));
  EXPECT_TRUE(type->getParamType(1)->isIntegerTy(32));
  EXPECT_TRUE(type->getParamType(2)->isPointerTy());
  EXPECT_TRUE(type->getParamType(3)->isPointerTy());
}

} // namespace
} // namespace cusp::test
