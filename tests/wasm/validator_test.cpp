// What the validator says of bodies and constant expressions that use references, structures and arrays, beyond the
// specification's suite: exact reasons, and what it tells a visitor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lower/module_bytes.h"
#include "wasm/function_validator.h"
#include "wasm/reader.h"

namespace cusp::test {
namespace {

using testing::HasSubstr;

constexpr std::uint8_t kSub = 0x50, kArray = 0x5e, kStruct = 0x5f, kRefNull = 0x63, kRef = 0x64, kAnyref = 0x6e,
                       kEqref = 0x6d, kExternref = 0x6f, kI8 = 0x78;
constexpr std::uint8_t kBlock = 0x02, kEnd = 0x0b, kBrOnNull = 0xd5, kBrOnNonNull = 0xd6, kCallRef = 0x14, kDrop = 0x1a,
                       kLocalGet = 0x20, kLocalSet = 0x21, kGlobalGet = 0x23, kI32Const = 0x41, kI32Add = 0x6a,
                       kOpRefNull = 0xd0, kRefFunc = 0xd2, kRefAsNonNull = 0xd4, kGc = 0xfb, kVoid = 0x40,
                       kUnreachable = 0x00;

base::Result<void> validate(const ModuleBytes& source) {
  Bytes bytes = source.bytes();
  auto module = CUSP_TRY(wasm::read_module(bytes, wasm::Features{}));
  return wasm::validate_bodies(module);
}

void expect_valid(const ModuleBytes& source) {
  auto result = validate(source);
  EXPECT_TRUE(result) << result.error().to_string();
}

void expect_invalid(const ModuleBytes& source, const char* text) {
  auto result = validate(source);
  ASSERT_FALSE(result) << "accepted, expected: " << text;
  EXPECT_EQ(result.error().code, base::ErrorCode::Invalid);
  EXPECT_THAT(result.error().to_string(), HasSubstr(text));
}

// Types 0: (struct (field i8) (field (mut i32))), open; 1: a subtype; 2: (array (mut i32)); 3: () -> ().
ModuleBytes with_types() {
  ModuleBytes m;
  m.raw_type({kSub, 0, kStruct, 2, kI8, 0, kI32, 1});
  m.raw_type({kSub, 1, 0, kStruct, 3, kI8, 0, kI32, 1, kI64, 0});
  m.raw_type({kArray, kI32, 1});
  m.type({}, {});
  return m;
}

ModuleBytes body(const Bytes& code, const Bytes& declarations = {0}) {
  ModuleBytes m = with_types();
  m.func_with(3, declarations, code);
  return m;
}

TEST(Locals, ANonNullableOneIsSetBeforeItIsRead) {
  const Bytes local{1, 1, kRef, 0}; // (local (ref 0))
  const Bytes set{kGc, 1, 0, kLocalSet, 0}, get{kLocalGet, 0, kDrop};
  auto code = [](std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) append(all, part);
    return all;
  };
  expect_valid(body(code({set, get}), local));
  expect_invalid(body(get, local), "uninitialized local 0");
  // What a block set is set inside it only.
  expect_valid(body(code({{kBlock, kVoid}, set, get, {kEnd}}), local));
  expect_invalid(body(code({{kBlock, kVoid}, set, {kEnd}, get}), local), "uninitialized local 0");
  // Setting it once more inside does not take it away outside.
  expect_valid(body(code({set, {kBlock, kVoid}, set, {kEnd}, get}), local));
}

TEST(Structures, FieldsAreReadAsTheyAreKept) {
  expect_valid(body({kGc, 1, 0, kGc, 3, 0, 0, kDrop}));                   // get_s of i8
  expect_invalid(body({kGc, 1, 0, kGc, 2, 0, 0, kDrop}), "packed field"); // get of i8
  expect_invalid(body({kGc, 1, 0, kGc, 3, 0, 1, kDrop}), "packed field"); // get_s of i32
  expect_invalid(body({kGc, 1, 0, kGc, 2, 0, 2, kDrop}), "unknown field 2");
  expect_invalid(body({kGc, 1, 0, kI32Const, 0, kGc, 5, 0, 0}), "immutable field 0"); // set
  expect_valid(body({kGc, 1, 1, kGc, 2, 0, 1, kDrop}));                               // of a subtype
  expect_invalid(body({kGc, 1, 0, kGc, 2, 1, 1, kDrop}), "expects (ref null 1), found (ref 0)");
  expect_invalid(body({kGc, 1, 2, kDrop}), "type 2 is not a structure type");
}

TEST(Arrays, TypesAndLimits) {
  expect_valid(body({kI32Const, 1, kI32Const, 2, kGc, 8, 2, 2, kGc, 15, kDrop})); // new_fixed, len
  expect_invalid(body({kI32Const, 1, kGc, 8, 2, 2, kDrop}), "nothing is on the stack");
  expect_invalid(body({kGc, 1, 0, kGc, 15, kDrop}), "expects arrayref, found (ref 0)");
  Bytes many{kGc, 8, 2};
  append(many, leb(10'001));
  auto result = validate(body(many));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::ErrorCode::LimitExceeded);
}

TEST(Casts, StayInTheirHierarchy) {
  expect_valid(body({kOpRefNull, kAnyref, kGc, 20, 0, kDrop}));
  expect_invalid(body({kOpRefNull, kExternref, kGc, 20, 0, kDrop}), "expects anyref, found externref");
  expect_invalid(body({kOpRefNull, kFuncref, kGc, 22, kEqref, kDrop}), "expects anyref, found funcref");
  // br_on_cast: the target is a subtype of the source
  expect_invalid(body({kBlock, kRef, 0, kOpRefNull, kEqref, kGc, 24, 1, 0, kEqref, kAnyref, kUnreachable, kEnd, kDrop}),
                 "type mismatch");
  expect_valid(body({kBlock, kRef, 0, kOpRefNull, kEqref, kGc, 24, 1, 0, kEqref, 0, kUnreachable, kEnd, kDrop}));
}

TEST(Branches, OnNullLeavesANonNullReference) {
  // block: br_on_null, then a call of what is left
  expect_valid(body({kBlock, kVoid, kOpRefNull, 3, kBrOnNull, 0, kCallRef, 3, kEnd}));
  expect_valid(body({kBlock, kRef, 3, kOpRefNull, 3, kBrOnNonNull, 0, kUnreachable, kEnd, kCallRef, 3}));
  expect_invalid(body({kBlock, kVoid, kOpRefNull, 3, kBrOnNonNull, 0, kEnd}), "takes no reference");
  expect_invalid(body({kOpRefNull, 0, kCallRef, 0}), "type 0 is not a function type");
}

TEST(References, FunctionsAreDeclaredOutsideBodies) {
  ModuleBytes m = with_types();
  m.func(3, {kRefFunc, 0, kDrop});
  expect_invalid(m, "undeclared function reference 0");
  m.raw_elem({3, 0, 1, 0}); // declared
  expect_valid(m);
}

TEST(ConstantExpressions, MakeObjects) {
  ModuleBytes m = with_types();
  m.global(Bytes{kRef, 0}, false, {kI32Const, 1, kI32Const, 2, kGc, 0, 0});
  m.global(Bytes{kEqref}, false, {kI32Const, 5, kI32Const, 3, kI32Add, kGc, 28}); // i31
  m.global(Bytes{kExternref}, false, {kGlobalGet, 0, kGc, 27});
  m.global(Bytes{kRefNull, 2}, false, {kI32Const, 7, kI32Const, 3, kGc, 6, 2});
  m.raw_table({0x40, 0, kRef, 2, 0, 4, kI32Const, 3, kGc, 7, 2, kEnd});
  expect_valid(m);
}

TEST(ConstantExpressions, NothingElse) {
  auto global = [](const Bytes& type, const Bytes& init) {
    ModuleBytes m = with_types();
    m.global(type, false, init);
    return m;
  };
  expect_invalid(global({kI32}, {kI32Const, 1, 0x45}), "constant expression required"); // i32.eqz
  expect_invalid(global({kI32}, {kI32Const, 1, kI32Const, 1}), "values remain");
  expect_invalid(global({kI32}, {}), "nothing is on the stack");
  expect_invalid(global({kRef, 1}, {kGc, 1, 0}), "expects (ref 1), found (ref 0)");
  expect_invalid(global({kI32}, {kGlobalGet, 0}), "unknown global 0"); // itself
  ModuleBytes mutable_one = with_types();
  mutable_one.global(kI32, true, {kI32Const, 1});
  mutable_one.global(kI32, false, {kGlobalGet, 0});
  expect_invalid(mutable_one, "the global is mutable");
}

TEST(Tables, NonNullableElementsNeedAnInitialValue) {
  ModuleBytes m = with_types();
  m.raw_table({kRef, 3, 0, 1});
  expect_invalid(m, "needs an initial value");
}

// What lowering is told of an operand.
TEST(Visitors, KnowWhetherAnOperandMayBeNull) {
  const Bytes bytes =
      body({kOpRefNull, 0, kGc, 3, 0, 0, kDrop, kOpRefNull, 0, kRefAsNonNull, kGc, 3, 0, 0, kDrop}).bytes();
  auto module = wasm::read_module(bytes, wasm::Features{});
  ASSERT_TRUE(module);
  wasm::FunctionValidator validator(*module);
  ASSERT_TRUE(validator.begin(wasm::DefinedFuncIndex(0)));
  std::vector<bool> nullable;
  while (!validator.done()) {
    ASSERT_TRUE(validator.step());
    if (validator.op() == wasm::Op::StructGetS) nullable.push_back(validator.immediate<wasm::FieldImm>().nullable);
  }
  EXPECT_THAT(nullable, testing::ElementsAre(true, false));
}

} // namespace
} // namespace cusp::test
