#include "component/core_types.h"

#include <set>

#include <fmt/format.h>

#include "wasm/limits.h"

namespace cusp::component {

using base::ErrorCode;
using base::Result;
using wasm::TypeIndex;

namespace {

std::unexpected<base::Error> invalid(std::string message) { return base::fail(ErrorCode::Invalid, std::move(message)); }

// Marks a type of the group itself while the group has no place yet. Above every type index.
constexpr std::uint32_t kInGroup = 1u << 26;

// Replaces every type index by what `change` makes of it; false when that is nothing.
template <class Change> bool map_indices(wasm::SubType& type, Change change) {
  auto value = [&](wasm::ValType& at) {
    if (!at.is_ref() || !at.heap().is_concrete()) return true;
    std::optional<TypeIndex> to = change(at.heap().index());
    if (to) at = wasm::ValType::ref(at.is_nullable(), wasm::HeapType(*to));
    return to.has_value();
  };
  if (type.supertype) {
    std::optional<TypeIndex> to = change(*type.supertype);
    if (!to) return false;
    type.supertype = to;
  }
  if (auto* func = std::get_if<wasm::FuncType>(&type.composite)) {
    for (auto* list : {&func->params, &func->results})
      for (wasm::ValType& at : *list)
        if (!value(at)) return false;
    return true;
  }
  if (auto* structure = std::get_if<wasm::StructType>(&type.composite)) {
    for (wasm::FieldType& field : structure->fields)
      if (!value(field.type)) return false;
    return true;
  }
  return value(std::get<wasm::ArrayType>(type.composite).element.type);
}

// Two groups with the same key are equivalent.
std::string key_of(const std::vector<wasm::SubType>& group) {
  std::string key;
  auto put = [&](std::uint32_t number) { key.append(reinterpret_cast<const char*>(&number), sizeof number); };
  auto put_field = [&](const wasm::FieldType& field) {
    put(field.type.raw());
    put(static_cast<std::uint32_t>(field.packed) << 1 | (field.is_mutable ? 1 : 0));
  };
  for (const wasm::SubType& type : group) {
    put(static_cast<std::uint32_t>(type.composite.index()) << 1 | (type.is_final ? 1 : 0));
    put(type.supertype ? type.supertype->value : ~0u);
    if (const auto* func = std::get_if<wasm::FuncType>(&type.composite)) {
      for (const auto* list : {&func->params, &func->results}) {
        put(static_cast<std::uint32_t>(list->size()));
        for (wasm::ValType at : *list) put(at.raw());
      }
    } else if (const auto* structure = std::get_if<wasm::StructType>(&type.composite)) {
      put(static_cast<std::uint32_t>(structure->fields.size()));
      for (const wasm::FieldType& field : structure->fields) put_field(field);
    } else {
      put_field(std::get<wasm::ArrayType>(type.composite).element);
    }
  }
  return key;
}

bool field_matches(const wasm::Module& types, const wasm::FieldType& sub, const wasm::FieldType& super) {
  if (sub.is_mutable != super.is_mutable || sub.packed != super.packed) return false;
  return sub.is_mutable ? sub.type == super.type : types.is_subtype(sub.type, super.type);
}

// Spec: 3.3.10, composite types.
bool composite_matches(const wasm::Module& types, const wasm::SubType& sub, const wasm::SubType& super) {
  if (sub.composite.index() != super.composite.index()) return false;
  if (const auto* func = std::get_if<wasm::FuncType>(&sub.composite)) {
    const auto& wanted = std::get<wasm::FuncType>(super.composite);
    if (func->params.size() != wanted.params.size() || func->results.size() != wanted.results.size()) return false;
    for (std::size_t i = 0; i < func->params.size(); ++i)
      if (!types.is_subtype(wanted.params[i], func->params[i])) return false;
    for (std::size_t i = 0; i < func->results.size(); ++i)
      if (!types.is_subtype(func->results[i], wanted.results[i])) return false;
    return true;
  }
  if (const auto* structure = std::get_if<wasm::StructType>(&sub.composite)) {
    const auto& wanted = std::get<wasm::StructType>(super.composite);
    if (structure->fields.size() < wanted.fields.size()) return false;
    for (std::size_t i = 0; i < wanted.fields.size(); ++i)
      if (!field_matches(types, structure->fields[i], wanted.fields[i])) return false;
    return true;
  }
  return field_matches(types, std::get<wasm::ArrayType>(sub.composite).element,
                       std::get<wasm::ArrayType>(super.composite).element);
}

bool limits_match(const wasm::Limits& actual, const wasm::Limits& wanted) {
  return actual.min >= wanted.min && (!wanted.max || (actual.max && *actual.max <= *wanted.max));
}

} // namespace

const CoreExtern* ModuleType::find_import(std::string_view module, std::string_view name) const {
  for (const Import& import : imports)
    if (import.module == module && import.name == name) return &import.what;
  return nullptr;
}

std::string_view core_kind_name(wasm::ExternKind kind) {
  constexpr std::string_view kNames[] = {"func", "table", "memory", "global", "tag"};
  return kNames[static_cast<std::size_t>(kind)];
}

Result<TypeIndex> CoreTypes::add_group(std::vector<wasm::SubType> group, std::uint32_t first, const Resolve& resolve) {
  const auto size = static_cast<std::uint32_t>(group.size());
  for (std::uint32_t i = 0; i < size; ++i) {
    if (group[i].supertype && group[i].supertype->value >= first + i)
      return invalid(fmt::format("unknown type {}: a supertype comes before its subtypes", group[i].supertype->value));
    std::uint32_t unknown = 0;
    bool known = map_indices(group[i], [&](TypeIndex at) -> std::optional<TypeIndex> {
      if (at.value >= first && at.value - first < size) return TypeIndex(kInGroup | (at.value - first));
      unknown = at.value;
      return resolve(at);
    });
    if (!known) return invalid(fmt::format("unknown type {}: type index out of bounds", unknown));
  }
  const auto at = static_cast<std::uint32_t>(space_.types.size());
  auto [found, is_new] = groups_.try_emplace(key_of(group), at);
  if (!is_new) return TypeIndex(found->second);
  for (std::uint32_t i = 0; i < size; ++i) {
    map_indices(group[i], [&](TypeIndex index) -> std::optional<TypeIndex> {
      return (index.value & kInGroup) != 0 ? TypeIndex(at + (index.value & ~kInGroup)) : index;
    });
    group[i].canonical = TypeIndex(at + i);
    group[i].rec_group = TypeIndex(at);
    space_.types.push_back(std::move(group[i]));
  }
  for (std::uint32_t i = at; i < at + size; ++i) {
    wasm::SubType& type = space_.types[i];
    if (!type.supertype) continue;
    const wasm::SubType& super = space_.types[type.supertype->value];
    if (super.depth >= wasm::kMaxSubtypeDepth)
      return base::fail(ErrorCode::LimitExceeded, "a type has too many supertypes");
    type.depth = static_cast<std::uint8_t>(super.depth + 1);
    if (super.is_final || !composite_matches(space_, type, super))
      return invalid("a sub type does not match its super type");
  }
  return TypeIndex(at);
}

TypeIndex CoreTypes::add_func(const wasm::FuncType& type) {
  std::vector<wasm::SubType> group(1);
  group[0].composite = type;
  auto added = add_group(std::move(group), kInGroup, [](TypeIndex index) { return std::optional(index); });
  return *added; // a function type without supertype is always valid
}

std::optional<wasm::ValType> CoreTypes::resolve(wasm::ValType type, const Resolve& resolve) {
  if (!type.is_ref() || !type.heap().is_concrete()) return type;
  std::optional<TypeIndex> index = resolve(type.heap().index());
  if (!index) return std::nullopt;
  return wasm::ValType::ref(type.is_nullable(), wasm::HeapType(*index));
}

Result<ModuleType> CoreTypes::type_of(const wasm::Module& module) {
  std::vector<TypeIndex> map;
  Resolve resolve = [&](TypeIndex index) -> std::optional<TypeIndex> {
    if (index.value >= map.size()) return std::nullopt;
    return map[index.value];
  };
  for (std::uint32_t i = 0; i < module.types.size();) {
    std::uint32_t end = i + 1;
    while (end < module.types.size() && module.types[end].rec_group == module.types[i].rec_group) ++end;
    if (TypeIndex canonical = module.types[i].canonical; canonical.value != i) {
      for (std::uint32_t j = i; j < end; ++j) map.push_back(map[module.types[j].canonical.value]);
    } else {
      TypeIndex first = CUSP_TRY(add_group({module.types.begin() + i, module.types.begin() + end}, i, resolve));
      for (std::uint32_t j = 0; j < end - i; ++j) map.push_back(TypeIndex(first.value + j));
    }
    i = end;
  }
  auto extern_of = [&](wasm::ExternKind kind, std::uint32_t index) {
    CoreExtern what{.kind = kind, .type = {}, .table = {}, .memory = {}, .global = {}};
    auto mapped = [&](wasm::ValType type) { return CoreTypes::resolve(type, resolve).value_or(type); };
    switch (kind) {
    case wasm::ExternKind::Func: what.type = map[module.functions[index].type.value]; break;
    case wasm::ExternKind::Tag: what.type = map[module.tags[index].type.value]; break;
    case wasm::ExternKind::Table:
      what.table = module.tables[index].type;
      what.table.element = mapped(what.table.element);
      break;
    case wasm::ExternKind::Memory: what.memory = module.memories[index]; break;
    case wasm::ExternKind::Global:
      what.global = module.globals[index].type;
      what.global.type = mapped(what.global.type);
      break;
    }
    return what;
  };
  ModuleType type;
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const wasm::Import& import : module.imports) {
    if (!seen.emplace(import.module, import.name).second)
      return invalid(fmt::format("module has a duplicate import name `{}:{}` that is not allowed in components",
                                 import.module, import.name));
    type.imports.push_back(
        {std::string(import.module), std::string(import.name), extern_of(import.kind, import.index)});
  }
  auto exports = std::make_shared<CoreExports>();
  for (const wasm::Export& entry : module.exports)
    exports->items.emplace(entry.name, extern_of(entry.kind, entry.index));
  type.exports = std::move(exports);
  return type;
}

