#include "compose/link.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "compose/import_merger.h"
#include "compose/match.h"
#include "compose/world_encoder.h"

namespace cusp::compose {

using base::ErrorCode;
using base::Result;

namespace {

const wit::WorldItem* item_named(const wit::Graph& graph, const std::vector<wit::WorldItem>& items,
                                 const std::string& name) {
  for (const wit::WorldItem& item : items)
    if (graph.extern_name(item) == name) return &item;
  return nullptr;
}

// Says which resource a type of one instance is, in the whole composition.
class Resources {
public:
  explicit Resources(const Composition& plan) : plan_(plan) {}

  // `exporting`: seen by what the instance exports, whose own interfaces come first.
  std::string identity(std::size_t instance, wit::TypeId type, bool exporting, unsigned depth = 0) const {
    const wit::Graph& graph = plan_.part_of(instance).graph;
    const wit::TypeDef& def = graph.type(type);
    const auto* owner = std::get_if<wit::InterfaceId>(&def.owner);
    if (!owner) return fmt::format("{}.{}", plan_.instances[instance].name, def.name);
    std::string name = interface_name(instance, *owner, exporting);
    const auto& exports = plan_.part_of(instance).world().exports;
    if (exporting && item_named(graph, exports, name))
      return fmt::format("`{}` of {}", name, plan_.instances[instance].name) + "." + def.name;
    Source source = plan_.source(instance, name);
    if (!source.instance) return fmt::format("the import `{}`.{}", wit::name_track(source.name), def.name);
    const Part& part = plan_.part_of(*source.instance);
    const wit::WorldItem* item = item_named(part.graph, part.world().exports, source.name);
    const auto* interface = item ? std::get_if<wit::InterfaceId>(&item->what) : nullptr;
    auto target = interface ? part.graph.find_type(*interface, def.name) : std::nullopt;
    if (!target || depth > plan_.instances.size())
      return fmt::format("`{}` of {}.{}", source.name, part.file, def.name);
    wit::TypeId resource = part.graph.resolve_resource(*target);
    return resource.is_none() ? def.name : identity(*source.instance, resource, true, depth + 1);
  }

private:
  // What the instance's world calls the interface: its own name, or the plain name of one that has none.
  std::string interface_name(std::size_t instance, wit::InterfaceId id, bool exporting) const {
    const Part& part = plan_.part_of(instance);
    std::string name = part.graph.interface_name(id);
    if (!name.empty()) return name;
    for (const auto* items : {exporting ? &part.world().exports : &part.world().imports, &part.world().imports})
      for (const wit::WorldItem& item : *items)
        if (const auto* other = std::get_if<wit::InterfaceId>(&item.what); other && *other == id) return item.name;
    return name;
  }

  const Composition& plan_;
};

Result<void> check_import(const Composition& plan, std::size_t instance, const wit::WorldItem& import) {
  const Part& part = plan.part_of(instance);
  std::string name = part.graph.extern_name(import);
  Source source = plan.source(instance, name);
  if (!source.instance || std::holds_alternative<wit::TypeId>(import.what)) return {};
  const Part& other = plan.part_of(*source.instance);
  const wit::WorldItem* found = item_named(other.graph, other.world().exports, source.name);
  if (!found) return base::fail(ErrorCode::Unlinkable, fmt::format("{} does not export `{}`", other.file, source.name));
  Matcher matcher(part.graph, other.graph);
  Resources resources(plan);
  matcher.set_identities([&](wit::TypeId type) { return resources.identity(instance, type, false); },
                         [&](wit::TypeId type) { return resources.identity(*source.instance, type, true); });
  bool alike = import.what.index() == found->what.index();
  if (alike && std::holds_alternative<wit::Function>(import.what))
    matcher.function(std::get<wit::Function>(import.what), std::get<wit::Function>(found->what));
  else if (alike) matcher.interface(std::get<wit::InterfaceId>(import.what), std::get<wit::InterfaceId>(found->what));
  if (alike && matcher.differences().empty()) return {};
  std::string of = source.name == name ? std::string() : fmt::format(" `{}`", source.name);
  return base::fail(ErrorCode::Unlinkable,
                    fmt::format("what {} exports{} does not fit the import `{}` of {}\n{}", other.file, of, name,
                                part.file,
                                alike ? to_text(matcher.differences())
                                      : std::string("  one is a function, the other an interface\n")));
}

class Linker {
public:
  explicit Linker(const Composition& plan) : plan_(plan), root_(ScopeKind::Component) {}

