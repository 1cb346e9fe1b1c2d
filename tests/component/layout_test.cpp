#include "component/layout.h"

#include <gtest/gtest.h>

namespace cusp::component {
namespace {

using enum FlatType;

class Layouts : public testing::Test {
protected:
  ValType define(TypeKind kind, std::optional<ValType> element = {}, std::optional<ValType> error = {},
                 std::uint32_t length = 0) {
    TypeDef def;
    def.kind = kind, def.element = element, def.error = error, def.length = length;
    return must(std::move(def));
  }
  ValType labelled(TypeKind kind, std::vector<Label> labels) {
    TypeDef def;
    def.kind = kind, def.labels = std::move(labels);
    return must(std::move(def));
  }
  ValType must(TypeDef def) {
    auto type = builder.define(std::move(def));
    EXPECT_TRUE(type);
    return type.value_or(ValType{});
  }
  void expect(ValType type, std::uint32_t size, std::uint32_t alignment, std::vector<FlatType> flat,
              AddressType addresses = AddressType::I32) {
    EXPECT_EQ(table.size(type, addresses), size);
    EXPECT_EQ(table.alignment(type, addresses), alignment);
    std::vector<FlatType> actual;
    table.append_flat(type, actual, addresses);
    EXPECT_EQ(actual, flat);
    EXPECT_EQ(table.flat_count(type), flat.size());
  }
  static ValType prim(TypeKind kind) { return {kind, 0}; }

  TypeTable table;
  TypeBuilder builder{table};
};

TEST_F(Layouts, Scalars) {
  expect(prim(TypeKind::Bool), 1, 1, {I32});
  expect(prim(TypeKind::U16), 2, 2, {I32});
  expect(prim(TypeKind::Char), 4, 4, {I32});
  expect(prim(TypeKind::S64), 8, 8, {I64});
  expect(prim(TypeKind::F32), 4, 4, {F32});
  expect({TypeKind::Own, 0}, 4, 4, {I32});
  expect({TypeKind::Own, 0}, 4, 4, {I32}, AddressType::I64);
  expect(prim(TypeKind::String), 8, 4, {I32, I32});
  expect(prim(TypeKind::String), 16, 8, {I64, I64}, AddressType::I64);
}

TEST_F(Layouts, Records) {
  ValType record = labelled(TypeKind::Record,
                            {{"a", prim(TypeKind::U8)}, {"b", prim(TypeKind::String)}, {"c", prim(TypeKind::U16)}});
  expect(record, 16, 4, {I32, I32, I32, I32});
  EXPECT_EQ(table.defs[record.index].offsets, (std::vector<std::uint32_t>{0, 4, 12}));
  expect(record, 32, 8, {I32, I64, I64, I32}, AddressType::I64);
  EXPECT_EQ(table.defs[record.index].wide.offsets, (std::vector<std::uint32_t>{0, 8, 24}));
  EXPECT_TRUE(table.defs[record.index].has_pointers);
}

TEST_F(Layouts, CasesJoin) {
  ValType variant =
      labelled(TypeKind::Variant, {{"a", prim(TypeKind::F32)}, {"b", prim(TypeKind::U32)}, {"c", std::nullopt}});
  expect(variant, 8, 4, {I32, I32});
  expect(define(TypeKind::Result, prim(TypeKind::F64), prim(TypeKind::U8)), 16, 8, {I32, I64});
  expect(define(TypeKind::Option, prim(TypeKind::U8)), 2, 1, {I32, I32});
  std::vector<Label> many(257);
  for (std::size_t i = 0; i < many.size(); ++i) many[i].name = "a" + std::to_string(i);
  expect(labelled(TypeKind::Enum, many), 2, 2, {I32});
}

TEST_F(Layouts, FlagsListsAndHandles) {
  std::vector<Label> nine(9);
  for (std::size_t i = 0; i < nine.size(); ++i) nine[i].name = "a" + std::to_string(i);
  expect(labelled(TypeKind::Flags, nine), 2, 2, {I32});
  expect(define(TypeKind::List, prim(TypeKind::U8)), 8, 4, {I32, I32});
  expect(define(TypeKind::Map, prim(TypeKind::U8), prim(TypeKind::U8)), 16, 8, {I64, I64}, AddressType::I64);
  expect(define(TypeKind::FixedList, prim(TypeKind::U16), {}, 3), 6, 2, {I32, I32, I32});
  expect(define(TypeKind::Stream, prim(TypeKind::String)), 4, 4, {I32}, AddressType::I64);
}

TEST_F(Layouts, LongTypesHaveNoFlatForm) {
  ValType list = define(TypeKind::FixedList, prim(TypeKind::U8), {}, 17);
  EXPECT_EQ(table.flat_count(list), 17u);
  EXPECT_TRUE(table.defs[list.index].flat.empty());
}

TEST_F(Layouts, EqualTypesAreOne) {
  ValType a = define(TypeKind::List, prim(TypeKind::U8)), b = define(TypeKind::List, prim(TypeKind::U8));
  EXPECT_EQ(a, b);
  EXPECT_NE(a, define(TypeKind::List, prim(TypeKind::S8)));
  EXPECT_NE(define(TypeKind::Stream), define(TypeKind::Stream, prim(TypeKind::U8)));
  EXPECT_EQ(builder.define(FuncType{{{"a", a}}, {}, false}), builder.define(FuncType{{{"a", b}}, {}, false}));
  EXPECT_NE(builder.define(FuncType{{{"a", a}}, {}, false}), builder.define(FuncType{{{"a", a}}, {}, true}));
}

TEST_F(Layouts, TheElementSizeIsBounded) {
  TypeDef def;
  def.kind = TypeKind::FixedList, def.element = prim(TypeKind::U8), def.length = kMaxElementSize - 1;
  EXPECT_TRUE(builder.define(def));
  def.length = kMaxElementSize;
  EXPECT_FALSE(builder.define(def));
  def.element = prim(TypeKind::String), def.length = kMaxElementSize / 16; // under a 64-bit memory
  EXPECT_FALSE(builder.define(def));
}

} // namespace
} // namespace cusp::component
