// Type tables by hand, for tests.
#pragma once

#include "component/layout.h"
#include "component/types.h"

namespace cusp::canon {

struct TypeBuilder {
  using Kind = component::TypeKind;
  using Type = component::ValType;
  component::TypeTable table;

  Type add(component::TypeDef def) {
    auto type = component::TypeBuilder(table).define(std::move(def));
    EXPECT_TRUE(type);
    return type.value_or(Type{});
  }
  Type of(Kind kind, std::optional<Type> element, std::optional<Type> error = {}, std::uint32_t length = 0) {
    component::TypeDef def;
    def.kind = kind, def.element = element, def.error = error, def.length = length;
    return add(std::move(def));
  }
  Type list(Type element) { return of(Kind::List, element); }
  Type option(Type element) { return of(Kind::Option, element); }
  Type result(std::optional<Type> ok, std::optional<Type> error) { return of(Kind::Result, ok, error); }
  Type labelled(Kind kind, std::vector<component::Label> labels) {
    component::TypeDef def;
    def.kind = kind, def.labels = std::move(labels);
    return add(std::move(def));
  }
  Type names(Kind kind, std::vector<std::string> names) {
    std::vector<component::Label> labels;
    for (auto& name : names) labels.push_back({std::move(name), {}});
    return labelled(kind, std::move(labels));
  }
  Type tuple(std::vector<Type> members) {
    std::vector<component::Label> labels;
    for (Type member : members) labels.push_back({"", member});
    return labelled(Kind::Tuple, std::move(labels));
  }
};

inline constexpr component::ValType kBool{component::TypeKind::Bool, 0}, kU8{component::TypeKind::U8, 0},
    kS16{component::TypeKind::S16, 0}, kU16{component::TypeKind::U16, 0}, kU32{component::TypeKind::U32, 0},
    kS32{component::TypeKind::S32, 0}, kU64{component::TypeKind::U64, 0}, kS64{component::TypeKind::S64, 0},
    kF32{component::TypeKind::F32, 0}, kF64{component::TypeKind::F64, 0}, kChar{component::TypeKind::Char, 0},
    kString{component::TypeKind::String, 0};

} // namespace cusp::canon
