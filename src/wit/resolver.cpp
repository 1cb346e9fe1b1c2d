#include "wit/resolver.h"

#include <algorithm>

#include <fmt/format.h>

#include "wit/declarations.h"
#include "wit/graph_attributes.h"
#include "wit/type_scope.h"
#include "wit/world_builder.h"

namespace cusp::wit {

using base::Result;

namespace {

class Resolver : public ItemResolver {
public:
  Resolver(const Sources& sources, const ResolveOptions& options)
      : sources_(sources), declarations_(sources, options, graph_) {}

  Result<Graph> run(const std::vector<PackageSource>& packages) {
    CUSP_TRY(declarations_.declare(packages));
    CUSP_TRY(declarations_.check_uses());
    for (Item& item : declarations_.items()) item.off = CUSP_TRY(declarations_.gate(attributes(item), *item.scope));
    for (Item& item : declarations_.items()) CUSP_TRY(resolve(item));
    for (const Item& item : declarations_.items()) {
      if (!item.off.empty()) continue;
      Package& package = graph_.package(item.scope->package->id);
      if (item.interface) package.interfaces.push_back(InterfaceId(item.id));
      else package.worlds.push_back(WorldId(item.id));
    }
    return std::move(graph_);
  }

  Result<InterfaceId> interface(const syntax::Path& path, const Scope& scope) override {
    Item* item = CUSP_TRY(find(path, scope));
    if (!item->interface)
      return sources_.fail(path.span,
                           fmt::format("`{}` is a world, and an interface is wanted here; a world is taken in "
                                       "with `include`",
                                       path.name.name));
    CUSP_TRY(resolve(*item, path.span));
    return InterfaceId(item->id);
  }

  Result<WorldId> world(const syntax::Path& path, const Scope& scope) override {
    Item* item = CUSP_TRY(find(path, scope));
    if (!item->world)
      return sources_.fail(path.span, fmt::format("`{}` is an interface, and a world is wanted here; an interface is "
                                                  "taken in with `import` or `export`",
                                                  path.name.name));
    CUSP_TRY(resolve(*item, path.span));
    return WorldId(item->id);
  }

  Result<std::string> gate(const syntax::Attributes& attributes, const Scope& scope) override {
    return declarations_.gate(attributes, scope);
  }

  Result<void> use(const syntax::Use& use, TypeScope& types, const Scope& scope, std::vector<TypeId>& out) override {
    std::string off = CUSP_TRY(gate(use.attributes, scope));
    if (!off.empty()) {
      for (const auto& item : use.items) CUSP_TRY(types.use_off(item.as ? *item.as : item.name, off));
      return {};
    }
    InterfaceId from = CUSP_TRY(interface(use.from, scope));
    for (const auto& item : use.items) {
      auto target = graph_.find_type(from, item.name.name);
      if (!target) return missing_type(item.name, use.from, from);
      const syntax::Id& name = item.as ? *item.as : item.name;
      CUSP_TRY(types.use(name, *target, graph_attributes(use.attributes)));
      out.push_back(CUSP_TRY(types.find(name)));
    }
    return {};
  }

  Result<Interface> interface_body(const syntax::Interface& body, const Scope& scope, InterfaceId id) override {
    std::string what = fmt::format("interface `{}`", body.name.name);
    TypeScope types(sources_, graph_, id, what);
    Interface result;
    std::vector<const syntax::TypeDef*> defined;
    std::vector<const syntax::Func*> functions;
    for (const syntax::InterfaceItem& item : body.items) {
      if (item.kind == syntax::InterfaceItem::Kind::Use) {
        CUSP_TRY(use(item.use, types, scope, result.types));
      } else if (item.kind == syntax::InterfaceItem::Kind::Type) {
        std::string off = CUSP_TRY(gate(item.type.attributes, scope));
        CUSP_TRY(types.define(item.type, off));
        if (off.empty()) defined.push_back(&item.type);
      } else {
        std::string off = CUSP_TRY(gate(item.func.attributes, scope));
        CUSP_TRY(types.reserve(item.func.name));
        if (off.empty()) functions.push_back(&item.func);
      }
    }
    for (const syntax::TypeDef* def : defined) result.types.push_back(CUSP_TRY(types.find(def->name)));
    for (const syntax::TypeDef* def : defined)
      CUSP_TRY(resource_functions(*def, types, scope,
                                  [&](Function function) { result.functions.push_back(std::move(function)); }));
    for (const syntax::Func* func : functions) result.functions.push_back(CUSP_TRY(types.function(*func, TypeId())));
    return result;
  }

