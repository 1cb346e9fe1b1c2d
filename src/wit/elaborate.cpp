#include "wit/elaborate.h"

#include <algorithm>
#include <set>

namespace cusp::wit {

namespace {

class Elaborator {
public:
  Elaborator(const Graph& graph, World& world) : graph_(graph), world_(world) {
    for (const WorldItem& item : world.exports)
      if (const auto* id = std::get_if<InterfaceId>(&item.what); id && item.name.empty()) exported_.insert(*id);
  }

  std::optional<InterfaceId> run() {
    for (const WorldItem& item : world_.imports)
      if (is_interface(item)) import_interface(std::get<InterfaceId>(item.what));
    for (const WorldItem& item : world_.imports)
      if (std::holds_alternative<TypeId>(item.what)) import_other(item);
    for (const WorldItem& item : world_.imports)
      if (!is_interface(item) && !std::holds_alternative<TypeId>(item.what)) import_other(item);
    for (const WorldItem& item : world_.exports) export_(item);
    interfaces_.insert(interfaces_.end(), others_.begin(), others_.end());
    world_.imports = std::move(interfaces_);
    world_.exports = std::move(exports_);
    return impossible_;
  }

private:
  static bool is_interface(const WorldItem& item) { return item.name.empty() && item.what.index() == 1; }

  // The item that the text has for an interface under its own name, with its documentation and gates.
  static WorldItem written(const std::vector<WorldItem>& items, InterfaceId id) {
    for (const WorldItem& item : items)
      if (is_interface(item) && std::get<InterfaceId>(item.what) == id) return item;
    return {{}, id, {}};
  }

  void import_interface(InterfaceId id) {
    if (!imported_.insert(id).second) return;
    for (InterfaceId dependency : graph_.uses(id)) import_interface(dependency);
    interfaces_.push_back(written(world_.imports, id));
  }

  void import_other(const WorldItem& item) {
    if (const auto* id = std::get_if<InterfaceId>(&item.what)) {
      for (InterfaceId dependency : graph_.uses(*id)) import_interface(dependency);
    } else if (const auto* type = std::get_if<TypeId>(&item.what)) {
      auto target = graph_.used(*type);
      const auto* owner = target ? std::get_if<InterfaceId>(&graph_.type(*target).owner) : nullptr;
      if (owner) import_interface(*owner);
    }
    others_.push_back(item);
  }

  // `of` is exported and uses `id`.
  void export_dependency(InterfaceId id, InterfaceId of) {
    if (exported_.contains(id)) return export_interface(id);
    looked_at_.clear();
    if (reaches_export(id)) impossible_ = of;
    import_interface(id);
  }
  bool reaches_export(InterfaceId id) {
    if (!looked_at_.insert(id).second) return false;
    for (InterfaceId dependency : graph_.uses(id))
      if (exported_.contains(dependency) || reaches_export(dependency)) return true;
    return false;
  }
  void export_interface(InterfaceId id) {
    if (!done_.insert(id).second) return;
    for (InterfaceId dependency : graph_.uses(id)) export_dependency(dependency, id);
    exports_.push_back(written(world_.exports, id));
  }
  void export_(const WorldItem& item) {
    if (const auto* id = std::get_if<InterfaceId>(&item.what)) {
      if (item.name.empty()) return export_interface(*id);
      for (InterfaceId dependency : graph_.uses(*id)) export_dependency(dependency, *id);
    }
    exports_.push_back(item);
  }

  const Graph& graph_;
  World& world_;
  std::set<InterfaceId> exported_, imported_, done_, looked_at_;
  std::vector<WorldItem> interfaces_, others_,
      exports_; // interfaces under their own names come before what may use them
  std::optional<InterfaceId> impossible_;
};

} // namespace

std::optional<InterfaceId> elaborate(const Graph& graph, World& world) { return Elaborator(graph, world).run(); }

} // namespace cusp::wit