Result<void> match_memory(const wasm::MemoryType& actual, const wasm::MemoryType& wanted) {
  if (actual.shared != wanted.shared) return invalid("mismatch in the shared flag for memories");
  if (actual.memory64 != wanted.memory64) return invalid("mismatch in index type used for memories");
  if (actual.page_size_log2 != wanted.page_size_log2) return invalid("mismatch in page size for memories");
  if (!limits_match(actual.limits, wanted.limits)) return invalid("mismatch in memory limits");
  return {};
}

Result<void> match_table(const wasm::TableType& actual, const wasm::TableType& wanted) {
  if (actual.element != wanted.element)
    return invalid(fmt::format("expected table element type {}, found {}", wanted.element.to_string(),
                               actual.element.to_string()));
  if (actual.table64 != wanted.table64) return invalid("mismatch in index type used for tables");
  if (!limits_match(actual.limits, wanted.limits)) return invalid("mismatch in table limits");
  return {};
}

Result<void> CoreTypes::match(const CoreExtern& actual, const CoreExtern& wanted) const {
  if (actual.kind != wanted.kind)
    return invalid(fmt::format("expected {}, found {}", core_kind_name(wanted.kind), core_kind_name(actual.kind)));
  switch (actual.kind) {
  case wasm::ExternKind::Func:
  case wasm::ExternKind::Tag: {
    bool equal = actual.type == wanted.type;
    if (equal || (actual.kind == wasm::ExternKind::Func && space_.is_type_subtype(actual.type, wanted.type))) return {};
    return invalid(
        fmt::format("expected: {}, found: {}", func(wanted.type)->to_string(), func(actual.type)->to_string()));
  }
  case wasm::ExternKind::Table: return match_table(actual.table, wanted.table);
  case wasm::ExternKind::Memory: return match_memory(actual.memory, wanted.memory);
  case wasm::ExternKind::Global: break;
  }
  if (actual.global.is_mutable != wanted.global.is_mutable) return invalid("global types differ in mutability");
  bool matches = actual.global.is_mutable ? actual.global.type == wanted.global.type
                                          : space_.is_subtype(actual.global.type, wanted.global.type);
  if (matches) return {};
  return invalid(
      fmt::format("expected global type {}, found {}", wanted.global.type.to_string(), actual.global.type.to_string()));
}

Result<void> CoreTypes::match(const ModuleType& actual, const ModuleType& wanted) const {
  for (const ModuleType::Import& import : actual.imports) {
    const CoreExtern* given = wanted.find_import(import.module, import.name);
    if (!given) return invalid(fmt::format("missing expected import `{}::{}`", import.module, import.name));
    if (auto matched = match(*given, import.what); !matched)
      return base::with_context(std::move(matched).error(),
                                fmt::format("type mismatch in import `{}::{}`", import.module, import.name));
  }
  for (const auto& [name, what] : wanted.exports->items) {
    const CoreExtern* given = actual.exports->find(name);
    if (!given) return invalid(fmt::format("missing expected export `{}`", name));
    if (auto matched = match(*given, what); !matched)
      return base::with_context(std::move(matched).error(), fmt::format("type mismatch in export `{}`", name));
  }
  return {};
}

} // namespace cusp::component