  Result<void> resource_functions(const syntax::TypeDef& def, TypeScope& types, const Scope& scope,
                                  const std::function<void(Function)>& add) override {
    if (def.functions.empty()) return {};
    TypeId resource = CUSP_TRY(types.find(def.name));
    std::set<std::string> seen;
    for (const syntax::Func& func : def.functions) {
      bool fresh = seen.insert(func.is_constructor ? "constructor" : "." + lower_case(func.name.name)).second;
      if (!fresh)
        return sources_.fail(func.name.span, fmt::format("resource `{}` already has a `{}`; keep or rename one",
                                                         def.name.name, func.name.name));
      if (CUSP_TRY(gate(func.attributes, scope)).empty()) add(CUSP_TRY(types.function(func, resource)));
    }
    return {};
  }

  Graph& graph() override { return graph_; }
  const Sources& sources() const override { return sources_; }

private:
  static const syntax::Attributes& attributes(const Item& item) {
    return item.interface ? item.interface->attributes : item.world->attributes;
  }

  Result<Item*> find(const syntax::Path& path, const Scope& scope) {
    Item* item = CUSP_TRY(declarations_.find(path, scope));
    if (!item->off.empty())
      return sources_.fail(path.span,
                           fmt::format("{} `{}` is behind the feature `{}`, which is off; gate this item with "
                                       "@unstable(feature = {}), or turn the feature on",
                                       item->noun(), path.name.name, item->off, item->off));
    return item;
  }

  std::unexpected<base::Error> missing_type(const syntax::Id& name, const syntax::Path& from, InterfaceId id) {
    std::vector<std::string> names;
    for (TypeId type : graph_.interface(id).types) names.push_back(graph_.type(type).name);
    for (const Function& function : graph_.interface(id).functions)
      if (function.kind == FunctionKind::Free && function.name == name.name)
        return sources_.fail(name.span, fmt::format("`{}` is a function; only types can be used", name.name));
    auto similar = similar_names(name.name, names);
    return sources_.fail(name.span, fmt::format("interface `{}` has no type `{}`{}", from.name.name, name.name,
                                                similar.empty() ? "" : "; did you mean `" + similar[0] + "`?"));
  }

  Result<void> resolve(Item& item, std::optional<Span> wanted_at = std::nullopt) {
    if (item.state == Item::State::Done || !item.off.empty()) return {};
    if (item.state == Item::State::Running)
      return sources_.fail(wanted_at.value_or(item.span()),
                           fmt::format("{} `{}` depends on itself by this; break the circle, for example by moving the "
                                       "shared part out",
                                       item.noun(), item.name()));
    if (++depth_ > kMaxDepth)
      return sources_.fail(item.span(), "the chain of interfaces and worlds that depend on each other is too long");
    item.state = Item::State::Running;
    PackageId package = item.scope->package->id;
    if (item.interface) {
      // The place is taken first: types say their owner.
      InterfaceId id = graph_.add(Interface{});
      item.id = id.value;
      Interface body = CUSP_TRY(interface_body(*item.interface, *item.scope, id));
      body.name = item.name();
      body.package = package;
      body.attributes = graph_attributes(item.interface->attributes);
      graph_.interface(id) = std::move(body);
    } else {
      WorldId id = graph_.add(World{});
      item.id = id.value;
      World world = CUSP_TRY(build_world(*item.world, *item.scope, *this, id));
      world.name = item.name();
      world.package = package;
      world.attributes = graph_attributes(item.world->attributes);
      graph_.world(id) = std::move(world);
    }
    item.state = Item::State::Done;
    --depth_;
    return {};
  }

  static constexpr unsigned kMaxDepth = 500;
  Graph graph_;
  const Sources& sources_;
  Declarations declarations_;
  unsigned depth_ = 0;
};

} // namespace

Result<Graph> resolve_packages(const Sources& sources, const std::vector<PackageSource>& packages,
                               const ResolveOptions& options) {
  return Resolver(sources, options).run(packages);
}

} // namespace cusp::wit
