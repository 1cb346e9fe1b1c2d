#include "component/types.h"

#include "component/features.h"
#include "component/link_plan.h"

namespace cusp::component {

namespace {

struct Scalar {
  std::uint8_t size;
  FlatType flat;
};

// Kinds that need no definition: their size is their alignment. Handles alike.
Scalar scalar(TypeKind kind) {
  switch (kind) {
  case TypeKind::Bool:
  case TypeKind::S8:
  case TypeKind::U8: return {1, FlatType::I32};
  case TypeKind::S16:
  case TypeKind::U16: return {2, FlatType::I32};
  case TypeKind::S64:
  case TypeKind::U64: return {8, FlatType::I64};
  case TypeKind::F32: return {4, FlatType::F32};
  case TypeKind::F64: return {8, FlatType::F64};
  default: return {4, FlatType::I32};
  }
}

} // namespace

bool has_layout(TypeKind kind) { return kind >= TypeKind::List && kind <= TypeKind::Map; }

std::uint32_t TypeTable::size(ValType type, AddressType addresses) const {
  if (type.kind == TypeKind::String) return addresses == AddressType::I32 ? 8 : 16;
  return has_layout(type.kind) ? defs[type.index].layout(addresses).size : scalar(type.kind).size;
}

std::uint32_t TypeTable::alignment(ValType type, AddressType addresses) const {
  if (type.kind == TypeKind::String) return addresses == AddressType::I32 ? 4 : 8;
  return has_layout(type.kind) ? defs[type.index].layout(addresses).alignment : scalar(type.kind).size;
}

std::uint32_t TypeTable::flat_count(ValType type) const {
  if (type.kind == TypeKind::String) return 2;
  return has_layout(type.kind) ? defs[type.index].flat_count : 1;
}

void TypeTable::append_flat(ValType type, std::vector<FlatType>& out, AddressType addresses) const {
  if (type.kind == TypeKind::String) {
    out.insert(out.end(), 2, addresses == AddressType::I32 ? FlatType::I32 : FlatType::I64);
  } else if (has_layout(type.kind)) {
    const std::vector<FlatType>& flat = defs[type.index].layout(addresses).flat;
    out.insert(out.end(), flat.begin(), flat.end());
  } else {
    out.push_back(scalar(type.kind).flat);
  }
}

namespace {

struct BuiltinTexts {
  std::string_view name, immediates, params, results;
};
constexpr BuiltinTexts kBuiltins[] = {
#define BUILTIN(opcode, Name, text, immediates, params, results) {text, immediates, params, results},
#include "component/canon_builtins.def"
};
const BuiltinTexts& texts(BuiltinKind kind) { return kBuiltins[static_cast<std::size_t>(kind)]; }

} // namespace

namespace {

constexpr std::string_view kFeatures[] = {
#define FEATURE(Name, text, is_on) text,
#include "component/features.def"
};

} // namespace

std::string_view feature_name(Feature feature) { return kFeatures[static_cast<std::size_t>(feature)]; }
std::optional<Feature> find_feature(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kFeatures); ++i)
    if (kFeatures[i] == name) return static_cast<Feature>(i);
  return std::nullopt;
}

std::string_view builtin_name(BuiltinKind kind) { return texts(kind).name; }
std::string_view builtin_immediates(BuiltinKind kind) { return texts(kind).immediates; }
std::string_view builtin_params(BuiltinKind kind) { return texts(kind).params; }
std::string_view builtin_results(BuiltinKind kind) { return texts(kind).results; }

} // namespace cusp::component
