// The type section: which types are equal, which are subtypes, and which groups are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lower/module_bytes.h"
#include "wasm/reader.h"

namespace cusp::test {
namespace {

using testing::HasSubstr;
using wasm::HeapType;
using wasm::Module;
using wasm::TypeIndex;
using wasm::ValType;

constexpr std::uint8_t kRec = 0x4e, kSubFinal = 0x4f, kSub = 0x50, kArray = 0x5e, kStruct = 0x5f, kFunc = 0x60,
                       kRefNull = 0x63, kRef = 0x64, kI8 = 0x78, kAny = 0x6e, kEq = 0x6d;
constexpr std::uint8_t kConst = 0, kMut = 1;

ModuleBytes types(std::initializer_list<Bytes> entries) {
  ModuleBytes m;
  for (const Bytes& entry : entries) m.raw_type(entry);
  return m;
}

struct Read {
  explicit Read(const ModuleBytes& source, wasm::Features features = {}) : bytes(source.bytes()) {
    auto read = wasm::read_module(bytes, features);
    if (read) module = std::move(*read);
    else error = read.error();
  }
  std::uint32_t canonical(std::uint32_t type) const { return module.types[type].canonical.value; }
  bool is_subtype(std::uint32_t sub, std::uint32_t super) const {
    return module.is_type_subtype(TypeIndex(canonical(sub)), TypeIndex(canonical(super)));
  }
  Bytes bytes;
  Module module;
  std::optional<base::Error> error;
};

void expect_error(const ModuleBytes& source, base::ErrorCode code, const char* text, wasm::Features features = {}) {
  Read read(source, features);
  ASSERT_TRUE(read.error) << "accepted, expected: " << text;
  EXPECT_EQ(read.error->code, code) << read.error->to_string();
  EXPECT_THAT(read.error->to_string(), HasSubstr(text));
}

TEST(TypeSection, EqualTypesShareAnIndex) {
  Read read(types({{kFunc, 1, kI32, 0},
                   {kStruct, 1, kI32, kMut},
                   {kFunc, 1, kI32, 0},
                   {kStruct, 1, kI32, kConst},
                   {kStruct, 1, kI32, kMut}}));
  ASSERT_FALSE(read.error) << read.error->to_string();
  EXPECT_EQ(read.canonical(2), 0u);
  EXPECT_EQ(read.canonical(3), 3u); // immutable is another type
  EXPECT_EQ(read.canonical(4), 1u);
}

TEST(TypeSection, APlainTypeIsAFinalOneOfItsOwn) {
  Read read(types({{kFunc, 0, 0}, {kSubFinal, 0, kFunc, 0, 0}, {kRec, 1, kFunc, 0, 0}, {kSub, 0, kFunc, 0, 0}}));
  ASSERT_FALSE(read.error) << read.error->to_string();
  EXPECT_EQ(read.canonical(1), 0u);
  EXPECT_EQ(read.canonical(2), 0u);
  EXPECT_EQ(read.canonical(3), 3u); // open for subtypes
}

// (rec (type (struct (field (ref null self))))): the group names itself.
const Bytes kList{kRec, 1, kStruct, 1, kRefNull, 0, kMut};

TEST(TypeSection, RecursiveGroupsAreComparedAsAWhole) {
  Bytes second = kList, two_of_them{kRec, 2, kStruct, 1, kRefNull, 2, kMut, kStruct, 1, kRefNull, 2, kMut};
  second[5] = 1; // its own index is 1
  Bytes third = kList;
  third[5] = 4; // names itself, as the first does
  Read read(types({kList, second, two_of_them, third}));
  ASSERT_FALSE(read.error) << read.error->to_string();
  EXPECT_EQ(read.canonical(1), 0u);
  EXPECT_EQ(read.canonical(2), 2u); // same shape, but of another group
  EXPECT_EQ(read.canonical(4), 0u);
  // What the copies name has become the first group's.
  const auto& field = std::get<wasm::StructType>(read.module.types[1].composite).fields[0];
  EXPECT_EQ(field.type, ValType::ref(true, HeapType(TypeIndex(0))));
}

TEST(TypeSection, MembersOfAGroupMayNameLaterOnes) {
  Read read(types({{kRec, 2, kStruct, 1, kRef, 1, kConst, kArray, kRefNull, 0, kMut}}));
  ASSERT_FALSE(read.error) << read.error->to_string();
  EXPECT_EQ(std::get<wasm::StructType>(read.module.types[0].composite).fields[0].type,
            ValType::ref(false, HeapType(TypeIndex(1))));
  expect_error(types({{kStruct, 1, kRef, 1, kConst}, {kFunc, 0, 0}}), base::ErrorCode::Invalid, "unknown type 1");
  expect_error(types({{kRec, 1, kStruct, 1, kRef, 1, kConst}}), base::ErrorCode::Invalid, "unknown type 1");
}

TEST(TypeSection, SubtypesAreThoseDeclared) {
  Read read(types({{kSub, 0, kStruct, 1, kAny, kConst},
                   {kSub, 1, 0, kStruct, 2, kEq, kConst, kI32, kMut},
                   {kSub, 1, 1, kStruct, 2, kEq, kConst, kI32, kMut},
                   {kSub, 0, kStruct, 1, kAny, kConst},
                   {kStruct, 1, kAny, kConst}}));
  ASSERT_FALSE(read.error) << read.error->to_string();
  EXPECT_TRUE(read.is_subtype(2, 0));
  EXPECT_TRUE(read.is_subtype(2, 3)); // 3 is 0 once more
  EXPECT_FALSE(read.is_subtype(0, 1));
  EXPECT_FALSE(read.is_subtype(2, 4)); // same fields, never declared
  EXPECT_EQ(read.module.types[2].depth, 2);
  EXPECT_TRUE(read.module.is_subtype(ValType::ref(false, HeapType(TypeIndex(2))),
                                     ValType::ref(true, wasm::AbstractHeapType::Struct)));
  EXPECT_FALSE(
      read.module.is_subtype(ValType::ref(true, HeapType(TypeIndex(2))), ValType::ref(false, HeapType(TypeIndex(0)))));
}

TEST(TypeSection, ASubtypeMustMatchItsSupertype) {
  auto refused = [](const Bytes& super, const Bytes& sub) {
    expect_error(types({super, sub}), base::ErrorCode::Invalid, "does not match super type 0");
  };
  const Bytes open_struct{kSub, 0, kStruct, 1, kI32, kMut};
  refused({kStruct, 1, kI32, kMut}, {kSub, 1, 0, kStruct, 1, kI32, kMut});    // final
  refused(open_struct, {kSub, 1, 0, kStruct, 0});                             // a field is missing
  refused(open_struct, {kSub, 1, 0, kStruct, 1, kI64, kMut});                 // of another type
  refused(open_struct, {kSub, 1, 0, kStruct, 1, kI8, kMut});                  // packed
  refused(open_struct, {kSub, 1, 0, kArray, kI32, kMut});                     // of another kind
  refused({kSub, 0, kArray, kAny, kMut}, {kSub, 1, 0, kArray, kEq, kMut});    // mutable: invariant
  refused({kSub, 0, kFunc, 1, kEq, 0}, {kSub, 1, 0, kFunc, 1, kRef, kEq, 0}); // parameters: contravariant
  refused({kSub, 0, kFunc, 0, 1, kEq}, {kSub, 1, 0, kFunc, 0, 1, kAny});      // results: covariant
  Read fine(types({{kSub, 0, kFunc, 1, kEq, 1, kAny}, {kSub, 1, 0, kFunc, 1, kAny, 1, kEq}}));
  EXPECT_FALSE(fine.error) << fine.error->to_string();
}

TEST(TypeSection, ASupertypeComesBeforeItsSubtype) {
  expect_error(types({{kSub, 1, 0, kStruct, 0}}), base::ErrorCode::Invalid, "unknown type 0");
  expect_error(types({{kRec, 2, kSub, 1, 1, kStruct, 0, kSub, 0, kStruct, 0}}), base::ErrorCode::Invalid,
               "unknown type 1");
  expect_error(types({{kSub, 0, kStruct, 0}, {kSub, 2, 0, 0, kStruct, 0}}), base::ErrorCode::Invalid,
               "at most one supertype");
}

TEST(TypeSection, ChainsOfSupertypesEnd) {
  ModuleBytes m;
  m.raw_type({kSub, 0, kStruct, 0});
  for (std::uint8_t i = 0; i < 63; ++i) m.raw_type({kSub, 1, i, kStruct, 0});
  Read read(m);
  ASSERT_FALSE(read.error) << read.error->to_string();
  EXPECT_TRUE(read.is_subtype(63, 0));
  m.raw_type({kSub, 1, 63, kStruct, 0});
  expect_error(m, base::ErrorCode::LimitExceeded, "more than 63 supertypes");
}

TEST(TypeSection, BadBytesAreRefused) {
  expect_error(types({{0x61}}), base::ErrorCode::Malformed, "malformed type");
  expect_error(types({{kStruct, 1, kI32, 2}}), base::ErrorCode::Malformed, "malformed mutability");
  expect_error(types({{kStruct, 1, 0x76, 0}}), base::ErrorCode::Malformed, "malformed reference type");
  expect_error(types({{kRec, 0x7f}}), base::ErrorCode::Malformed, "");
  expect_error(types({{0x5d, 0}}), base::ErrorCode::Unsupported, "stack-switching");
}

TEST(TypeSection, FeaturesAreAskedFor) {
  const wasm::Features without = wasm::Features().without(wasm::Feature::Gc);
  expect_error(types({{kStruct, 0}}), base::ErrorCode::Unsupported, "gc feature", without);
  expect_error(types({kList}), base::ErrorCode::Unsupported, "gc feature", without);
  expect_error(types({{kFunc, 1, kAny, 0}}), base::ErrorCode::Unsupported, "gc feature", without);
  expect_error(types({{kFunc, 0, 0}, {kFunc, 1, kRef, 0, 0}}), base::ErrorCode::Unsupported, "function-references",
               without.without(wasm::Feature::FunctionReferences));
}

} // namespace
} // namespace cusp::test
