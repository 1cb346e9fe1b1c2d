#include "compose/world_encoder.h"

#include <algorithm>

#include <fmt/format.h>

namespace cusp::compose {

using base::ErrorCode;
using base::Result;
using component::ast::ExternKind;

namespace {

// The definition that a named type is exported under: a fresh resource, another's alias, or a definition of its own.
// `own` gives the index of a type of the same owner, `outer` of another's.
Result<ExternType> named_extern(const wit::Graph& graph, wit::TypeId id, TypeEncoder& types,
                                const TypeEncoder::Named& target_index) {
  const wit::TypeDef& def = graph.type(id);
  if (std::holds_alternative<wit::Resource>(def.kind)) return ExternType{ExternKind::TypeSub, 0};
  if (const auto* alias = std::get_if<wit::Alias>(&def.kind))
    if (const auto* target = std::get_if<wit::TypeId>(&alias->type); target && !graph.type(*target).name.empty())
      return ExternType{ExternKind::TypeEq, CUSP_TRY(target_index(*target))};
  return ExternType{ExternKind::TypeEq, CUSP_TRY(types.definition(id))};
}

class InterfaceEncoder {
public:
  InterfaceEncoder(const wit::Graph& graph, wit::InterfaceId id, const TypeEncoder::Named& outer,
                   const LiveImports* live)
      : graph_(graph), id_(id), outer_(outer), live_(live), scope_(ScopeKind::InstanceType),
        types_(graph, scope_, [this](wit::TypeId type) { return named(type); }) {}

  Result<Bytes> run() {
    for (wit::TypeId type : graph_.interface(id_).types)
      if (!live_ || live_->types.contains(type)) CUSP_TRY(named(type));
    for (const wit::Function& function : graph_.interface(id_).functions) {
      if (live_ && !live_->functions.contains({id_, graph_.extern_name(function)})) continue;
      std::uint32_t type = CUSP_TRY(types_.function(function));
      scope_.export_declaration(ExternLabel(graph_.extern_name(function), {}, function.attributes.external_id),
                                {ExternKind::Func, type});
    }
    return Bytes().append(scope_.finish());
  }

private:
  Result<std::uint32_t> named(wit::TypeId id) {
    if (auto found = indices_.find(id); found != indices_.end()) return found->second;
    const wit::TypeDef& def = graph_.type(id);
    std::uint32_t index;
    if (def.owner != wit::Owner(id_)) {
      index = scope_.alias_outer_type(1, CUSP_TRY(outer_(id)));
    } else {
      ExternType type =
          CUSP_TRY(named_extern(graph_, id, types_, [this](wit::TypeId target) { return named(target); }));
      index = scope_.export_declaration(ExternLabel(def.name, {}, def.attributes.external_id), type);
    }
    indices_[id] = index;
    return index;
  }

