// Interfaces as instance types, worlds as the imports and exports of a scope, packages and a world's metadata as components of type exports.
// Spec: component-model WIT.md "Package Format".
#pragma once

#include <map>
#include <set>

#include "compose/type_encoder.h"

namespace cusp::compose {

// What of a world's imports is written: a component imports what its modules use, not all that its world offers.
struct LiveImports {
  std::set<std::pair<wit::InterfaceId, std::string>> functions; // by extern name; no interface: the world's own
  std::set<wit::TypeId> types;

  // What a type, and a function, need.
  void add_type(const wit::Graph& graph, wit::TypeId id);
  void add_function(const wit::Graph& graph, wit::InterfaceId interface, const wit::Function& function);
  bool has(const wit::Graph& graph, wit::InterfaceId id) const;
};

// The imports, and in a component type the exports, of one world.
class WorldEncoder {
public:
  // `live`: nothing else is imported. Absent: everything is.
  WorldEncoder(const wit::Graph& graph, const wit::World& world, ScopeWriter& scope, const LiveImports* live = nullptr);

  base::Result<void> imports();
  // REQUIRES: the scope is a component type's.
  base::Result<void> export_declarations();

  TypeEncoder& types() { return types_; }
  // The index of a named type: the world's own, or of an interface that is imported or, where it has been, exported.
  base::Result<std::uint32_t> type_index(wit::TypeId id);
  // The scope's index of an import, in the space of its sort.
  std::uint32_t import_index(const wit::WorldItem& item) const { return import_indices_.at(graph_.extern_name(item)); }
  bool has_instance(wit::InterfaceId id) const { return instances_.contains(id); }
  // From here on the types of `id` are those of this instance.
  void set_instance(wit::InterfaceId id, std::uint32_t instance);

private:
  base::Result<void> import(const wit::WorldItem& item);
  base::Result<void> import_type(wit::TypeId id);

  const wit::Graph& graph_;
  const wit::World& world_;
  ScopeWriter& scope_;
  const LiveImports* live_;
  TypeEncoder types_;
  std::map<wit::InterfaceId, std::uint32_t> instances_;
  std::map<wit::TypeId, std::uint32_t> indices_;
  std::map<std::string, std::uint32_t> import_indices_;
};

// The instance type of an interface, added to `scope`; what it uses is asked for there. Gives the type's index.
base::Result<std::uint32_t> encode_interface(const wit::Graph& graph, wit::InterfaceId id, ScopeWriter& scope,
                                             const TypeEncoder::Named& outer, const LiveImports* live = nullptr);

// The root package in binary form: one exported type per interface and world.
base::Result<std::vector<std::uint8_t>> encode_package(const wit::Graph& graph);

// What a core module carries in its `component-type` section: the world alone.
base::Result<std::vector<std::uint8_t>> encode_world_metadata(const wit::Graph& graph, wit::WorldId world);

} // namespace cusp::compose
