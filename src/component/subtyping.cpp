#include "component/subtyping.h"

#include <fmt/format.h>

namespace cusp::component::typing {

using base::ErrorCode;
using base::Result;
using Kind = TypeRef::Kind;

namespace {

std::unexpected<base::Error> invalid(std::string message) { return base::fail(ErrorCode::Invalid, std::move(message)); }

Result<void> within(Result<void> result, const std::string& where) {
  if (result) return result;
  return base::with_context(std::move(result).error(), where);
}

} // namespace

std::string Subtyping::describe(TypeRef type) const {
  if (type.kind == Kind::Primitive || type.kind == Kind::Defined)
    return std::string(type_kind_name(types_.kind_of(type)));
  return std::string(kind_name(type));
}

Result<void> Subtyping::entity(const Entity& actual, const Entity& wanted) {
  if (actual.kind != wanted.kind)
    return invalid(fmt::format("expected {}, found {}", kind_name(wanted), kind_name(actual)));
  switch (actual.kind) {
  case Entity::Kind::Module: return types_.core.match(types_.modules[actual.module], types_.modules[wanted.module]);
  case Entity::Kind::Func: return func(actual.type, wanted.type);
  case Entity::Kind::Value: return value(actual.type, wanted.type);
  case Entity::Kind::Type: return any(actual.type, wanted.type);
  case Entity::Kind::Instance: return instance(actual.type, wanted.type);
  case Entity::Kind::Component: break;
  }
  return component(actual.type, wanted.type);
}

Result<void> Subtyping::any(TypeRef actual, TypeRef wanted) {
  bool values = actual.kind <= Kind::Defined && wanted.kind <= Kind::Defined;
  if (!values && actual.kind != wanted.kind)
    return invalid(fmt::format("expected {}, found {}", kind_name(wanted), kind_name(actual)));
  switch (actual.kind) {
  case Kind::Primitive:
  case Kind::Defined: return value(actual, wanted);
  case Kind::Resource:
    if (actual.index == wanted.index) return {};
    return invalid("resource types are not the same");
  case Kind::Func: return func(actual, wanted);
  case Kind::Instance: return instance(actual, wanted);
  case Kind::Component: break;
  }
  return component(actual, wanted);
}

Result<void> Subtyping::value(TypeRef actual, TypeRef wanted) {
  if (types_.kind_of(actual) != types_.kind_of(wanted)) {
    bool primitive = types_.kind_of(actual) <= TypeKind::String && types_.kind_of(wanted) <= TypeKind::String;
    return invalid(primitive
                       ? fmt::format("expected primitive `{}` found primitive `{}`", describe(wanted), describe(actual))
                       : fmt::format("expected {}, found {}", describe(wanted), describe(actual)));
  }
  if (actual.kind == Kind::Primitive || wanted.kind == Kind::Primitive || actual.index == wanted.index) return {};
  return defined(actual, wanted);
}

Result<void> Subtyping::labels(const DefinedType& actual, const DefinedType& wanted) {
  std::string_view what = actual.kind == TypeKind::Record    ? "field"
                          : actual.kind == TypeKind::Variant ? "case"
                          : actual.kind == TypeKind::Tuple   ? "type"
                                                             : "element";
  bool names_only = actual.kind == TypeKind::Flags || actual.kind == TypeKind::Enum;
  std::string mismatch = fmt::format("mismatch in {} elements", type_kind_name(actual.kind));
  if (actual.labels.size() != wanted.labels.size())
    return invalid(names_only
                       ? mismatch
                       : fmt::format("expected {} {}s, found {}", wanted.labels.size(), what, actual.labels.size()));
  for (std::size_t i = 0; i < actual.labels.size(); ++i) {
    const auto &given = actual.labels[i], &label = wanted.labels[i];
    if (given.name != label.name)
      return invalid(names_only ? mismatch
                                : fmt::format("expected {} name `{}`, found `{}`", what, label.name, given.name));
    if (given.type.has_value() != label.type.has_value())
      return invalid(label.type ? fmt::format("expected case `{}` to have a type, found none", label.name)
                                : fmt::format("expected case `{}` to have no type", label.name));
    if (!label.type) continue;
    std::string name = label.name.empty() ? std::to_string(i) : fmt::format("`{}`", label.name);
    CUSP_TRY(within(value(*given.type, *label.type),
                    fmt::format("type mismatch in {} {} {}", type_kind_name(actual.kind),
                                actual.kind == TypeKind::Variant ? "case" : "field", name)));
  }
  return {};
}

Result<void> Subtyping::optional(std::string_view what, const std::optional<TypeRef>& actual,
                                 const std::optional<TypeRef>& wanted) {
  if (actual.has_value() != wanted.has_value())
    return invalid(wanted ? fmt::format("expected {} type, but found none", what)
                          : fmt::format("expected {} type to not be present", what));
  return wanted ? within(value(*actual, *wanted), fmt::format("type mismatch in {}", what)) : Result<void>();
}

Result<void> Subtyping::defined(TypeRef actual, TypeRef wanted) {
  const DefinedType &a = types_.defined(actual), &b = types_.defined(wanted);
  switch (a.kind) {
  case TypeKind::Own:
  case TypeKind::Borrow:
    if (a.resource.index != b.resource.index) return invalid("resource types are not the same");
    return {};
  case TypeKind::Result: CUSP_TRY(optional("ok", a.element, b.element)); return optional("err", a.error, b.error);
  case TypeKind::Map:
    CUSP_TRY(optional("map key", a.element, b.element));
    return optional("map value", a.error, b.error);
  case TypeKind::FixedList:
    if (a.length != b.length)
      return invalid(fmt::format("expected fixed-length {}, found size {}", b.length, a.length));
    return value(*a.element, *b.element);
  case TypeKind::List:
  case TypeKind::Option: return value(*a.element, *b.element);
  case TypeKind::Stream:
  case TypeKind::Future: return optional(type_kind_name(a.kind), a.element, b.element);
  default: return labels(a, b);
  }
}

Result<void> Subtyping::func(TypeRef actual, TypeRef wanted) {
  const FuncType &a = types_.func(actual), &b = types_.func(wanted);
  auto effect = [](const FuncType& type) { return type.is_async ? "async" : "sync"; };
  if (a.is_async != b.is_async)
    return invalid(fmt::format("expected {} function, found {} function", effect(b), effect(a)));
  if (a.params.size() != b.params.size())
    return invalid(fmt::format("expected {} parameters, found {}", b.params.size(), a.params.size()));
  for (std::size_t i = 0; i < a.params.size(); ++i) {
    if (a.params[i].first != b.params[i].first)
      return invalid(fmt::format("expected parameter named `{}`, found `{}`", b.params[i].first, a.params[i].first));
    CUSP_TRY(within(value(a.params[i].second, b.params[i].second),
                    fmt::format("type mismatch in function parameter `{}`", a.params[i].first)));
  }
  if (a.result.has_value() != b.result.has_value())
    return invalid(b.result ? "expected a result, found none" : "expected no result, found one");
  return a.result ? within(value(*a.result, *b.result), "type mismatch with result type") : Result<void>();
}

Result<void> Subtyping::instance(TypeRef actual, TypeRef wanted) {
  const InstanceType &a = types_.instance(actual), &b = types_.instance(wanted);
  for (std::size_t i = 0; i < b.exports.entities.size(); ++i)
    if (!a.exports.find((*b.exports.names)[i]))
      return invalid(fmt::format("missing expected export `{}`", (*b.exports.names)[i]));
  for (std::size_t i = 0; i < b.exports.entities.size(); ++i) {
    const std::string& name = (*b.exports.names)[i];
    CUSP_TRY(within(entity(*a.exports.find(name), b.exports.entities[i]),
                    fmt::format("type mismatch in instance export `{}`", name)));
  }
  return {};
}

// Whoever expects `wanted` gives its imports and takes its exports: the imports must do for `actual`, and then the exports of `actual`,
// in terms of what was given, must do for those wanted.
Result<void> Subtyping::component(TypeRef actual, TypeRef wanted) {
  Types::Mark mark = types_.mark();
  auto compare = [&]() -> Result<void> {
    Mapping mapping = CUSP_TRY(open([&](std::string_view name) { return types_.component(wanted).imports.find(name); },
                                    actual, Side::Imports));
    Items exports = types_.component(actual).exports;
    for (Entity& item : exports.entities) item = types_.substitute(item, mapping);
    CUSP_TRY(open([&](std::string_view name) { return exports.find(name); }, wanted, Side::Exports));
    return {};
  };
  Result<void> result = compare();
  types_.forget(mark);
  return result;
}

Result<Mapping> Subtyping::open(const Given& given, TypeRef component, Side side) {
  const ComponentType& node = types_.component(component);
  const Items& items = side == Side::Imports ? node.imports : node.exports;
  std::string_view what = side == Side::Imports ? "import" : "export";
  Mapping mapping;
  for (const auto& [resource, path] : side == Side::Imports ? node.imported : node.defined) {
    // Through `items` by index and through what was given by name; what does not fit is found below.
    const Entity* wanted = &items.entities[path[0]];
    const Entity* actual = given((*items.names)[path[0]]);
    for (std::size_t i = 1; i < path.size() && actual; ++i) {
      const Items& inner = types_.instance(wanted->type).exports;
      wanted = &inner.entities[path[i]];
      actual = actual->kind == Entity::Kind::Instance
                   ? types_.instance(actual->type).exports.find((*inner.names)[path[i]])
                   : nullptr;
    }
    if (actual && actual->kind == Entity::Kind::Type && actual->created.kind == Kind::Resource)
      mapping.resources[resource] = actual->created.resource_id();
  }
  for (std::size_t i = 0; i < items.entities.size(); ++i)
    if (!given((*items.names)[i])) return invalid(fmt::format("missing {} named `{}`", what, (*items.names)[i]));
  Mapping renamed;
  for (std::size_t i = 0; i < items.entities.size(); ++i) {
    const std::string& name = (*items.names)[i];
    const Entity& actual = *given(name);
    Types::Mark mark = types_.mark();
    Mapping resources{mapping.resources, {}};
    Result<void> result = entity(actual, types_.substitute(items.entities[i], resources));
    types_.forget(mark);
    CUSP_TRY(within(std::move(result), fmt::format("type mismatch for {} `{}`", what, name)));
    rename(actual, items.entities[i], renamed);
  }
  mapping.types = std::move(renamed.types);
  return mapping;
}

// A type that was given takes the place of the one that the component knows by the name of its import.
void Subtyping::rename(const Entity& actual, const Entity& wanted, Mapping& out) {
  if (wanted.kind == Entity::Kind::Type) out.types.emplace(wanted.created, actual.created);
  if (wanted.kind != Entity::Kind::Instance) return;
  const Items &from = types_.instance(actual.type).exports, &to = types_.instance(wanted.type).exports;
  for (std::size_t i = 0; i < to.entities.size(); ++i) rename(*from.find((*to.names)[i]), to.entities[i], out);
}

} // namespace cusp::component::typing
