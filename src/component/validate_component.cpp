#include "component/validation.h"

namespace cusp::component {

using base::ErrorCode;
using base::Result;
using Kind = TypeRef::Kind;

base::Result<void> validate(Decoded& decoded, const Features& features) { return Validation(decoded, features).run(); }

Result<void> Validation::run() {
  CUSP_TRY(component(*decoded_.root, Scope::Kind::Component, {}));
  return {};
}

// ---- errors, look-up, scopes ----

std::unexpected<base::Error> Validation::fail(ErrorCode code, std::string message) const {
  std::string path;
  if (scope_) path = scope_->path;
  if (scope_ && current_) {
    path += scope_->counts.describe(*current_);
    auto what = scope_->counts.defines(*current_);
    if (std::string_view name = what && scope_->names ? scope_->names->find(*what) : std::string_view(); !name.empty())
      path += fmt::format(" (${})", name);
    message = path + ": " + message;
  } else if (path.size() > 3) {
    message = path.substr(0, path.size() - 3) + ": " + message; // without the arrow
  }
  return base::fail_at(code, offset_, std::move(message));
}

Result<void> Validation::need(Feature feature, bool when) const {
  if (!when || features_.has(feature)) return {};
  return fail(ErrorCode::Unsupported,
              fmt::format("the component model's {} feature is needed and not enabled", feature_name(feature)));
}

std::unexpected<base::Error> Validation::placed(base::Error error, std::string_view context) const {
  return fail(error.code, context.empty() ? std::move(error.message) : fmt::format("{}: {}", context, error.message));
}

Result<TypeRef> Validation::type_at(std::uint32_t index, Kind kind, std::string_view what) const {
  TypeRef type = CUSP_TRY(at(scope_->types, index, "type"));
  if (type.kind != kind) return invalid(fmt::format("type index {} is not {} type", index, what));
  return type;
}

Result<TypeRef> Validation::defined_type_at(std::uint32_t index) const {
  TypeRef type = CUSP_TRY(at(scope_->types, index, "type"));
  if (type.kind > Kind::Defined) return invalid(fmt::format("type index {} is not a defined type", index));
  return type;
}

Result<TypeRef> Validation::value_at(std::uint32_t index) {
  CUSP_TRY(at(scope_->values, index, "value"));
  Scope::Value& value = scope_->values[index];
  if (value.used) return invalid(fmt::format("value {} cannot be used more than once", index));
  value.used = true;
  return value.type;
}

Result<Validation::Scope*> Validation::outer(std::uint32_t count) {
  Scope* scope = scope_;
  for (std::uint32_t up = count; up != 0 && scope; --up) scope = scope->parent;
  if (!scope) return invalid(fmt::format("invalid outer alias count of {}", count));
  return scope;
}

Result<void> Validation::grow(typing::Info& whole, const typing::Info& part) {
  if (typing::combine(whole, part)) return {};
  return fail(ErrorCode::LimitExceeded, "effective type size exceeds the limit of one million");
}

Result<typing::ComponentType> Validation::component(ast::Component& component, Scope::Kind kind, std::string path) {
  Scope scope;
  scope.kind = kind;
  scope.parent = scope_;
  scope.path = std::move(path);
  scope.names = &component.names;
  Scope* before = std::exchange(scope_, &scope);
  const ast::Definition* outside = current_;
  for (ast::Definition& one : component.definitions) CUSP_TRY(definition(one));
  current_ = nullptr;
  offset_ = component.offset;
  typing::ComponentType type = CUSP_TRY(finish(scope));
  for (std::size_t i = 0; i < scope.values.size(); ++i)
    if (!scope.values[i].used) return invalid(fmt::format("value {} is not used", i));
  scope_ = before;
  current_ = outside;
  return type;
}

Result<void> Validation::definition(ast::Definition& definition) {
  current_ = &definition;
  offset_ = definition.offset;
  CUSP_TRY(std::visit([&](auto& what) { return define(what, definition); }, definition.what));
  scope_->counts.add(definition);
  return {};
}

// The type of what was read: its own resources become variables where its exports mention them.
Result<typing::ComponentType> Validation::finish(Scope& scope) {
  typing::ComponentType type;
  type.info = scope.info;
  type.imports = {scope.imports.names, std::move(scope.imports.entities)};
  type.exports = {scope.exports.names, std::move(scope.exports.entities)};
  type.imported = std::move(scope.imported);
  type.explicit_ = std::move(scope.explicit_);
  std::set<typing::ResourceId> free;
  for (const Entity& entity : type.imports.entities) types_.free_resources(entity, free);
  for (const Scope::DefinedResource& resource : scope.defined)
    if (free.contains(resource.id)) return invalid("local resource type found in imports");
  free.clear();
  for (const Entity& entity : type.exports.entities) types_.free_resources(entity, free);
  for (const Scope::DefinedResource& resource : scope.defined) {
    if (!free.contains(resource.id)) continue;
    const typing::Path* path = nullptr;
    for (const auto& [id, where] : type.explicit_)
      if (id == resource.id) path = &where;
    if (!path) return invalid("local resource type found in export but not exported itself");
    type.defined.emplace_back(resource.id, *path);
  }
  return type;
}

Result<void> Validation::define(const std::shared_ptr<ast::Component>& inner, const ast::Definition& definition) {
  std::string path = fmt::format("{}{} > ", scope_->path, scope_->counts.describe(definition));
  typing::ComponentType type = CUSP_TRY(component(*inner, Scope::Kind::Component, std::move(path)));
  scope_->components.push_back(types_.add(std::move(type)));
  return {};
}

// ---- instances ----

Result<Entity> Validation::entity_at(ast::SortIndex what, bool consume) {
  Entity entity;
  switch (what.sort) {
  case ast::Sort::Core:
    entity.kind = Entity::Kind::Module;
    entity.module = CUSP_TRY(at(scope_->core_modules, what.index, "module"));
    return entity;
  case ast::Sort::Func:
    entity.kind = Entity::Kind::Func;
    entity.type = CUSP_TRY(at(scope_->funcs, what.index, "function"));
    return entity;
  case ast::Sort::Value:
    entity.kind = Entity::Kind::Value;
    entity.type = consume ? CUSP_TRY(value_at(what.index)) : CUSP_TRY(at(scope_->values, what.index, "value")).type;
    return entity;
  case ast::Sort::Type:
    entity.kind = Entity::Kind::Type;
    entity.type = entity.created = CUSP_TRY(at(scope_->types, what.index, "type"));
    return entity;
  case ast::Sort::Component:
    entity.kind = Entity::Kind::Component;
    entity.type = CUSP_TRY(at(scope_->components, what.index, "component"));
    return entity;
  case ast::Sort::Instance: break;
  }
  entity.kind = Entity::Kind::Instance;
  entity.type = CUSP_TRY(at(scope_->instances, what.index, "instance"));
  return entity;
}

Result<void> Validation::define(const ast::Instance& instance, const ast::Definition&) {
  scope_->instances.push_back(CUSP_TRY(instance.inline_exports ? bundle(instance) : instantiate(instance)));
  return {};
}

// Every resource that the component defines is a new one in each instance; those that it imports are those that it was given.
Result<TypeRef> Validation::instantiate(const ast::Instance& instance) {
  TypeRef component = CUSP_TRY(at(scope_->components, instance.component, "component"));
  std::map<std::string_view, Entity> arguments;
  for (const ast::Instance::Item& item : instance.items) {
    Entity entity = CUSP_TRY(entity_at(item.what));
    if (!arguments.emplace(item.name.text, entity).second)
      return invalid(fmt::format("instantiation argument `{}` conflicts with previous argument `{}`", item.name.text,
                                 item.name.text));
  }
  auto given = [&](std::string_view name) -> const Entity* {
    auto it = arguments.find(name);
    return it == arguments.end() ? nullptr : &it->second;
  };
  auto opened = typing::Subtyping(types_).open(given, component, typing::Subtyping::Side::Imports);
  if (!opened) return placed(std::move(opened).error());
  typing::Mapping& mapping = *opened;
  const typing::ComponentType& type = types_.component(component);
  for (const auto& [id, path] : type.defined) {
    typing::ResourceId fresh = types_.new_resource();
    mapping.resources[id] = fresh;
    scope_->defined.push_back({fresh, std::nullopt});
  }
  typing::InstanceType made;
  made.exports = type.exports;
  made.explicit_ = type.explicit_;
  for (Entity& entity : made.exports.entities) {
    CUSP_TRY(grow(made.info, types_.info(entity)));
    entity = types_.substitute(entity, mapping);
  }
  typing::Types::substitute(made.explicit_, mapping);
  return types_.add(std::move(made));
}

// A bag of exports makes no indices, so that its functions have no resources to be methods of.
Result<TypeRef> Validation::bundle(const ast::Instance& instance) {
  Scope::Side side;
  typing::InstanceType made;
  for (const ast::Instance::Item& item : instance.items) {
    Entity entity = CUSP_TRY(entity_at(item.what));
    auto at = static_cast<std::uint32_t>(side.entities.size());
    if (entity.kind == Entity::Kind::Type && entity.type.kind == Kind::Resource)
      made.explicit_.emplace_back(entity.type.resource_id(), typing::Path{at});
    if (entity.kind == Entity::Kind::Instance)
      for (const auto& [id, path] : types_.instance(entity.type).explicit_) {
        typing::Path longer{at};
        longer.insert(longer.end(), path.begin(), path.end());
        made.explicit_.emplace_back(id, std::move(longer));
      }
    CUSP_TRY(check_name(item.name, Direction::Export, entity, side));
    CUSP_TRY(grow(made.info, types_.info(entity)));
  }
  made.exports = {side.names, std::move(side.entities)};
  return types_.add(std::move(made));
}

// ---- aliases ----

Result<void> Validation::define(const ast::Alias& alias, const ast::Definition&) {
  if (scope_->kind != Scope::Kind::Component) {
    bool outer = alias.kind == ast::Alias::Kind::Outer;
    bool core_type = alias.sort == ast::Sort::Core && alias.core == ast::CoreSort::Type;
    bool allowed = alias.sort == ast::Sort::Type || (outer ? core_type : alias.sort == ast::Sort::Instance);
    if (alias.kind == ast::Alias::Kind::CoreExport || !allowed)
      return invalid("aliases in a component or instance type may only refer to types or instances");
  }
  switch (alias.kind) {
  case ast::Alias::Kind::Export: return alias_export(alias);
  case ast::Alias::Kind::CoreExport: return alias_core_export(alias);
  case ast::Alias::Kind::Outer: break;
  }
  return alias_outer(alias);
}

Result<void> Validation::alias_export(const ast::Alias& alias) {
  TypeRef instance = CUSP_TRY(at(scope_->instances, alias.index, "instance"));
  const Entity* found = types_.instance(instance).exports.find(alias.name);
  if (!found) return invalid(fmt::format("instance {} has no export named `{}`", alias.index, alias.name));
  static constexpr Entity::Kind kKinds[] = {Entity::Kind::Module, Entity::Kind::Func,      Entity::Kind::Value,
                                            Entity::Kind::Type,   Entity::Kind::Component, Entity::Kind::Instance};
  if (found->kind != kKinds[static_cast<std::size_t>(alias.sort)])
    return invalid(fmt::format("export `{}` for instance {} is not a {}", alias.name, alias.index,
                               ast::sort_name({alias.sort, alias.core, 0})));
  Entity entity = *found;
  return add(entity, std::nullopt, {});
}

Result<void> Validation::alias_outer(const ast::Alias& alias) {
  Scope* target = CUSP_TRY(outer(alias.count));
  Scope* here = scope_;
  if (alias.sort == ast::Sort::Component) {
    here->components.push_back(CUSP_TRY(at(target->components, alias.index, "component")));
  } else if (alias.sort == ast::Sort::Core && alias.core == ast::CoreSort::Module) {
    here->core_modules.push_back(CUSP_TRY(at(target->core_modules, alias.index, "module")));
  } else if (alias.sort == ast::Sort::Core) {
    here->core_types.push_back(CUSP_TRY(at(target->core_types, alias.index, "type")));
  } else {
    TypeRef type = CUSP_TRY(at(target->types, alias.index, "type"));
    // Types of a component that go into another one must mean the same without it.
    bool crosses = false;
    for (const Scope* scope = here; scope != target; scope = scope->parent)
      crosses = crosses || scope->kind == Scope::Kind::Component;
    std::set<typing::ResourceId> free;
    if (crosses) types_.free_resources(type, free);
    if (!free.empty())
      return invalid(
          "cannot alias outer type which transitively refers to resources not defined in the current component");
    here->types.push_back(type);
  }
  return {};
}

} // namespace cusp::component
