#include "compose/import_merger.h"

#include <fmt/format.h>

#include "compose/match.h"
#include "wit/elaborate.h"

namespace cusp::compose {

using base::ErrorCode;
using base::Result;

namespace {

class Merger {
public:
  explicit Merger(const Composition& plan) : plan_(plan) {
    out_.graph.root = out_.graph.add(wit::Package{{"root", "composition", {}}, {}, {}, {}});
    world_ = out_.graph.add(wit::World{});
  }

  Result<MergedImports> run() {
    for (std::size_t i = 0; i < plan_.instances.size(); ++i) {
      types_.clear();
      for (const wit::WorldItem& item : plan_.part_of(i).world().imports) CUSP_TRY(merge(i, item));
    }
    wit::elaborate(out_.graph, out_.world);
    return std::move(out_);
  }

private:
  const wit::Graph& graph(std::size_t instance) const { return plan_.part_of(instance).graph; }

  std::unexpected<base::Error> conflict(std::size_t instance, const std::string& name, const Matcher& matcher) const {
    return base::fail(ErrorCode::Unlinkable, fmt::format("{} imports `{}` otherwise than {}; plug one of them, or give "
                                                         "it a name of its own in a composition file\n{}",
                                                         plan_.part_of(instance).file, name, first_.at(track(name)),
                                                         to_text(matcher.differences())));
  }
  static std::string track(const std::string& name) { return wit::name_track(name); }

  Result<void> merge(std::size_t instance, const wit::WorldItem& item) {
    std::string name = graph(instance).extern_name(item);
    Source source = plan_.source(instance, name);
    if (const auto* id = std::get_if<wit::TypeId>(&item.what))
      if (auto target = graph(instance).used(*id)) { // comes with its interface
        if (auto merged = types_.find(*target); merged != types_.end()) types_[*id] = merged->second;
        return {};
      }
    if (source.instance) return {};
    out_.names[{instance, name}] = source.name;
    first_.try_emplace(track(source.name), plan_.part_of(instance).file);
    if (const auto* id = std::get_if<wit::InterfaceId>(&item.what))
      return merge_interface(instance, item, *id, source.name);
    return merge_plain(instance, item, source.name);
  }

  // Functions and types of the world itself.
  Result<void> merge_plain(std::size_t instance, const wit::WorldItem& item, const std::string& name) {
    for (const wit::WorldItem& other : out_.world.imports) {
      if (out_.graph.extern_name(other) != name) continue;
      Matcher matcher(out_.graph, graph(instance));
      if (other.what.index() != item.what.index())
        return base::fail(ErrorCode::Unlinkable, fmt::format("{} imports `{}` as another sort of thing than {}",
                                                             plan_.part_of(instance).file, name, first_.at(name)));
      if (const auto* function = std::get_if<wit::Function>(&item.what))
        matcher.function(std::get<wit::Function>(other.what), *function);
      else matcher.named(std::get<wit::TypeId>(other.what), std::get<wit::TypeId>(item.what));
      if (const auto* id = std::get_if<wit::TypeId>(&item.what)) types_[*id] = std::get<wit::TypeId>(other.what);
      if (!matcher.differences().empty()) return conflict(instance, name, matcher);
      return {};
    }
    wit::Copier copier = this->copier(instance);
    wit::WorldItem copy = item;
    if (const auto* function = std::get_if<wit::Function>(&item.what)) {
      wit::Function mine = copier.function(*function);
      if (mine.kind == wit::FunctionKind::Free) mine.name = name;
      copy.what = std::move(mine);
      CUSP_TRY(copied());
    } else {
      wit::TypeDef def = copier.definition(graph(instance).type(std::get<wit::TypeId>(item.what)));
      CUSP_TRY(copied());
      def.owner = world_, def.name = name;
      wit::TypeId id = out_.graph.add(std::move(def));
      types_[std::get<wit::TypeId>(item.what)] = id;
      copy.what = id;
    }
    if (!copy.name.empty()) copy.name = name;
    out_.world.imports.push_back(std::move(copy));
    return {};
  }