  Result<std::vector<std::uint8_t>> run() {
    MergedImports merged = CUSP_TRY(merge_imports(plan_));
    WorldEncoder imports(merged.graph, merged.world, root_);
    CUSP_TRY(imports.imports());
    merged_ = &merged, imports_ = &imports;
    std::vector<std::size_t> order = CUSP_TRY(instantiation_order(plan_));
    for (std::size_t instance : order) {
      std::size_t part = plan_.instances[instance].part;
      if (!components_.contains(part)) components_[part] = root_.component(plan_.parts[part].bytes);
    }
    for (std::size_t instance : order) CUSP_TRY(instantiate(instance));
    for (const ComposedExport& entry : plan_.exports) CUSP_TRY(export_(entry));
    return root_.finish();
  }

private:
  static Sort sort_of(const wit::WorldItem& item) {
    return std::holds_alternative<wit::Function>(item.what) ? Sort::Func
           : std::holds_alternative<wit::TypeId>(item.what) ? Sort::Type
                                                            : Sort::Instance;
  }

  Result<void> instantiate(std::size_t instance) {
    const Part& part = plan_.part_of(instance);
    std::vector<NamedIndex> arguments;
    for (const wit::WorldItem& item : part.world().imports)
      arguments.push_back({part.graph.extern_name(item), sort_of(item), CUSP_TRY(argument(instance, item))});
    instances_[instance] = root_.instantiate(components_.at(plan_.instances[instance].part), arguments);
    return {};
  }

  Result<std::uint32_t> argument(std::size_t instance, const wit::WorldItem& item) {
    const wit::Graph& graph = plan_.part_of(instance).graph;
    std::string name = graph.extern_name(item);
    if (const auto* type = std::get_if<wit::TypeId>(&item.what)) {
      // A type of an interface comes from the instance that this import of the interface gets.
      if (auto used = graph.used(*type)) {
        auto owner = std::get<wit::InterfaceId>(graph.type(*used).owner);
        std::uint32_t from = CUSP_TRY(source_index(instance, graph.interface_name(owner), Sort::Instance));
        return root_.alias_export(Sort::Type, from, graph.type(*used).name);
      }
    }
    return source_index(instance, name, sort_of(item));
  }

  Result<std::uint32_t> source_index(std::size_t instance, const std::string& import, Sort sort) {
    Source source = plan_.source(instance, import);
    if (source.instance) return export_index(*source.instance, source.name, sort);
    const std::string& name = merged_->names.at({instance, import});
    for (const wit::WorldItem& item : merged_->world.imports)
      if (wit::compatible_names(merged_->graph.extern_name(item), name)) return imports_->import_index(item);
    return base::fail(ErrorCode::Internal, fmt::format("the import `{}` was lost", name));
  }

  // The index of an instance's export, aliased once.
  std::uint32_t export_index(std::size_t instance, const std::string& name, Sort sort) {
    auto [found, fresh] = aliases_.try_emplace({instance, name}, 0);
    if (fresh) found->second = root_.alias_export(sort, instances_.at(instance), name);
    return found->second;
  }

