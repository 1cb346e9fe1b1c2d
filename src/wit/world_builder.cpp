#include "wit/world_builder.h"

#include <fmt/format.h>

#include "wit/copy.h"
#include "wit/elaborate.h"
#include "wit/graph_attributes.h"

namespace cusp::wit {

using base::Result;

namespace {

class WorldBuilder {
public:
  WorldBuilder(const syntax::World& text, const Scope& scope, ItemResolver& resolver, WorldId id)
      : text_(text), scope_(scope), resolver_(resolver), graph_(resolver.graph()), sources_(resolver.sources()),
        id_(id), types_(sources_, graph_, id, fmt::format("world `{}`", text.name.name)) {}

  Result<World> run() {
    CUSP_TRY(declare_types());
    for (const syntax::WorldItem& item : text_.items) {
      switch (item.kind) {
      case syntax::WorldItem::Kind::Extern: CUSP_TRY(external(item.external)); break;
      case syntax::WorldItem::Kind::Type: CUSP_TRY(type(item.type)); break;
      case syntax::WorldItem::Kind::Use: break; // declare_types
      case syntax::WorldItem::Kind::Include: break;
      }
    }
    for (const syntax::WorldItem& item : text_.items)
      if (item.kind == syntax::WorldItem::Kind::Include) CUSP_TRY(include(item.include));
    if (auto impossible = elaborate(graph_, world_)) {
      std::string name = graph_.interface_name(*impossible);
      return sources_.fail(
          text_.name.span,
          fmt::format("world `{}` cannot export {}: it would use one interface both as this world's import "
                      "and as its export; export those between too, or none of them",
                      text_.name.name, name.empty() ? "an interface that is written in it" : name));
    }
    return std::move(world_);
  }

private:
  using Names = std::map<std::string, std::string>; // lower case: as declared

  Result<void> take_name(Names& names, std::string_view name, Span span, std::string_view noun) {
    if (!names.emplace(lower_case(name), name).second)
      return sources_.fail(span,
                           fmt::format("world `{}` already has an {} `{}`; rename one", text_.name.name, noun, name));
    return {};
  }

  Result<void> declare_types() {
    for (const syntax::WorldItem& item : text_.items) {
      if (item.kind == syntax::WorldItem::Kind::Use) {
        std::vector<TypeId> used;
        CUSP_TRY(resolver_.use(item.use, types_, scope_, used));
        for (TypeId id : used) {
          CUSP_TRY(take_name(imports_, graph_.type(id).name, item.use.from.span, "import or type"));
          world_.imports.push_back({graph_.type(id).name, id, graph_attributes(item.use.attributes)});
        }
      } else if (item.kind == syntax::WorldItem::Kind::Type) {
        CUSP_TRY(types_.define(item.type, CUSP_TRY(resolver_.gate(item.type.attributes, scope_))));
      }
    }
    return {};
  }

  Result<void> type(const syntax::TypeDef& def) {
    if (!CUSP_TRY(resolver_.gate(def.attributes, scope_)).empty()) return {};
    CUSP_TRY(take_name(imports_, def.name.name, def.name.span, "import or type"));
    TypeId id = CUSP_TRY(types_.find(def.name));
    world_.imports.push_back({std::string(def.name.name), id, graph_attributes(def.attributes)});
    return resolver_.resource_functions(def, types_, scope_, [&](Function function) {
      Attributes attributes = function.attributes;
      world_.imports.push_back({{}, std::move(function), std::move(attributes)});
    });
  }

  Result<void> external(const syntax::Extern& item) {
    if (!CUSP_TRY(resolver_.gate(item.attributes, scope_)).empty()) return {};
    auto& items = item.is_export ? world_.exports : world_.imports;
    Attributes attributes = graph_attributes(item.attributes);
    using Kind = syntax::Extern::Kind;
    if (item.kind == Kind::Path) {
      InterfaceId id = CUSP_TRY(resolver_.interface(item.path, scope_));
      for (const WorldItem& other : items)
        if (other.name.empty() && other.what.index() == 1 && std::get<InterfaceId>(other.what) == id)
          return sources_.fail(item.path.span, fmt::format("`{}` is already {}; remove one", item.path.name.name,
                                                           item.is_export ? "exported" : "imported"));
      items.push_back({{}, id, std::move(attributes)});
      return {};
    }
    CUSP_TRY(take_name(item.is_export ? exports_ : imports_, item.name.name, item.name.span,
                       item.is_export ? "export" : "import or type"));
    WorldItem result{std::string(item.name.name), InterfaceId(), attributes};
    if (item.kind == Kind::Func) {
      Function function = CUSP_TRY(types_.function(item.func, TypeId()));
      function.attributes = attributes;
      result.what = std::move(function);
    } else if (item.kind == Kind::NamedPath) {
      result.implements = CUSP_TRY(resolver_.interface(item.path, scope_));
      result.what = graph_.copy(*result.implements);
    } else {
      InterfaceId id = graph_.add(Interface{});
      Interface body = CUSP_TRY(resolver_.interface_body(item.interface, scope_, id));
      body.package = scope_.package->id;
      graph_.interface(id) = std::move(body);
      result.what = id;
    }
    items.push_back(std::move(result));
    return {};
  }

