#include <fmt/format.h>

#include "wasm/limits.h"
#include "wasm/type_reader.h"

namespace cusp::wasm {

using base::ErrorCode;

namespace {

// Marks, inside a key, a type of the group itself. Above every type index.
constexpr std::uint32_t kInGroup = 1u << 26;
static_assert(kMaxTypes < kInGroup);

// Replaces every type index in `type` by what `change` makes of it.
template <class Change> void map_indices(SubType& type, Change change) {
  auto value = [&](ValType& at) {
    if (at.is_ref() && at.heap().is_concrete())
      at = ValType::ref(at.is_nullable(), HeapType(change(at.heap().index())));
  };
  if (type.supertype) type.supertype = change(*type.supertype);
  if (auto* func = std::get_if<FuncType>(&type.composite)) {
    for (ValType& param : func->params) value(param);
    for (ValType& result : func->results) value(result);
  } else if (auto* structure = std::get_if<StructType>(&type.composite)) {
    for (FieldType& field : structure->fields) value(field.type);
  } else {
    value(std::get<ArrayType>(type.composite).element.type);
  }
}

void put(std::string& key, std::uint32_t number) { key.append(reinterpret_cast<const char*>(&number), sizeof number); }

void put(std::string& key, const std::vector<ValType>& types) {
  put(key, static_cast<std::uint32_t>(types.size()));
  for (ValType type : types) put(key, type.raw());
}

void put(std::string& key, const FieldType& field) {
  put(key, field.type.raw());
  key += static_cast<char>(static_cast<int>(field.packed) << 1 | (field.is_mutable ? 1 : 0));
}

void put(std::string& key, const SubType& type) {
  key += static_cast<char>(type.composite.index() << 2 | (type.is_final ? 2 : 0) | (type.supertype ? 1 : 0));
  if (type.supertype) put(key, type.supertype->value);
  if (const auto* func = std::get_if<FuncType>(&type.composite)) {
    put(key, func->params);
    put(key, func->results);
  } else if (const auto* structure = std::get_if<StructType>(&type.composite)) {
    put(key, static_cast<std::uint32_t>(structure->fields.size()));
    for (const FieldType& field : structure->fields) put(key, field);
  } else {
    put(key, std::get<ArrayType>(type.composite).element);
  }
}

} // namespace

void TypeSectionReader::read() {
  for (std::uint32_t n = cursor_.count(kMaxTypes, "type"); n != 0 && cursor_.ok(); --n) {
    std::uint32_t size = 1;
    if (cursor_.peek() == 0x4e) {
      if (!TypeReader(cursor_, module_, module_.features_used).need(Feature::Gc)) return;
      cursor_.u8();
      size = cursor_.count(kMaxTypes, "type");
    }
    if (size > kMaxTypes - module_.types.size()) {
      cursor_.fail(ErrorCode::LimitExceeded, fmt::format("there are more than {} types", kMaxTypes));
      return;
    }
    read_group(size);
  }
}

void TypeSectionReader::read_group(std::uint32_t size) {
  const auto start = static_cast<std::uint32_t>(module_.types.size());
  std::vector<SubType> group;
  group.reserve(size);
  offsets_.clear();
  TypeReader types(cursor_, module_, module_.features_used, start + size);
  for (std::uint32_t i = 0; i < size && cursor_.ok(); ++i) {
    offsets_.push_back(cursor_.offset());
    group.push_back(read_sub_type(types));
    const std::optional<TypeIndex>& super = group.back().supertype;
    if (cursor_.ok() && super && super->value >= start + i)
      cursor_.fail_at(ErrorCode::Invalid, offsets_[i],
                      fmt::format("unknown type {}: it does not come before its subtype {}", super->value, start + i));
  }
  if (!cursor_.ok()) return;
  for (SubType& type : group) {
    type.rec_group = TypeIndex(start);
    module_.types.push_back(std::move(type));
  }
  const bool is_new = canonicalise(start, size);
  for (std::uint32_t i = start; i < start + size; ++i) {
    SubType& type = module_.types[i];
    if (!is_new) type.depth = module_.types[type.canonical.value].depth;
    else if (!check_supertype(i)) return;
  }
}

SubType TypeSectionReader::read_sub_type(TypeReader& types) {
  SubType type;
  const std::uint8_t form = cursor_.peek();
  if (form == 0x50 || form == 0x4f) {
    if (!types.need(Feature::Gc)) return type;
    cursor_.u8();
    type.is_final = form == 0x4f;
    const std::uint64_t offset = cursor_.offset();
    const std::uint32_t supers = cursor_.count(kMaxTypes, "supertype");
    if (supers > 1) cursor_.fail_at(ErrorCode::Invalid, offset, "a type has at most one supertype");
    else if (supers == 1) type.supertype = types.type_index();
  }
  if (cursor_.ok()) read_composite(types, type);
  return type;
}

void TypeSectionReader::read_composite(TypeReader& types, SubType& type) {
  const std::uint64_t offset = cursor_.offset();
  const std::uint8_t form = cursor_.u8();
  if (!cursor_.ok()) return;
  switch (form) {
  case 0x60: {
    FuncType func;
    for (std::uint32_t n = cursor_.count(kMaxParams, "parameter"); n != 0 && cursor_.ok(); --n)
      func.params.push_back(types.val_type());
    for (std::uint32_t n = cursor_.count(kMaxResults, "result"); n != 0 && cursor_.ok(); --n)
      func.results.push_back(types.val_type());
    if (func.results.size() > 1) types.need(Feature::MultiValue);
    type.composite = std::move(func);
    break;
  }
  case 0x5f: {
    if (!types.need(Feature::Gc)) return;
    StructType structure;
    for (std::uint32_t n = cursor_.count(kMaxStructFields, "field"); n != 0 && cursor_.ok(); --n)
      structure.fields.push_back(read_field(types));
    type.composite = std::move(structure);
    break;
  }
  case 0x5e:
    if (types.need(Feature::Gc)) type.composite = ArrayType{read_field(types)};
    break;
  case 0x5d: types.need(Feature::StackSwitching); break;
  case 0x4c:
  case 0x4d: types.need(Feature::CustomDescriptors); break;
  case 0x65: types.need(Feature::SharedEverythingThreads); break;
  default:
    cursor_.fail_at(ErrorCode::Malformed, offset, "malformed type: integer representation of the form is unknown");
  }
}

FieldType TypeSectionReader::read_field(TypeReader& types) {
  FieldType field;
  const std::uint8_t byte = cursor_.peek();
  if (byte == 0x78 || byte == 0x77) {
    cursor_.u8();
    field.packed = byte == 0x78 ? Packed::I8 : Packed::I16;
    field.type = ValType::i32();
  } else {
    field.type = types.val_type();
  }
  const std::uint8_t mutability = cursor_.u8();
  if (cursor_.ok() && mutability > 1) cursor_.fail(ErrorCode::Malformed, "malformed mutability");
  field.is_mutable = mutability == 1;
  return field;
}

bool TypeSectionReader::canonicalise(std::uint32_t start, std::uint32_t size) {
  std::string key;
  for (std::uint32_t i = start; i < start + size; ++i) {
    SubType relative = module_.types[i];
    map_indices(relative,
                [&](TypeIndex at) { return at.value < start ? at : TypeIndex(kInGroup | (at.value - start)); });
    put(key, relative);
  }
  const std::uint32_t first = groups_.try_emplace(std::move(key), start).first->second;
  for (std::uint32_t i = start; i < start + size; ++i) {
    SubType& type = module_.types[i];
    type.canonical = TypeIndex(first + (i - start));
    map_indices(type, [&](TypeIndex at) { return at.value < start ? at : TypeIndex(at.value - start + first); });
  }
  return first == start;
}

bool TypeSectionReader::check_supertype(std::uint32_t index) {
  SubType& type = module_.types[index];
  if (!type.supertype) return true;
  const SubType& super = module_.types[type.supertype->value];
  const std::uint64_t offset = offsets_[index - type.rec_group.value];
  if (super.depth >= kMaxSubtypeDepth)
    return cursor_.fail_at(ErrorCode::LimitExceeded, offset,
                           fmt::format("type {} has more than {} supertypes", index, kMaxSubtypeDepth));
  type.depth = static_cast<std::uint8_t>(super.depth + 1);
  if (super.is_final || !composite_matches(type, super))
    return cursor_.fail_at(ErrorCode::Invalid, offset,
                           fmt::format("sub type {} does not match super type {}{}", index, type.supertype->value,
                                       super.is_final ? ", which is final" : ""));
  return true;
}

bool TypeSectionReader::composite_matches(const SubType& sub, const SubType& super) const {
  if (sub.composite.index() != super.composite.index()) return false;
  if (const auto* func = std::get_if<FuncType>(&sub.composite)) {
    const auto& wanted = std::get<FuncType>(super.composite);
    if (func->params.size() != wanted.params.size() || func->results.size() != wanted.results.size()) return false;
    for (std::size_t i = 0; i < func->params.size(); ++i)
      if (!module_.is_subtype(wanted.params[i], func->params[i])) return false;
    for (std::size_t i = 0; i < func->results.size(); ++i)
      if (!module_.is_subtype(func->results[i], wanted.results[i])) return false;
    return true;
  }
  if (const auto* structure = std::get_if<StructType>(&sub.composite)) {
    const auto& wanted = std::get<StructType>(super.composite);
    if (structure->fields.size() < wanted.fields.size()) return false;
    for (std::size_t i = 0; i < wanted.fields.size(); ++i)
      if (!field_matches(structure->fields[i], wanted.fields[i])) return false;
    return true;
  }
  return field_matches(std::get<ArrayType>(sub.composite).element, std::get<ArrayType>(super.composite).element);
}

bool TypeSectionReader::field_matches(const FieldType& sub, const FieldType& super) const {
  if (sub.is_mutable != super.is_mutable || sub.packed != super.packed) return false;
  return sub.is_mutable ? sub.type == super.type : module_.is_subtype(sub.type, super.type);
}

} // namespace cusp::wasm
