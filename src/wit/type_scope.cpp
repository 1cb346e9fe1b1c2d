#include "wit/type_scope.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "wit/graph_attributes.h"

namespace cusp::wit {

using base::Result;
using syntax::DefForm;
using syntax::TypeForm;

Result<TypeScope::Entry*> TypeScope::declare(const syntax::Id& name) {
  auto [lower, fresh] = lower_.emplace(lower_case(name.name), name.name);
  if (!fresh) return sources_.fail(name.span, fmt::format("{} already has a `{}`; rename one", what_, lower->second));
  Entry& entry = entries_[std::string(name.name)];
  entry.span = name.span;
  return &entry;
}

Result<void> TypeScope::define(const syntax::TypeDef& def, std::string off) {
  Entry* entry = CUSP_TRY(declare(def.name));
  entry->def = &def;
  entry->off = std::move(off);
  return {};
}

Result<void> TypeScope::use(const syntax::Id& name, TypeId target, Attributes attributes) {
  Entry* entry = CUSP_TRY(declare(name));
  entry->id = graph_.add(TypeDef{std::string(name.name), owner_, std::move(attributes), Alias{target}});
  return {};
}

Result<void> TypeScope::use_off(const syntax::Id& name, std::string off) {
  Entry* entry = CUSP_TRY(declare(name));
  entry->off = std::move(off);
  return {};
}

Result<void> TypeScope::reserve(const syntax::Id& name) {
  Entry* entry = CUSP_TRY(declare(name));
  entry->is_function = true;
  return {};
}

Result<TypeId> TypeScope::find(const syntax::Id& name) {
  auto found = entries_.find(name.name);
  if (found == entries_.end() || found->second.is_function) {
    if (found != entries_.end())
      return sources_.fail(name.span, fmt::format("`{}` is a function, and a type is wanted here", name.name));
    std::vector<std::string> names;
    for (const auto& [other, entry] : entries_)
      if (!entry.is_function) names.push_back(other);
    auto similar = name.name == "float32"   ? std::vector<std::string>{"f32"}
                   : name.name == "float64" ? std::vector<std::string>{"f64"}
                                            : similar_names(name.name, names);
    std::string advice = similar.empty() ? "; define it here, or bring it in with `use`"
                                         : fmt::format("; did you mean `{}`?", fmt::join(similar, "`, `"));
    return sources_.fail(name.span, fmt::format("{} has no type `{}`{}", what_, name.name, advice));
  }
  Entry& entry = found->second;
  if (!entry.off.empty())
    return sources_.fail(name.span, fmt::format("`{}` is behind the feature `{}`, which is off; gate this item with "
                                                "@unstable(feature = {}), or turn the feature on",
                                                name.name, entry.off, entry.off));
  if (!entry.id.is_none() && !entry.running) return entry.id;
  if (entry.running)
    return sources_.fail(name.span,
                         fmt::format("type `{}` contains itself; break the circle, for example with an index "
                                     "into a list or with a resource",
                                     name.name));
  if (depth_ == kMaxDepth)
    return sources_.fail(name.span, "the chain of types that contain each other is too long; flatten it");
  ++depth_;
  // A resource has no parts, and its functions may name it.
  entry.running = entry.def->form != DefForm::Resource;
  entry.id = graph_.add(TypeDef{std::string(name.name), owner_, graph_attributes(entry.def->attributes), Resource{}});
  TypeDef def = graph_.type(entry.id);
  CUSP_TRY(define_kind(*entry.def, def));
  graph_.type(entry.id) = std::move(def);
  entry.running = false;
  --depth_;
  return entry.id;
}

Result<void> TypeScope::define_kind(const syntax::TypeDef& def, TypeDef& out) {
  switch (def.form) {
  case DefForm::Alias:
    if (def.alias->form == TypeForm::Name || def.alias->form == TypeForm::Primitive) {
      out.kind = Alias{CUSP_TRY(resolve(*def.alias))};
    } else {
      out.kind = CUSP_TRY(anonymous(*def.alias));
    }
    return {};
  case DefForm::Record: out.kind = Record{CUSP_TRY(members(def))}; return {};
  case DefForm::Variant: out.kind = Variant{CUSP_TRY(members(def))}; return {};
  case DefForm::Enum: out.kind = Enum{CUSP_TRY(members(def))}; return {};
  case DefForm::Flags: out.kind = Flags{CUSP_TRY(members(def))}; return {};
  case DefForm::Resource: out.kind = Resource{}; return {};
  }
  return {};
}

Result<std::vector<Member>> TypeScope::members(const syntax::TypeDef& def) {
  std::vector<Member> result;
  std::set<std::string> seen;
  for (const syntax::Member& member : def.members) {
    if (!seen.insert(lower_case(member.name.name)).second)
      return sources_.fail(member.name.span,
                           fmt::format("`{}` already has a `{}`; rename one", def.name.name, member.name.name));
    Member entry{std::string(member.name.name), {}, member.docs};
    if (member.type) entry.type = CUSP_TRY(resolve(*member.type));
    result.push_back(std::move(entry));
  }
  return result;
}

Result<Type> TypeScope::resolve(const syntax::Type& type) {
  switch (type.form) {
  case TypeForm::Primitive: return Type(type.primitive);
  case TypeForm::Name: return Type(CUSP_TRY(find(type.name)));
  case TypeForm::Own: return Type(CUSP_TRY(resource(type.name)));
  default: break;
  }
  TypeDef def;
  def.kind = CUSP_TRY(anonymous(type));
  return Type(graph_.add(std::move(def)));
}

Result<TypeId> TypeScope::resource(const syntax::Id& name) {
  TypeId id = CUSP_TRY(find(name));
  if (!graph_.is_resource(id))
    return sources_.fail(name.span, fmt::format("`{}` is not a resource, and only resources have handles", name.name));
  return id;
}

Result<std::optional<Type>> TypeScope::argument(const syntax::Type& type, std::size_t index) {
  if (index >= type.arguments.size() || !type.arguments[index]) return std::nullopt;
  return CUSP_TRY(resolve(*type.arguments[index]));
}

Result<decltype(TypeDef::kind)> TypeScope::anonymous(const syntax::Type& type) {
  auto first = [&] { return argument(type, 0); };
  auto second = [&] { return argument(type, 1); };
  switch (type.form) {
  case TypeForm::Tuple: {
    Tuple tuple;
    for (std::size_t i = 0; i < type.arguments.size(); ++i) tuple.types.push_back(*CUSP_TRY(argument(type, i)));
    return tuple;
  }
  case TypeForm::List: return List{*CUSP_TRY(first()), std::nullopt};
  case TypeForm::FixedList: return List{*CUSP_TRY(first()), type.length};
  case TypeForm::Map: {
    Type key = *CUSP_TRY(first());
    Type end = graph_.resolve(key);
    const auto* primitive = std::get_if<Primitive>(&end);
    if (!primitive || *primitive == Primitive::F32 || *primitive == Primitive::F64 ||
        *primitive == Primitive::ErrorContext)
      return sources_.fail(type.arguments[0]->span, "a map's key is an integer, bool, char or string");
    return Map{key, *CUSP_TRY(second())};
  }
  case TypeForm::Option: return Option{*CUSP_TRY(first())};
  case TypeForm::Result: return ResultType{CUSP_TRY(first()), CUSP_TRY(second())};
  case TypeForm::Own: return Own{CUSP_TRY(resource(type.name))};
  case TypeForm::Borrow: return Borrow{CUSP_TRY(resource(type.name))};
  case TypeForm::Stream:
  case TypeForm::Future: {
    auto element = CUSP_TRY(first());
    if (element)
      CUSP_TRY(
          check_no_borrow(*element, type.arguments[0]->span, type.form == TypeForm::Stream ? "a stream" : "a future"));
    if (type.form == TypeForm::Stream) return Stream{element};
    return Future{element};
  }
  case TypeForm::Primitive:
  case TypeForm::Name: break;
  }
  return Alias{CUSP_TRY(resolve(type))};
}

bool TypeScope::has_borrow(Type type, std::set<TypeId>& seen) const {
  const TypeId* id = std::get_if<TypeId>(&type);
  if (!id || !seen.insert(*id).second) return false;
  const TypeDef& def = graph_.type(*id);
  bool found = std::holds_alternative<Borrow>(def.kind);
  graph_.for_each_part(def, [&](Type part) { found = found || has_borrow(part, seen); });
  return found;
}

Result<void> TypeScope::check_no_borrow(Type type, Span span, std::string_view where) const {
  std::set<TypeId> seen;
  if (!has_borrow(type, seen)) return {};
  return sources_.fail(
      span, fmt::format("{} cannot hold a borrowed handle, which ends with the call; give an owning one", where));
}

Result<Function> TypeScope::function(const syntax::Func& func, TypeId resource) {
  Function result;
  result.name = func.name.name;
  result.is_async = func.is_async;
  result.attributes = graph_attributes(func.attributes);
  if (!resource.is_none()) {
    result.resource = resource;
    result.kind = func.is_constructor ? FunctionKind::Constructor
                  : func.is_static    ? FunctionKind::Static
                                      : FunctionKind::Method;
    if (result.kind == FunctionKind::Method)
      result.params.push_back({"self", graph_.add(TypeDef{{}, {}, {}, Borrow{resource}})});
  }
  std::set<std::string> seen;
  if (result.kind == FunctionKind::Method) seen.insert("self");
  for (const syntax::Param& param : func.params) {
    if (!seen.insert(lower_case(param.name.name)).second)
      return sources_.fail(param.name.span,
                           fmt::format("there already is a parameter `{}`; rename one", param.name.name));
    result.params.push_back({std::string(param.name.name), CUSP_TRY(resolve(param.type))});
  }
  if (func.result) {
    result.result = CUSP_TRY(resolve(*func.result));
    CUSP_TRY(check_no_borrow(*result.result, func.result->span, "a result"));
  }
  if (result.kind != FunctionKind::Constructor) return result;
  if (!result.result) {
    result.result = resource;
    return result;
  }
  const TypeId* id = std::get_if<TypeId>(&*result.result);
  const auto* kind = id ? std::get_if<ResultType>(&graph_.type(*id).kind) : nullptr;
  if (!kind || !graph_.type(*id).name.empty() || kind->ok != Type(resource))
    return sources_.fail(func.result->span,
                         fmt::format("a constructor gives `{0}` by itself, or `result<{0}, …>` when it can fail",
                                     graph_.type(resource).name));
  return result;
}

} // namespace cusp::wit
