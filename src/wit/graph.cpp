#include "wit/graph.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "wit/copy.h"

namespace cusp::wit {

namespace {

constexpr std::string_view kPrimitives[] = {"bool", "s8",  "u8",  "s16", "u16",  "s32",    "u32",
                                            "s64",  "u64", "f32", "f64", "char", "string", "error-context"};

template <class Id, class T> Id push(std::vector<T>& items, T item) {
  items.push_back(std::move(item));
  return Id(static_cast<std::uint32_t>(items.size() - 1));
}

template <class Id, class T>
std::optional<Id> find_named(const std::vector<Id>& ids, const std::vector<T>& items, std::string_view name) {
  for (Id id : ids)
    if (items[id.value].name == name) return id;
  return std::nullopt;
}

} // namespace

std::string_view primitive_name(Primitive primitive) { return kPrimitives[static_cast<unsigned>(primitive)]; }

std::optional<Primitive> parse_primitive(std::string_view name) {
  const auto* found = std::ranges::find(kPrimitives, name);
  if (found == std::end(kPrimitives)) return std::nullopt;
  return static_cast<Primitive>(found - std::begin(kPrimitives));
}

TypeId Graph::add(TypeDef type) { return push<TypeId>(types, std::move(type)); }
InterfaceId Graph::add(Interface interface) { return push<InterfaceId>(interfaces, std::move(interface)); }
WorldId Graph::add(World world) { return push<WorldId>(worlds, std::move(world)); }
PackageId Graph::add(Package package) { return push<PackageId>(packages, std::move(package)); }

std::optional<PackageId> Graph::find_package(const PackageName& name) const {
  for (std::uint32_t i = 0; i < packages.size(); ++i)
    if (packages[i].name == name) return PackageId(i);
  return std::nullopt;
}

std::optional<InterfaceId> Graph::find_interface(PackageId id, std::string_view name) const {
  return find_named(package(id).interfaces, interfaces, name);
}
std::optional<WorldId> Graph::find_world(PackageId id, std::string_view name) const {
  return find_named(package(id).worlds, worlds, name);
}
std::optional<TypeId> Graph::find_type(InterfaceId id, std::string_view name) const {
  return find_named(interface(id).types, types, name);
}

std::string Graph::interface_name(InterfaceId id) const {
  const Interface& item = interface(id);
  return item.name.empty() ? std::string() : InterfaceName{package(item.package).name, item.name}.to_string();
}

std::string Graph::world_name(WorldId id) const {
  const World& item = world(id);
  return InterfaceName{package(item.package).name, item.name}.to_string();
}

std::string Graph::extern_name(const Function& function) const {
  switch (function.kind) {
  case FunctionKind::Free: return function.name;
  case FunctionKind::Constructor: return fmt::format("[constructor]{}", type(function.resource).name);
  case FunctionKind::Method: return fmt::format("[method]{}.{}", type(function.resource).name, function.name);
  case FunctionKind::Static: return fmt::format("[static]{}.{}", type(function.resource).name, function.name);
  }
  return {};
}

std::string Graph::extern_name(const WorldItem& item) const {
  if (const auto* function = std::get_if<Function>(&item.what)) return extern_name(*function);
  if (!item.name.empty()) return item.name;
  return interface_name(std::get<InterfaceId>(item.what));
}

InterfaceId Graph::copy(InterfaceId id) {
  const InterfaceId result = add(Interface{});
  const Interface original = interface(id); // by value: the graph grows
  Interface made;
  made.package = original.package;
  made.attributes = original.attributes;
  std::map<TypeId, TypeId> copies;
  std::function<TypeId(TypeId)> named;
  Copier copier(*this, *this, [&](TypeId type) { return named(type); });
  named = [&](TypeId type) {
    if (this->type(type).owner != Owner(id)) return type;
    auto [known, fresh] = copies.try_emplace(type);
    if (!fresh) return known->second;
    const TypeDef def = this->type(type);
    TypeDef own = copier.definition(def);
    own.owner = result;
    return copies[type] = add(std::move(own));
  };
  for (TypeId type : original.types) {
    TypeId own = named(type);
    copier.map(type, own);
    made.types.push_back(own);
  }
  for (const Function& function : original.functions) made.functions.push_back(copier.function(function));
  interface(result) = std::move(made);
  return result;
}

Type Graph::resolve(Type type) const {
  for (;;) {
    const TypeId* id = std::get_if<TypeId>(&type);
    const Alias* alias = id ? std::get_if<Alias>(&this->type(*id).kind) : nullptr;
    if (!alias) return type;
    type = alias->type;
  }
}

TypeId Graph::resolve_resource(TypeId id) const {
  Type type = resolve(id);
  const TypeId* end = std::get_if<TypeId>(&type);
  return end && std::holds_alternative<Resource>(this->type(*end).kind) ? *end : TypeId();
}

bool Graph::is_resource(TypeId id) const { return !resolve_resource(id).is_none(); }

std::optional<TypeId> Graph::used(TypeId id) const {
  const TypeDef& def = type(id);
  const Alias* alias = std::get_if<Alias>(&def.kind);
  const TypeId* target = alias ? std::get_if<TypeId>(&alias->type) : nullptr;
  if (!target || type(*target).name.empty() || type(*target).owner == def.owner) return std::nullopt;
  return *target;
}

std::vector<InterfaceId> Graph::uses(InterfaceId id) const {
  std::vector<InterfaceId> result;
  for (TypeId type_id : interface(id).types) {
    auto target = used(type_id);
    if (!target) continue;
    const auto* owner = std::get_if<InterfaceId>(&type(*target).owner);
    if (owner && std::ranges::find(result, *owner) == result.end()) result.push_back(*owner);
  }
  return result;
}

base::Result<WorldId> select_world(const Graph& graph, std::string_view name) {
  std::string all;
  for (const Package& package : graph.packages)
    for (WorldId id : package.worlds) {
      bool root = graph.world(id).package == graph.root;
      if (graph.world_name(id) == name || (root && graph.world(id).name == name)) return id;
      all += (all.empty() ? "" : ", ") + (root ? graph.world(id).name : graph.world_name(id));
    }
  // A name without its version, where only one version is at hand.
  std::vector<WorldId> near;
  for (std::uint32_t i = 0; i < graph.worlds.size(); ++i) {
    std::string full = graph.world_name(WorldId(i));
    if (!name.empty() && full.substr(0, full.find('@')) == name) near.push_back(WorldId(i));
  }
  if (near.size() == 1) return near[0];
  const Package& root = graph.package(graph.root);
  if (name.empty() && root.worlds.size() == 1) return root.worlds[0];
  std::string sentence = name.empty()
                             ? fmt::format("package {} has {}; say which world is meant", root.name.to_string(),
                                           root.worlds.empty() ? "no world" : "several worlds")
                             : fmt::format("there is no world `{}`", name);
  return base::fail(base::ErrorCode::NotFound, sentence + (all.empty() ? std::string() : "; there are " + all));
}

} // namespace cusp::wit