  // The merged interface that goes by `name`, or a new one.
  Result<wit::InterfaceId> target(std::size_t instance, const wit::WorldItem& item, const std::string& name) {
    for (const wit::WorldItem& other : out_.world.imports) {
      std::string other_name = out_.graph.extern_name(other);
      if (!wit::compatible_names(other_name, name)) continue;
      const auto* id = std::get_if<wit::InterfaceId>(&other.what);
      if (!id)
        return base::fail(ErrorCode::Unlinkable,
                          fmt::format("{} imports the interface `{}`, and {} a function of that name",
                                      plan_.part_of(instance).file, name, first_.at(track(name))));
      // The newest version that anyone wants is what the host is asked for.
      auto present = wit::parse_interface_name(other_name), wanted = wit::parse_interface_name(name);
      if (present && wanted && present->package.version < wanted->package.version) rename(*id, *wanted);
      return *id;
    }
    wit::Interface interface;
    wit::InterfaceId id = out_.graph.add(std::move(interface));
    if (auto parsed = wit::parse_interface_name(name)) {
      rename(id, *parsed);
      out_.world.imports.push_back({{}, id, item.attributes});
    } else {
      out_.graph.interface(id).package = out_.graph.root;
      wit::WorldItem merged{name, id, item.attributes};
      if (item.implements) merged.implements = named_interface(graph(instance).interface_name(*item.implements));
      out_.world.imports.push_back(std::move(merged));
    }
    return id;
  }
  // For its name alone, which an import says that it implements.
  wit::InterfaceId named_interface(const std::string& name) {
    wit::InterfaceId id = out_.graph.add(wit::Interface{});
    if (auto parsed = wit::parse_interface_name(name)) rename(id, *parsed);
    return id;
  }
  void rename(wit::InterfaceId id, const wit::InterfaceName& name) {
    auto package = out_.graph.find_package(name.package);
    out_.graph.interface(id).package = package ? *package : out_.graph.add(wit::Package{name.package, {}, {}, {}});
    out_.graph.interface(id).name = name.name;
  }

  Result<void> merge_interface(std::size_t instance, const wit::WorldItem& item, wit::InterfaceId from,
                               const std::string& name) {
    const wit::Graph& graph = this->graph(instance);
    wit::InterfaceId to = CUSP_TRY(target(instance, item, name));
    Matcher matcher(out_.graph, graph);
    wit::Copier copier = this->copier(instance);
    for (wit::TypeId type : graph.interface(from).types) {
      if (auto present = out_.graph.find_type(to, graph.type(type).name)) {
        types_[type] = *present;
        copier.map(type, *present);
        matcher.named(*present, type);
        continue;
      }
      wit::TypeDef def = copier.definition(graph.type(type));
      CUSP_TRY(copied());
      def.owner = to;
      wit::TypeId id = out_.graph.add(std::move(def));
      types_[type] = id;
      copier.map(type, id);
      out_.graph.interface(to).types.push_back(id);
    }
    for (const wit::Function& function : graph.interface(from).functions) {
      std::string function_name = graph.extern_name(function);
      const wit::Function* present = nullptr;
      for (const wit::Function& other : out_.graph.interface(to).functions)
        if (out_.graph.extern_name(other) == function_name) present = &other;
      if (present) {
        matcher.function(*present, function);
        continue;
      }
      wit::Function mine = copier.function(function);
      CUSP_TRY(copied());
      out_.graph.interface(to).functions.push_back(std::move(mine));
    }
    if (!matcher.differences().empty()) return conflict(instance, name, matcher);
    return {};
  }

  // Copies into the merged graph; a type of an interface that was plugged for this instance cannot be: copied() tells.
  wit::Copier copier(std::size_t instance) {
    return wit::Copier(graph(instance), out_.graph, [this, instance](wit::TypeId id) {
      if (auto found = types_.find(id); found != types_.end()) return found->second;
      const wit::TypeDef& def = graph(instance).type(graph(instance).used(id).value_or(id));
      const auto* owner = std::get_if<wit::InterfaceId>(&def.owner);
      std::string interface = owner ? graph(instance).interface_name(*owner) : "the world";
      Source source = plan_.source(instance, interface);
      missing_ = base::Error{
          .code = ErrorCode::Unlinkable,
          .message = fmt::format("{} gets `{}` from {}, but imports what uses its type `{}` from outside; "
                                 "plug that too",
                                 plan_.part_of(instance).file, interface,
                                 source.instance ? plan_.part_of(*source.instance).file : "nowhere", def.name),
          .file = {}};
      return wit::TypeId(0);
    });
  }
  Result<void> copied() {
    if (missing_) return std::unexpected(std::move(*missing_));
    return {};
  }

  const Composition& plan_;
  MergedImports out_;
  wit::WorldId world_;
  std::map<std::string, std::string> first_; // track: the file that imported it first
  std::map<wit::TypeId, wit::TypeId> types_; // of the instance at hand
  std::optional<base::Error> missing_;
};

} // namespace

Result<MergedImports> merge_imports(const Composition& plan) { return Merger(plan).run(); }

} // namespace cusp::compose
