#include "component/validation.h"

namespace cusp::component {

using base::Result;
using Kind = TypeRef::Kind;

// ---- imports and exports ----

Result<Entity> Validation::entity_of(const ast::ExternDesc& desc) {
  Entity entity;
  switch (desc.kind) {
  case ast::ExternKind::CoreModule: {
    auto type = CUSP_TRY(at(scope_->core_types, desc.index, "type"));
    if (type.type) return invalid(fmt::format("core type index {} is not a module type", desc.index));
    entity.kind = Entity::Kind::Module;
    entity.module = type.module;
    return entity;
  }
  case ast::ExternKind::Func:
    entity.kind = Entity::Kind::Func;
    entity.type = CUSP_TRY(type_at(desc.index, Kind::Func, "a function"));
    return entity;
  case ast::ExternKind::Value:
    CUSP_TRY(need(Feature::Values));
    entity.kind = Entity::Kind::Value;
    entity.type = CUSP_TRY(value_type(desc.value));
    return entity;
  case ast::ExternKind::TypeEq:
    entity.kind = Entity::Kind::Type;
    entity.type = CUSP_TRY(at(scope_->types, desc.index, "type"));
    entity.created = types_.named(entity.type);
    return entity;
  case ast::ExternKind::TypeSub:
    entity.kind = Entity::Kind::Type;
    entity.type = entity.created = TypeRef::resource(types_.new_resource());
    return entity;
  case ast::ExternKind::Component:
    entity.kind = Entity::Kind::Component;
    entity.type = CUSP_TRY(type_at(desc.index, Kind::Component, "a component"));
    return entity;
  case ast::ExternKind::Instance: break;
  }
  entity.kind = Entity::Kind::Instance;
  entity.type = CUSP_TRY(type_at(desc.index, Kind::Instance, "an instance"));
  return entity;
}

Result<void> Validation::define(ast::Import& import, const ast::Definition&) {
  Entity entity = CUSP_TRY(entity_of(import.desc));
  CUSP_TRY(add(entity, Direction::Import, import.name.text));
  if (entity.kind == Entity::Kind::Instance) import.shape = shape_of(entity.type);
  CUSP_TRY(check_name(import.name, Direction::Import, entity, scope_->imports));
  return grow(scope_->info, types_.info(entity));
}

Result<Entity> Validation::exported(const ast::Export& entry) {
  if (scope_->kind != Scope::Kind::Component) return entity_of(*entry.desc); // a declaration
  Entity actual = CUSP_TRY(entity_at(entry.what));
  if (actual.kind == Entity::Kind::Type) actual.created = types_.named(actual.type);
  if (!entry.desc) return actual;
  Entity ascribed = CUSP_TRY(entity_of(*entry.desc));
  if (auto matched = typing::Subtyping(types_).entity(actual, ascribed); !matched)
    return placed(std::move(matched).error(), "ascribed type of export is not compatible with item's type");
  return ascribed;
}

Result<void> Validation::define(ast::Export& entry, const ast::Definition&) {
  Entity entity = CUSP_TRY(exported(entry));
  CUSP_TRY(add(entity, Direction::Export, entry.name.text));
  if (entity.kind == Entity::Kind::Instance && entry.desc) entry.shape = shape_of(entity.type);
  CUSP_TRY(check_name(entry.name, Direction::Export, entity, scope_->exports));
  if (entity.kind == Entity::Kind::Value && types_.info(entity.type).has_borrow)
    return invalid("an exported value cannot contain a `borrow` type");
  return grow(scope_->info, types_.info(entity));
}

std::shared_ptr<const ast::Shape> Validation::shape_of(TypeRef instance) const {
  const typing::Items& exports = types_.instance(instance).exports;
  auto shape = std::make_shared<ast::Shape>();
  for (std::size_t i = 0; i < exports.entities.size(); ++i) {
    const Entity& entity = exports.entities[i];
    shape->exports.emplace_back((*exports.names)[i],
                                entity.kind == Entity::Kind::Instance ? shape_of(entity.type) : nullptr);
  }
  return shape;
}

Result<void> Validation::add(Entity& entity, std::optional<Direction> direction, std::string_view name) {
  switch (entity.kind) {
  case Entity::Kind::Module: scope_->core_modules.push_back(entity.module); break;
  case Entity::Kind::Func: scope_->funcs.push_back(entity.type); break;
  case Entity::Kind::Value: scope_->values.push_back({entity.type, direction == Direction::Export}); break;
  case Entity::Kind::Component: scope_->components.push_back(entity.type); break;
  case Entity::Kind::Instance:
    if (direction == Direction::Import) open_imported(entity.type);
    if (direction == Direction::Export) open_exported(entity.type);
    scope_->instances.push_back(entity.type);
    break;
  case Entity::Kind::Type:
    scope_->types.push_back(entity.created);
    if (direction && entity.created.kind == Kind::Resource) add_resource(entity, *direction);
    break;
  }
  if (direction && !name_types(entity, *direction, name))
    return invalid(fmt::format("{} not valid to be used as {}", typing::kind_name(entity),
                               direction == Direction::Import ? "import" : "export"));
  return {};
}

// `created` and `type` are the same where a resource is brought in for the first time.
void Validation::add_resource(const Entity& entity, Direction direction) {
  bool is_new = entity.created == entity.type;
  typing::ResourceId id = entity.created.resource_id();
  if (direction == Direction::Import) {
    if (is_new)
      scope_->imported.emplace_back(id, typing::Path{static_cast<std::uint32_t>(scope_->imports.entities.size())});
    return;
  }
  if (is_new) scope_->defined.push_back({id, std::nullopt});
  scope_->explicit_.emplace_back(id, typing::Path{static_cast<std::uint32_t>(scope_->exports.entities.size())});
}

// Two instances of one type do not share its resources: they become new variables of the scope.
void Validation::open_imported(TypeRef& instance) {
  if (types_.instance(instance).defined.empty()) return;
  typing::InstanceType opened = types_.instance(instance);
  typing::Mapping mapping;
  auto at = static_cast<std::uint32_t>(scope_->imports.entities.size());
  for (typing::ResourceId id : opened.defined) {
    typing::ResourceId fresh = types_.new_resource();
    mapping.resources[id] = fresh;
    typing::Path path{at};
    for (const auto& [known, where] : opened.explicit_)
      if (known == id) {
        path.insert(path.end(), where.begin(), where.end());
        break;
      }
    scope_->imported.emplace_back(fresh, std::move(path));
  }
  opened.defined.clear();
  for (Entity& entity : opened.exports.entities) entity = types_.substitute(entity, mapping);
  typing::Types::substitute(opened.explicit_, mapping);
  instance = types_.add(std::move(opened));
}

void Validation::open_exported(TypeRef& instance) {
  if (!types_.instance(instance).defined.empty()) {
    typing::InstanceType opened = types_.instance(instance);
    typing::Mapping mapping;
    for (typing::ResourceId id : std::exchange(opened.defined, {})) {
      typing::ResourceId fresh = types_.new_resource();
      mapping.resources[id] = fresh;
      scope_->defined.push_back({fresh, std::nullopt});
    }
    for (Entity& entity : opened.exports.entities) entity = types_.substitute(entity, mapping);
    typing::Types::substitute(opened.explicit_, mapping);
    instance = types_.add(std::move(opened));
  }
  auto at = static_cast<std::uint32_t>(scope_->exports.entities.size());
  for (const auto& [id, where] : types_.instance(instance).explicit_) {
    typing::Path path{at};
    path.insert(path.end(), where.begin(), where.end());
    scope_->explicit_.emplace_back(id, std::move(path));
  }
}

// Names what the entity brings, when all that it mentions has a name on that side; imported types may be exported, not the reverse.
// `name` is empty inside an instance.
bool Validation::name_types(const Entity& entity, Direction direction, std::string_view name) {
  Scope::Side& side = direction == Direction::Import ? scope_->imports : scope_->exports;
  bool is_type = entity.kind == Entity::Kind::Type;
  if (is_type && !name.empty() && entity.created.kind == Kind::Resource) {
    side.resource_names.emplace(entity.created, name);
    side.known_resources.emplace(name);
  }
  if (scope_->kind == Scope::Kind::InstanceType) return true;
  switch (entity.kind) {
  case Entity::Kind::Type:
    if (!types_.is_named_inside(entity.type, side.types)) return false;
    if (direction == Direction::Import) scope_->imports.types.insert(entity.created);
    scope_->exports.types.insert(entity.created);
    return true;
  case Entity::Kind::Instance:
    for (const Entity& inner : types_.instance(entity.type).exports.entities)
      if (!name_types(inner, direction, {})) return false;
    return true;
  case Entity::Kind::Func: return types_.is_named_inside(entity.type, side.types);
  case Entity::Kind::Value: return types_.is_named(entity.type, side.types);
  default: return true; // components and modules are closed
  }
}

// ---- names ----

Result<void> Validation::check_name(const ast::Name& name, Direction direction, const Entity& entity,
                                    Scope::Side& side) {
  std::string_view what = direction == Direction::Import ? "import" : "export";
  auto parsed = parse_extern_name(name.text, features_.has(Feature::NestedNames));
  if (!parsed)
    return placed(std::move(parsed).error(), fmt::format("{} name `{}` is not a valid extern name", what, name.text));
  bool locates =
      parsed->kind == NameKind::Dependency || parsed->kind == NameKind::Url || parsed->kind == NameKind::Hash;
  if (direction == Direction::Export && locates)
    return invalid(fmt::format("name `{}` is not a valid export name", name.text));
  CUSP_TRY(check_attributes(name, *parsed, entity));
  CUSP_TRY(check_annotation(*parsed, entity, side));
  auto [earlier, is_new] = side.taken.emplace(uniqueness_key(*parsed), name.text);
  if (!is_new)
    return invalid(fmt::format("{} name `{}` conflicts with previous name `{}`", what, name.text, earlier->second));
  side.names->add(std::string(name.text));
  side.entities.push_back(entity);
  return {};
}

Result<void> Validation::check_attributes(const ast::Name& name, const ExternName& parsed, const Entity& entity) const {
  CUSP_TRY(need(Feature::Implements, name.implements || name.external_id));
  CUSP_TRY(need(Feature::CanonicalNames, name.version_suffix.has_value()));
  if (name.implements) {
    if (parsed.kind != NameKind::Label)
      return invalid(fmt::format("name `{}` is not valid with `implements`", name.text));
    if (entity.kind != Entity::Kind::Instance) return invalid("only instances can have an `implements`");
    auto interface = parse_extern_name(*name.implements, features_.has(Feature::NestedNames));
    if (!interface)
      return placed(std::move(interface).error(), fmt::format("`{}` is not a valid name", *name.implements));
    if (interface->kind != NameKind::Interface)
      return invalid(fmt::format("name `{}` must be an interface", *name.implements));
    if (auto version = check_version(*interface, std::nullopt); !version) return placed(std::move(version).error());
  }
  if (name.version_suffix && entity.kind != Entity::Kind::Instance)
    return invalid("only instances can have a `versionsuffix`");
  if (parsed.kind != NameKind::Interface && name.version_suffix)
    return invalid("a version suffix needs an interface name with a canonical version");
  if (parsed.kind != NameKind::Interface) return {};
  if (auto version = check_version(parsed, name.version_suffix); !version) return placed(std::move(version).error());
  return {};
}

// What a constructor, method or static function must look like.
Result<void> Validation::check_annotation(const ExternName& name, const Entity& entity, const Scope::Side& side) const {
  if (name.resource.empty()) return {};
  if (entity.kind != Entity::Kind::Func)
    return invalid(fmt::format("`{}` is not valid: item is not a func", name.text));
  const typing::FuncType& func = types_.func(entity.type);
  if (name.kind == NameKind::Static) {
    if (side.known_resources.contains(name.resource)) return {};
    return invalid(fmt::format("`{}` is not valid: static resource name is not known in this context", name.text));
  }
  auto handle = [&](std::optional<TypeRef> type, TypeKind kind) -> std::optional<TypeRef> {
    if (!type || type->kind != Kind::Defined || types_.kind_of(*type) != kind) return std::nullopt;
    return types_.defined(*type).resource;
  };
  if (name.kind == NameKind::Constructor) {
    if (func.is_async) return invalid("constructor function cannot be async");
    if (!func.result) return invalid("constructor function should return one value");
    std::optional<TypeRef> resource = handle(func.result, TypeKind::Own);
    if (!resource && types_.kind_of(*func.result) == TypeKind::Result)
      resource = handle(types_.defined(*func.result).element, TypeKind::Own);
    if (!resource) return invalid("constructor function should return `(own $T)` or `(result (own $T))`");
    return check_resource_name(*resource, name.resource, side);
  }
  if (func.params.empty()) return invalid("method function should have at least one argument");
  if (func.params[0].first != "self") return invalid("method function should have a first argument called `self`");
  std::optional<TypeRef> resource = handle(func.params[0].second, TypeKind::Borrow);
  if (!resource) return invalid("method function should take a first argument of `(borrow $T)`");
  return check_resource_name(*resource, name.resource, side);
}

Result<void> Validation::check_resource_name(TypeRef resource, std::string_view name, const Scope::Side& side) const {
  auto known = side.resource_names.find(resource);
  if (known == side.resource_names.end())
    return invalid("resource used in function does not have a name in this context");
  if (known->second != name)
    return invalid(fmt::format("function does not match expected resource name `{}`", known->second));
  return {};
}

} // namespace cusp::component
