#include "component/types.h"

#include <algorithm>
#include <array>
#include <span>

#include "component/layout.h"

namespace cusp::component {

namespace {

constexpr std::uint64_t kMaxTypeBytes = std::uint64_t{1} << 28;

struct Scalar {
  std::uint8_t size;
  FlatType flat;
};

// Kinds that need no definition: their size is their alignment. Strings and handles alike.
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

bool has_definition(TypeKind kind) {
  switch (kind) {
  case TypeKind::List:
  case TypeKind::FixedList:
  case TypeKind::Record:
  case TypeKind::Tuple:
  case TypeKind::Variant:
  case TypeKind::Enum:
  case TypeKind::Option:
  case TypeKind::Result:
  case TypeKind::Flags:
  case TypeKind::Map: return true;
  default: return false;
  }
}

bool has_pointers(const TypeTable& types, ValType type) {
  switch (type.kind) {
  case TypeKind::String:
  case TypeKind::Own:
  case TypeKind::Borrow:
  case TypeKind::Stream:
  case TypeKind::Future:
  case TypeKind::ErrorContext: return true;
  default: return has_definition(type.kind) && types.defs[type.index].has_pointers;
  }
}

std::uint64_t align_to(std::uint64_t offset, std::uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

// Spec: join of flatten_variant.
FlatType join(FlatType a, FlatType b) {
  if (a == b) return a;
  bool narrow = (a == FlatType::I32 && b == FlatType::F32) || (a == FlatType::F32 && b == FlatType::I32);
  return narrow ? FlatType::I32 : FlatType::I64;
}

bool layout_fields(const TypeTable& types, TypeDef& def) {
  std::uint64_t at = 0;
  for (const Label& field : def.labels) {
    def.alignment = std::max(def.alignment, types.alignment(*field.type));
    at = align_to(at, types.alignment(*field.type));
    def.offsets.push_back(static_cast<std::uint32_t>(at));
    at += types.size(*field.type);
    if (at > kMaxTypeBytes) return false;
    def.flat_count += types.flat_count(*field.type);
    if (def.flat_count <= kMaxFlatParams) types.append_flat(*field.type, def.flat);
    def.has_pointers = def.has_pointers || has_pointers(types, *field.type);
  }
  def.size = static_cast<std::uint32_t>(align_to(at, def.alignment));
  return true;
}

bool layout_cases(const TypeTable& types, TypeDef& def, std::span<const std::optional<ValType>> cases) {
  def.discriminant_size = cases.size() <= 256 ? 1 : cases.size() <= 65536 ? 2 : 4;
  def.alignment = def.discriminant_size;
  std::uint32_t payload_alignment = 1;
  std::uint64_t payload_size = 0;
  std::uint32_t longest = 0;
  std::vector<FlatType> joined;
  for (const std::optional<ValType>& payload : cases) {
    if (!payload) continue;
    payload_alignment = std::max(payload_alignment, types.alignment(*payload));
    payload_size = std::max<std::uint64_t>(payload_size, types.size(*payload));
    longest = std::max(longest, types.flat_count(*payload));
    def.has_pointers = def.has_pointers || has_pointers(types, *payload);
    std::vector<FlatType> flat;
    if (types.flat_count(*payload) <= kMaxFlatParams) types.append_flat(*payload, flat);
    for (std::size_t i = 0; i < flat.size(); ++i) {
      if (i < joined.size()) joined[i] = join(joined[i], flat[i]);
      else joined.push_back(flat[i]);
    }
  }
  def.alignment = std::max<std::uint32_t>(def.discriminant_size, payload_alignment);
  std::uint64_t offset = align_to(def.discriminant_size, payload_alignment);
  def.offsets = {static_cast<std::uint32_t>(offset)};
  if (offset + payload_size > kMaxTypeBytes) return false;
  def.size = static_cast<std::uint32_t>(align_to(offset + payload_size, def.alignment));
  def.flat_count = 1 + longest;
  def.flat = {FlatType::I32};
  def.flat.insert(def.flat.end(), joined.begin(), joined.end());
  return true;
}

} // namespace

std::uint32_t TypeTable::size(ValType type) const {
  if (type.kind == TypeKind::String) return 8;
  return has_definition(type.kind) ? defs[type.index].size : scalar(type.kind).size;
}

std::uint32_t TypeTable::alignment(ValType type) const {
  return has_definition(type.kind) ? defs[type.index].alignment : scalar(type.kind).size;
}

std::uint32_t TypeTable::flat_count(ValType type) const {
  if (type.kind == TypeKind::String) return 2;
  return has_definition(type.kind) ? defs[type.index].flat_count : 1;
}

void TypeTable::append_flat(ValType type, std::vector<FlatType>& out) const {
  if (type.kind == TypeKind::String) {
    out.insert(out.end(), {FlatType::I32, FlatType::I32});
  } else if (has_definition(type.kind)) {
    const std::vector<FlatType>& flat = defs[type.index].flat;
    out.insert(out.end(), flat.begin(), flat.end());
  } else {
    out.push_back(scalar(type.kind).flat);
  }
}

bool complete_layout(const TypeTable& types, TypeDef& def) {
  bool fits = true;
  switch (def.kind) {
  case TypeKind::Record:
  case TypeKind::Tuple: fits = layout_fields(types, def); break;
  case TypeKind::List:
  case TypeKind::Map:
    def.size = 8, def.alignment = 4, def.has_pointers = true;
    def.flat = {FlatType::I32, FlatType::I32}, def.flat_count = 2;
    break;
  case TypeKind::FixedList: {
    std::uint64_t bytes = std::uint64_t{types.size(*def.element)} * def.length;
    std::uint64_t flats = std::uint64_t{types.flat_count(*def.element)} * def.length;
    if (bytes > kMaxTypeBytes || flats > ~std::uint32_t{0}) return false;
    def.size = static_cast<std::uint32_t>(bytes);
    def.alignment = types.alignment(*def.element);
    def.flat_count = static_cast<std::uint32_t>(flats);
    def.has_pointers = has_pointers(types, *def.element);
    if (flats <= kMaxFlatParams)
      for (std::uint32_t i = 0; i < def.length; ++i) types.append_flat(*def.element, def.flat);
    break;
  }
  case TypeKind::Variant:
  case TypeKind::Enum: {
    std::vector<std::optional<ValType>> cases;
    for (const Label& label : def.labels) cases.push_back(label.type);
    fits = layout_cases(types, def, cases);
    break;
  }
  case TypeKind::Option:
    fits = layout_cases(types, def, std::array<std::optional<ValType>, 2>{std::nullopt, def.element});
    break;
  case TypeKind::Result:
    fits = layout_cases(types, def, std::array<std::optional<ValType>, 2>{def.element, def.error});
    break;
  case TypeKind::Flags:
    def.size = def.alignment = def.labels.size() <= 8 ? 1 : def.labels.size() <= 16 ? 2 : 4;
    def.flat = {FlatType::I32}, def.flat_count = 1;
    break;
  default: def.size = def.alignment = 4, def.flat = {FlatType::I32}, def.flat_count = 1, def.has_pointers = true; break;
  }
  if (def.flat_count > kMaxFlatParams) def.flat.clear();
  return fits;
}

} // namespace cusp::component