  const wit::Graph& graph_;
  wit::InterfaceId id_;
  const TypeEncoder::Named& outer_;
  const LiveImports* live_;
  ScopeWriter scope_;
  TypeEncoder types_;
  std::map<wit::TypeId, std::uint32_t> indices_;
};

} // namespace

Result<std::uint32_t> encode_interface(const wit::Graph& graph, wit::InterfaceId id, ScopeWriter& scope,
                                       const TypeEncoder::Named& outer, const LiveImports* live) {
  Bytes type = CUSP_TRY(InterfaceEncoder(graph, id, outer, live).run());
  return scope.type(type);
}

void LiveImports::add_type(const wit::Graph& graph, wit::TypeId id) {
  if (!types.insert(id).second) return;
  graph.for_each_named(graph.type(id), [&](wit::TypeId part) { add_type(graph, part); });
}

void LiveImports::add_function(const wit::Graph& graph, wit::InterfaceId interface, const wit::Function& function) {
  functions.insert({interface, graph.extern_name(function)});
  if (!function.resource.is_none()) add_type(graph, function.resource);
  graph.for_each_named(function, [&](wit::TypeId id) { add_type(graph, id); });
}

bool LiveImports::has(const wit::Graph& graph, wit::InterfaceId id) const {
  for (const wit::Function& function : graph.interface(id).functions)
    if (functions.contains({id, graph.extern_name(function)})) return true;
  return std::ranges::any_of(graph.interface(id).types, [&](wit::TypeId type) { return types.contains(type); });
}

WorldEncoder::WorldEncoder(const wit::Graph& graph, const wit::World& world, ScopeWriter& scope,
                           const LiveImports* live)
    : graph_(graph), world_(world), scope_(scope), live_(live),
      types_(graph, scope, [this](wit::TypeId id) { return type_index(id); }) {}

void WorldEncoder::set_instance(wit::InterfaceId id, std::uint32_t instance) {
  instances_[id] = instance;
  std::erase_if(indices_, [&](const auto& entry) { return graph_.type(entry.first).owner == wit::Owner(id); });
}

Result<std::uint32_t> WorldEncoder::type_index(wit::TypeId id) {
  if (auto found = indices_.find(id); found != indices_.end()) return found->second;
  const wit::TypeDef& def = graph_.type(id);
  const auto* owner = std::get_if<wit::InterfaceId>(&def.owner);
  auto instance = owner ? instances_.find(*owner) : instances_.end();
  if (instance == instances_.end()) {
    // The world uses a type through a name of its own only later, or not at all.
    return base::fail(ErrorCode::Invalid, fmt::format("type `{}` of {} is used before the world has it", def.name,
                                                      owner ? graph_.interface_name(*owner) : "the world"));
  }
  std::uint32_t index = scope_.alias_export(Sort::Type, instance->second, def.name);
  indices_[id] = index;
  return index;
}

Result<void> WorldEncoder::imports() {
  for (const wit::WorldItem& item : world_.imports) CUSP_TRY(import(item));
  return {};
}

Result<void> WorldEncoder::import_type(wit::TypeId id) {
  if (indices_.contains(id)) return {};
  auto target_index = [this](wit::TypeId target) -> Result<std::uint32_t> {
    if (std::holds_alternative<wit::WorldId>(graph_.type(target).owner)) CUSP_TRY(import_type(target));
    return type_index(target);
  };
  // Definitions may refer to types of the world that come later in the text.
  Result<void> needed;
  graph_.for_each_named(graph_.type(id), [&](wit::TypeId part) {
    if (needed && std::holds_alternative<wit::WorldId>(graph_.type(part).owner)) needed = import_type(part);
  });
  CUSP_TRY(needed);
  const wit::TypeDef& def = graph_.type(id);
  ExternType type = CUSP_TRY(named_extern(graph_, id, types_, target_index));
  std::uint32_t index = scope_.import(ExternLabel(def.name, {}, def.attributes.external_id), type);
  indices_[id] = index;
  import_indices_[def.name] = index;
  return {};
}

Result<void> WorldEncoder::import(const wit::WorldItem& item) {
  std::string name;
  if (const auto* id = std::get_if<wit::TypeId>(&item.what)) return import_type(*id);
  if (const auto* function = std::get_if<wit::Function>(&item.what)) {
    name = graph_.extern_name(*function);
    if (live_ && !live_->functions.contains({wit::InterfaceId(), name})) return {};
    std::uint32_t type = CUSP_TRY(types_.function(*function));
    import_indices_[name] = scope_.import(ExternLabel(name, {}, item.attributes.external_id), {ExternKind::Func, type});
    return {};
  }
  auto id = std::get<wit::InterfaceId>(item.what);
  if (live_ && !live_->has(graph_, id)) return {};
  std::uint32_t type =
      CUSP_TRY(encode_interface(graph_, id, scope_, [this](wit::TypeId used) { return type_index(used); }, live_));
  name = graph_.extern_name(item);
  std::string implements = item.implements ? graph_.interface_name(*item.implements) : std::string();
  std::uint32_t instance =
      scope_.import(ExternLabel(name, implements, item.attributes.external_id), {ExternKind::Instance, type});
  import_indices_[name] = instance;
  set_instance(id, instance);
  return {};
}

Result<void> WorldEncoder::export_declarations() {
  for (const wit::WorldItem& item : world_.exports) {
    std::string name = graph_.extern_name(item);
    if (const auto* function = std::get_if<wit::Function>(&item.what)) {
      std::uint32_t type = CUSP_TRY(types_.function(*function));
      scope_.export_declaration(ExternLabel(name, {}, item.attributes.external_id), {ExternKind::Func, type});
      continue;
    }
    auto id = std::get<wit::InterfaceId>(item.what);
    std::uint32_t type =
        CUSP_TRY(encode_interface(graph_, id, scope_, [this](wit::TypeId used) { return type_index(used); }));
    std::string implements = item.implements ? graph_.interface_name(*item.implements) : std::string();
    std::uint32_t instance = scope_.export_declaration(ExternLabel(name, implements, item.attributes.external_id),
                                                       {ExternKind::Instance, type});
    set_instance(id, instance);
  }
  return {};
}

namespace {

// (component (import …)* (export "full name" (instance or component)))
Result<Bytes> wrapped_world(const wit::Graph& graph, wit::WorldId id) {
  ScopeWriter inner(ScopeKind::ComponentType), outer(ScopeKind::ComponentType);
  WorldEncoder encoder(graph, graph.world(id), inner);
  CUSP_TRY(encoder.imports());
  CUSP_TRY(encoder.export_declarations());
  std::uint32_t type = outer.type(Bytes().append(inner.finish()));
  outer.export_declaration(graph.world_name(id), {ExternKind::Component, type});
  return Bytes().append(outer.finish());
}

Result<Bytes> wrapped_interface(const wit::Graph& graph, wit::InterfaceId id) {
  ScopeWriter scope(ScopeKind::ComponentType);
  wit::World world; // that imports what the interface uses
  std::map<wit::InterfaceId, bool> seen;
  auto add = [&](auto&& self, wit::InterfaceId used) -> void {
    for (wit::InterfaceId dependency : graph.uses(used)) self(self, dependency);
    if (used != id && seen.emplace(used, true).second) world.imports.push_back({{}, used, {}});
  };
  add(add, id);
  WorldEncoder encoder(graph, world, scope);
  CUSP_TRY(encoder.imports());
  std::uint32_t type =
      CUSP_TRY(encode_interface(graph, id, scope, [&](wit::TypeId used) { return encoder.type_index(used); }));
  scope.export_declaration(graph.interface_name(id), {ExternKind::Instance, type});
  return Bytes().append(scope.finish());
}

constexpr std::uint8_t kEncoding[] = {4, 0}; // the fourth format, UTF-8

} // namespace

Result<std::vector<std::uint8_t>> encode_package(const wit::Graph& graph) {
  ScopeWriter root(ScopeKind::Component);
  const wit::Package& package = graph.package(graph.root);
  std::vector<wit::InterfaceId> ordered; // what is used comes first: readers depend on it
  auto add = [&](auto&& self, wit::InterfaceId id) -> void {
    if (graph.interface(id).package != graph.root || std::ranges::find(ordered, id) != ordered.end()) return;
    for (wit::InterfaceId used : graph.uses(id)) self(self, used);
    ordered.push_back(id);
  };
  for (wit::InterfaceId id : package.interfaces) add(add, id);
  for (wit::InterfaceId id : ordered) {
    std::uint32_t type = root.type(CUSP_TRY(wrapped_interface(graph, id)));
    root.export_item(graph.interface(id).name, Sort::Type, type);
  }
  for (wit::WorldId id : package.worlds) {
    std::uint32_t type = root.type(CUSP_TRY(wrapped_world(graph, id)));
    root.export_item(graph.world(id).name, Sort::Type, type);
  }
  root.custom("wit-component-encoding", kEncoding);
  return root.finish();
}

Result<std::vector<std::uint8_t>> encode_world_metadata(const wit::Graph& graph, wit::WorldId world) {
  ScopeWriter root(ScopeKind::Component);
  std::uint32_t type = root.type(CUSP_TRY(wrapped_world(graph, world)));
  root.export_item(graph.world(world).name, Sort::Type, type);
  root.custom("wit-component-encoding", kEncoding);
  return root.finish();
}

} // namespace cusp::compose