  // ---- include ----

  Result<void> include(const syntax::Include& include) {
    if (!CUSP_TRY(resolver_.gate(include.attributes, scope_)).empty()) return {};
    WorldId from = CUSP_TRY(resolver_.world(include.from, scope_));
    World other = graph_.world(from); // a copy: the graph grows
    std::map<std::string, const syntax::Include::Rename*, std::less<>> renames;
    for (const auto& rename : include.renames)
      if (!renames.emplace(rename.from.name, &rename).second)
        return sources_.fail(rename.from.span, fmt::format("`{}` is renamed twice; keep one", rename.from.name));
    std::set<std::string> renamed;
    Copier copier(graph_, graph_, [](TypeId id) { return id; });
    for (const WorldItem& item : other.imports)
      CUSP_TRY(include_item(item, include, renames, renamed, world_.imports, imports_, from, copier));
    for (const WorldItem& item : other.exports)
      CUSP_TRY(include_item(item, include, renames, renamed, world_.exports, exports_, from, copier));
    for (const auto& [name, rename] : renames)
      if (!renamed.contains(name))
        return sources_.fail(rename->from.span, fmt::format("world `{}` has no plain name `{}` to rename; an interface "
                                                            "keeps its own name",
                                                            other.name, name));
    return {};
  }

  Result<void> include_item(const WorldItem& item, const syntax::Include& include,
                            const std::map<std::string, const syntax::Include::Rename*, std::less<>>& renames,
                            std::set<std::string>& renamed, std::vector<WorldItem>& items, Names& names, WorldId from,
                            Copier& copier) {
    WorldItem copy = item;
    if (graph_.world(from).package != scope_.package->id) copy.attributes.gate = {}; // versions of the other package
    const auto* interface = std::get_if<InterfaceId>(&item.what);
    if (item.name.empty() && interface) {
      for (const WorldItem& other : items)
        if (other.name.empty() && other.what.index() == 1 && std::get<InterfaceId>(other.what) == *interface) return {};
      items.push_back(std::move(copy));
      return {};
    }
    if (interface) copy.what = graph_.copy(*interface);
    if (auto rename = renames.find(item.name); !item.name.empty() && rename != renames.end()) {
      copy.name = rename->second->to.name;
      renamed.insert(item.name);
    }
    if (const auto* type = std::get_if<TypeId>(&item.what)) {
      if (auto same = same_use(*type, copy.name)) {
        copier.map(*type, *same);
        return {};
      }
      TypeDef def = graph_.type(*type);
      if (def.owner == Owner(from)) {
        TypeDef mine = copier.definition(def);
        mine.name = copy.name, mine.owner = id_, mine.attributes = copy.attributes;
        TypeId id = graph_.add(std::move(mine));
        copier.map(*type, id);
        copy.what = id;
      }
    }
    if (const auto* function = std::get_if<Function>(&item.what)) {
      Function mine = copier.function(*function);
      if (mine.kind == FunctionKind::Free) mine.name = copy.name;
      mine.attributes = copy.attributes;
      copy.what = std::move(mine);
    }
    if (!copy.name.empty() && !names.emplace(lower_case(copy.name), copy.name).second)
      return sources_.fail(
          include.from.span,
          fmt::format("both this world and `{0}` have a `{1}`; rename it: `include {0} with {{ {1} as … }}`",
                      include.from.name.name, copy.name));
    items.push_back(std::move(copy));
    return {};
  }

  // The `use` in this world of what `type` is a use of, under the same name.
  std::optional<TypeId> same_use(TypeId type, const std::string& name) const {
    auto target = graph_.used(type);
    if (!target) return std::nullopt;
    for (const WorldItem& item : world_.imports)
      if (const auto* id = std::get_if<TypeId>(&item.what); id && item.name == name && graph_.used(*id) == target)
        return *id;
    return std::nullopt;
  }

  const syntax::World& text_;
  const Scope& scope_;
  ItemResolver& resolver_;
  Graph& graph_;
  const Sources& sources_;
  WorldId id_;
  TypeScope types_;
  Names imports_, exports_;
  World world_;
};

} // namespace

Result<World> build_world(const syntax::World& text, const Scope& scope, ItemResolver& resolver, WorldId id) {
  return WorldBuilder(text, scope, resolver, id).run();
}

} // namespace cusp::wit