  // The interfaces whose types an exported one uses have to be exports or imports of the whole too: what a plug gives is exported with it.
  Result<void> export_(const ComposedExport& entry) {
    if (!exported_.insert({entry.instance, entry.of}).second && exported_names_.contains(entry.name)) return {};
    const Part& part = plan_.part_of(entry.instance);
    const wit::WorldItem* item = item_named(part.graph, part.world().exports, entry.of);
    if (!item) return base::fail(ErrorCode::Unlinkable, fmt::format("{} does not export `{}`", part.file, entry.of));
    if (const auto* id = std::get_if<wit::InterfaceId>(&item->what)) {
      for (wit::InterfaceId used : part.graph.uses(*id)) {
        std::string name = part.graph.interface_name(used);
        if (item_named(part.graph, part.world().exports, name)) {
          CUSP_TRY(export_once({name, entry.instance, name}));
          continue;
        }
        Source source = plan_.source(entry.instance, name);
        if (source.instance) CUSP_TRY(export_once({source.name, *source.instance, source.name}));
      }
    }
    if (!exported_names_.insert(entry.name).second)
      return base::fail(
          ErrorCode::Unlinkable,
          fmt::format(
              "`{}` would be exported twice, by different instances; give one another name in a composition file",
              entry.name));
    Sort sort = sort_of(*item);
    std::uint32_t index = export_index(entry.instance, entry.of, sort);
    std::uint32_t exported = root_.export_item(entry.name, sort, index);
    aliases_[{entry.instance, entry.of}] = exported;
    return {};
  }
  Result<void> export_once(ComposedExport entry) {
    if (exported_.contains({entry.instance, entry.of})) return {};
    for (const ComposedExport& planned : plan_.exports) // under the name that the plan gives it
      if (planned.instance == entry.instance && planned.of == entry.of) entry.name = planned.name;
    return export_(entry);
  }

  const Composition& plan_;
  ScopeWriter root_;
  const MergedImports* merged_ = nullptr;
  const WorldEncoder* imports_ = nullptr;
  std::map<std::size_t, std::uint32_t> components_, instances_;
  std::map<std::pair<std::size_t, std::string>, std::uint32_t> aliases_;
  std::set<std::pair<std::size_t, std::string>> exported_;
  std::set<std::string> exported_names_;
};

} // namespace

Result<std::vector<std::size_t>> instantiation_order(const Composition& plan) {
  std::vector<std::size_t> order, path;
  std::vector<std::uint8_t> state(plan.instances.size()); // 1: on the path, 2: done
  Result<void> ok;
  auto visit = [&](auto&& self, std::size_t instance) -> void {
    if (!ok || state[instance] == 2) return;
    path.push_back(instance);
    if (state[instance] == 1) {
      std::string circle;
      for (auto at = std::ranges::find(path, instance); at != path.end(); ++at)
        circle += (circle.empty() ? "" : " → ") + plan.instances[*at].name;
      ok = base::fail(ErrorCode::Unlinkable,
                      fmt::format("these instances need each other, and one must come first: {}; leave one plug out "
                                  "or say in a composition file what comes from where",
                                  circle));
      return;
    }
    state[instance] = 1;
    for (const wit::WorldItem& item : plan.part_of(instance).world().imports) {
      Source source = plan.source(instance, plan.part_of(instance).graph.extern_name(item));
      if (source.instance) self(self, *source.instance);
    }
    state[instance] = 2;
    path.pop_back();
    order.push_back(instance);
  };
  for (std::size_t i = 0; i < plan.instances.size(); ++i) visit(visit, i);
  CUSP_TRY(ok);
  return order;
}

Result<void> check_composition(const Composition& plan) {
  CUSP_TRY(instantiation_order(plan));
  for (std::size_t i = 0; i < plan.instances.size(); ++i)
    for (const wit::WorldItem& import : plan.part_of(i).world().imports) CUSP_TRY(check_import(plan, i, import));
  return {};
}

Result<std::vector<std::uint8_t>> link_composition(const Composition& plan) {
  CUSP_TRY(check_composition(plan));
  return Linker(plan).run();
}

} // namespace cusp::compose
