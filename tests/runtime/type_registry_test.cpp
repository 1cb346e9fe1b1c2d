// Process-wide ids: equal types of separate modules are equal, whole groups at a time, and subtypes are found at any depth.
#include <gtest/gtest.h>

#include "runtime/type_registry.h"
#include "wasm/types.h"

namespace cusp::runtime {
namespace {

using artifact::TypeMeta;
using wasm::AbstractHeapType;
using wasm::HeapType;
using wasm::TypeIndex;
using wasm::ValType;

std::uint32_t ref(std::uint32_t type) { return ValType::ref(true, HeapType(TypeIndex(type))).raw(); }

TypeMeta struct_of(std::vector<std::uint32_t> fields, std::uint32_t index, std::uint32_t group) {
  TypeMeta type;
  type.kind = abi::TypeKind::Struct;
  type.is_final = false;
  type.canonical = index;
  type.rec_group = group;
  for (std::uint32_t field : fields)
    type.members.push_back(
        {field, ValType::from_raw(field).is_ref() ? abi::GcStorage::Any : abi::GcStorage::I32, true});
  return type;
}
TypeMeta sub_of(std::uint32_t super, std::vector<std::uint32_t> fields, std::uint32_t index) {
  TypeMeta type = struct_of(std::move(fields), index, index);
  type.supertype = super;
  return type;
}

std::vector<std::uint32_t> intern(const std::vector<TypeMeta>& types) { return *intern_types(types); }

constexpr std::uint32_t kI32 = ValType::i32().raw(), kI64 = ValType::i64().raw();

TEST(TypeRegistry, RecursiveGroupsMatchAcrossModules) {
  // Module 1: a list; module 2: another type first, so that the list has other indices; module 3: the list in a group of two.
  auto first = intern({struct_of({kI32, ref(0)}, 0, 0)});
  auto second = intern({struct_of({kI32, kI32}, 0, 0), struct_of({kI32, ref(1)}, 1, 1)});
  auto third = intern({struct_of({kI32, ref(0)}, 0, 0), struct_of({kI32, ref(0)}, 1, 0)});
  EXPECT_EQ(first[0], second[1]);
  EXPECT_NE(first[0], second[0]);
  EXPECT_NE(first[0], third[0]);
  EXPECT_NE(first[0], third[1]);
}

TEST(TypeRegistry, CopiesInAModuleHaveTheIdOfTheFirst) {
  TypeMeta copy;
  copy.kind = abi::TypeKind::Struct;
  copy.canonical = 0;
  copy.rec_group = 1;
  auto ids = intern({struct_of({kI32, ref(0)}, 0, 0), copy});
  EXPECT_EQ(ids[0], ids[1]);
}

TEST(TypeRegistry, IdsTellTheKind) {
  auto ids = intern({struct_of({kI32}, 0, 0)});
  EXPECT_EQ(ids[0] & abi::kTypeKindMask, static_cast<std::uint32_t>(abi::TypeKind::Struct));
  EXPECT_EQ(intern_type({{kI32}, {}}) & abi::kTypeKindMask, static_cast<std::uint32_t>(abi::TypeKind::Func));
  EXPECT_EQ(intern_type({{kI32}, {}}), intern_type({{kI32}, {}}));
  EXPECT_NE(intern_type({{kI32}, {}}), intern_type({{}, {kI32}}));
  EXPECT_EQ(type_text(intern_type({{kI32, kI64}, {kI32}})), "(i32 i64) -> (i32)");
}

TEST(TypeRegistry, SubtypesAtEveryDepth) {
  std::vector<TypeMeta> types{struct_of({kI32, kI32, kI32}, 0, 0)};
  for (std::uint32_t i = 1; i <= abi::kMaxSubtypeDepth; ++i) types.push_back(sub_of(i - 1, {kI32, kI32, kI32}, i));
  auto ids = intern(types);
  const auto side = intern({struct_of({kI32, kI32, kI32}, 0, 0), sub_of(0, {kI32, kI32, kI32, kI64}, 1)});
  EXPECT_EQ(side[0], ids[0]);
  for (std::uint32_t sub = 0; sub < ids.size(); ++sub)
    for (std::uint32_t super = 0; super < ids.size(); ++super)
      EXPECT_EQ(is_type_subtype(ids[sub], ids[super]), super <= sub) << sub << " <: " << super;
  EXPECT_TRUE(is_type_subtype(side[1], ids[0]));
  EXPECT_FALSE(is_type_subtype(side[1], ids[1]));
  EXPECT_FALSE(is_type_subtype(ids[63], side[1]));
}

TEST(TypeRegistry, ValueTypesMatchByHierarchy) {
  auto ids = intern({struct_of({kI32, ref(0)}, 0, 0)});
  const std::uint32_t own = canonical_value(ref(0), ids);
  EXPECT_TRUE(is_value_subtype(own, ValType::ref(true, AbstractHeapType::Struct).raw()));
  EXPECT_TRUE(is_value_subtype(own, ValType::anyref().raw()));
  EXPECT_FALSE(is_value_subtype(own, ValType::externref().raw()));
  EXPECT_FALSE(is_value_subtype(own, ValType::ref(false, AbstractHeapType::Any).raw()));
  EXPECT_TRUE(is_value_subtype(ValType::ref(false, AbstractHeapType::None).raw(), own));
  EXPECT_FALSE(is_value_subtype(ValType::ref(false, AbstractHeapType::NoFunc).raw(), own));
  EXPECT_FALSE(is_value_subtype(kI32, kI64));
  EXPECT_EQ(root_kind(own), RootKind::Any);
  EXPECT_EQ(root_kind(ValType::externref().raw()), RootKind::Extern);
  EXPECT_EQ(root_kind(ValType::funcref().raw()), RootKind::None);
  EXPECT_EQ(root_kind(kI32), RootKind::None);
}

TEST(TypeRegistry, ShapesSayWhereReferencesAre) {
  TypeMeta type = struct_of({kI32, ref(0)}, 0, 0);
  type.members.push_back({ValType::externref().raw(), abi::GcStorage::Extern, false});
  type.members.push_back({ValType::i32().raw(), abi::GcStorage::I8, false});
  auto ids = intern({type});
  const GcShape& shape = *shape_of(ids[0]);
  EXPECT_EQ(shape.any, std::vector<std::uint32_t>{8});      // behind the id and an i32
  EXPECT_EQ(shape.externs, std::vector<std::uint32_t>{16}); // aligned
  EXPECT_EQ(shape.size, 25u);
}

} // namespace
} // namespace cusp::runtime
