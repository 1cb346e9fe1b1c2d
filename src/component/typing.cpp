#include "component/typing.h"

#include "component/limits.h"

namespace cusp::component::typing {

using Kind = TypeRef::Kind;

std::string_view kind_name(TypeRef type) {
  constexpr std::string_view kNames[] = {"defined type", "defined type", "resource", "func", "instance", "component"};
  return kNames[static_cast<std::size_t>(type.kind)];
}

std::string_view kind_name(const Entity& entity) {
  constexpr std::string_view kNames[] = {"module", "func", "value", "type", "instance", "component"};
  return kNames[static_cast<std::size_t>(entity.kind)];
}

std::string_view type_kind_name(TypeKind kind) {
  constexpr std::string_view kNames[] = {"bool",   "s8",     "u8",           "s16",  "u16",
                                         "s32",    "u32",    "s64",          "u64",  "f32",
                                         "f64",    "char",   "string",       "list", "fixed-length list",
                                         "record", "tuple",  "variant",      "enum", "option",
                                         "result", "flags",  "map",          "own",  "borrow",
                                         "stream", "future", "error-context"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool combine(Info& whole, const Info& part) {
  whole.has_borrow = whole.has_borrow || part.has_borrow;
  whole.size = std::min(whole.size + part.size, kMaxTypeSize);
  return whole.size < kMaxTypeSize;
}

TypeKind Types::kind_of(TypeRef type) const {
  return type.kind == Kind::Primitive ? type.primitive_kind() : defined(type).kind;
}

ValType Types::abi(TypeRef type) const {
  return type.kind == Kind::Primitive ? ValType{type.primitive_kind(), 0} : defined(type).abi;
}

std::optional<TypeRef> Types::add(DefinedType type) {
  TypeDef def;
  def.kind = type.kind;
  def.length = type.length;
  for (const DefinedType::Label& label : type.labels)
    def.labels.push_back({label.name, label.type ? std::optional(abi(*label.type)) : std::nullopt});
  if (type.element) def.element = abi(*type.element);
  if (type.error) def.error = abi(*type.error);
  type.needs_memory = type.kind == TypeKind::String || type.kind == TypeKind::List || type.kind == TypeKind::Map;
  bool is_handle = type.kind == TypeKind::Stream || type.kind == TypeKind::Future;
  type.info.has_borrow = type.kind == TypeKind::Borrow;
  DefinedType::each(type, [&](TypeRef& inner) {
    if (inner.kind == Kind::Resource) return;
    combine(type.info, info(inner));
    if (inner.kind == Kind::Defined) type.depth = std::max(type.depth, defined(inner).depth + 1);
    if (!is_handle) type.needs_memory = type.needs_memory || needs_memory(inner);
  });
  if (has_layout(type.kind)) {
    auto made = builder_.define(std::move(def));
    if (!made) return std::nullopt;
    type.abi = *made;
  } else {
    type.abi = {type.kind, 0};
  }
  defined_.push_back(std::move(type));
  return TypeRef{Kind::Defined, static_cast<std::uint32_t>(defined_.size() - 1), 0};
}

TypeRef Types::add(FuncType type) {
  funcs_.push_back(std::move(type));
  return {Kind::Func, static_cast<std::uint32_t>(funcs_.size() - 1), 0};
}
TypeRef Types::add(InstanceType type) {
  instances_.push_back(std::move(type));
  return {Kind::Instance, static_cast<std::uint32_t>(instances_.size() - 1), 0};
}
TypeRef Types::add(ComponentType type) {
  components_.push_back(std::move(type));
  return {Kind::Component, static_cast<std::uint32_t>(components_.size() - 1), 0};
}

void Types::forget(const Mark& mark) {
  defined_.resize(mark.defined);
  funcs_.resize(mark.funcs);
  instances_.resize(mark.instances);
  components_.resize(mark.components);
}

Info Types::info(TypeRef type) const {
  switch (type.kind) {
  case Kind::Defined: return defined(type).info;
  case Kind::Func: return func(type).info;
  case Kind::Instance: return instance(type).info;
  case Kind::Component: return component(type).info;
  default: return {};
  }
}

Info Types::info(const Entity& entity) const {
  if (entity.kind != Entity::Kind::Module) return info(entity.type);
  Info whole;
  const ModuleType& module = modules[entity.module];
  whole.size += static_cast<std::uint32_t>(
      std::min<std::size_t>(module.imports.size() + module.exports->items.size(), kMaxTypeSize));
  return whole;
}

// ---- substitution ----

void Types::substitute(ResourcePaths& paths, const Mapping& mapping) {
  for (auto& [id, path] : paths) id = mapping.of(id);
}

Entity Types::substitute(Entity entity, Mapping& mapping) {
  if (entity.kind == Entity::Kind::Module) return entity;
  bool same = entity.created == entity.type;
  entity.type = substitute(entity.type, mapping);
  if (entity.kind == Entity::Kind::Type) entity.created = same ? entity.type : substitute(entity.created, mapping);
  return entity;
}

TypeRef Types::substitute(TypeRef type, Mapping& mapping) {
  if (type.kind == Kind::Primitive) return type;
  if (auto known = mapping.types.find(type); known != mapping.types.end()) return known->second;
  if (type.kind == Kind::Resource) {
    type.index = mapping.of(type.resource_id()).value;
    return type;
  }
  bool changed = false;
  auto replace = [&](TypeRef& inner) {
    TypeRef to = substitute(inner, mapping);
    changed = changed || to != inner;
    inner = to;
  };
  auto replace_items = [&](Items& items) {
    for (Entity& entity : items.entities) {
      Entity to = substitute(entity, mapping);
      changed = changed || to.type != entity.type || to.created != entity.created;
      entity = to;
    }
  };
  auto replace_paths = [&](ResourcePaths& paths) {
    for (auto& [id, path] : paths) {
      changed = changed || mapping.of(id) != id;
      id = mapping.of(id);
    }
  };
  TypeRef result = type;
  switch (type.kind) {
  case Kind::Defined: {
    DefinedType copy = defined(type);
    DefinedType::each(copy, replace);
    if (changed) {
      defined_.push_back(std::move(copy)); // the layout stays: resources do not change it
      result = {Kind::Defined, static_cast<std::uint32_t>(defined_.size() - 1), 0};
    }
    break;
  }
  case Kind::Func: {
    FuncType copy = func(type);
    for (auto& [name, param] : copy.params) replace(param);
    if (copy.result) replace(*copy.result);
    if (changed) result = add(std::move(copy));
    break;
  }
  case Kind::Instance: {
    InstanceType copy = instance(type);
    replace_items(copy.exports);
    for (ResourceId& id : copy.defined) {
      changed = changed || mapping.of(id) != id;
      id = mapping.of(id);
    }
    replace_paths(copy.explicit_);
    if (changed) result = add(std::move(copy));
    break;
  }
  default: {
    ComponentType copy = component(type);
    replace_items(copy.imports);
    replace_items(copy.exports);
    for (ResourcePaths* paths : {&copy.imported, &copy.defined, &copy.explicit_}) replace_paths(*paths);
    if (changed) result = add(std::move(copy));
    break;
  }
  }
  mapping.types.emplace(type, result);
  return result;
}

// ---- what a type mentions ----

void Types::free_resources(const Entity& entity, std::set<ResourceId>& out) const {
  if (entity.kind == Entity::Kind::Module) return;
  free_resources(entity.kind == Entity::Kind::Type ? entity.created : entity.type, out);
}

void Types::free_resources(TypeRef type, std::set<ResourceId>& out) const {
  switch (type.kind) {
  case Kind::Primitive: return;
  case Kind::Resource: out.insert(type.resource_id()); return;
  case Kind::Defined:
    DefinedType::each(defined(type), [&](const TypeRef& inner) { free_resources(inner, out); });
    return;
  case Kind::Func:
    for (const auto& [name, param] : func(type).params) free_resources(param, out);
    if (func(type).result) free_resources(*func(type).result, out);
    return;
  case Kind::Instance: {
    const InstanceType& node = instance(type);
    for (const Entity& entity : node.exports.entities) free_resources(entity, out);
    for (ResourceId id : node.defined) out.erase(id);
    return;
  }
  case Kind::Component: {
    const ComponentType& node = component(type);
    for (const Items* items : {&node.imports, &node.exports})
      for (const Entity& entity : items->entities) free_resources(entity, out);
    for (const ResourcePaths* paths : {&node.imported, &node.defined})
      for (const auto& [id, path] : *paths) out.erase(id);
    return;
  }
  }
}

bool Types::is_named(TypeRef type, const TypeRefSet& names) const {
  if (type.kind == Kind::Primitive) return true;
  if (type.kind == Kind::Resource) return names.contains(type);
  switch (defined(type).kind) {
  case TypeKind::Record:
  case TypeKind::Variant:
  case TypeKind::Enum:
  case TypeKind::Flags: return names.contains(type);
  default: return is_named_inside(type, names);
  }
}

bool Types::is_named_inside(TypeRef type, const TypeRefSet& names) const {
  bool all = true;
  switch (type.kind) {
  case Kind::Defined:
    DefinedType::each(defined(type), [&](const TypeRef& inner) { all = all && is_named(inner, names); });
    return all;
  case Kind::Func:
    for (const auto& [name, param] : func(type).params) all = all && is_named(param, names);
    return all && (!func(type).result || is_named(*func(type).result, names));
  case Kind::Instance:
    for (const Entity& entity : instance(type).exports.entities) {
      if (entity.kind == Entity::Kind::Type) all = all && is_named_inside(entity.created, names);
      else if (entity.kind != Entity::Kind::Module && entity.kind != Entity::Kind::Component)
        all = all && is_named_inside(entity.type, names);
    }
    return all;
  default: return true; // resources by themselves; components are closed
  }
}

} // namespace cusp::component::typing
