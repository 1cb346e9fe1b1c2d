// The package graph: WIT after resolution. Every name is followed, `include` and the imports that `use` implies are worked in, items
// behind gates that are off are gone. Items refer to each other by index into one Graph; anonymous types are types without a name.
// What resolver.h makes from text and compose/ from components; what printer.h writes.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/index.h"
#include "base/result.h"
#include "wit/names.h"

namespace cusp::wit {

using TypeId = base::Index<struct WitTypeTag>;
using InterfaceId = base::Index<struct WitInterfaceTag>;
using WorldId = base::Index<struct WitWorldTag>;
using PackageId = base::Index<struct WitPackageTag>;

enum class Primitive : std::uint8_t {
  Bool,
  S8,
  U8,
  S16,
  U16,
  S32,
  U32,
  S64,
  U64,
  F32,
  F64,
  Char,
  String,
  ErrorContext
};
std::string_view primitive_name(Primitive primitive);
std::optional<Primitive> parse_primitive(std::string_view name);

// The name of a resource, where a value is meant, is an owning handle to it.
using Type = std::variant<Primitive, TypeId>;

struct Gate {
  std::optional<Version> since, deprecated;
  std::string unstable; // the feature; empty: none
  bool operator==(const Gate&) const = default;
};

struct Attributes {
  std::string docs; // lines without their slashes
  Gate gate;
  std::string external_id;
  bool operator==(const Attributes&) const = default;
};

// A record field, variant case (no type: no payload), flag or enum label.
struct Member {
  std::string name;
  std::optional<Type> type;
  std::string docs;
};

struct Record {
  std::vector<Member> fields;
};
struct Variant {
  std::vector<Member> cases;
};
struct Enum {
  std::vector<Member> cases;
};
struct Flags {
  std::vector<Member> labels;
};
struct Resource {}; // its functions are the interface's: Function::resource
struct Alias {
  Type type; // `use` is an alias whose target has another owner
};
struct Tuple {
  std::vector<Type> types;
};
struct List {
  Type element;
  std::optional<std::uint32_t> length;
};
struct Map {
  Type key, value;
};
struct Option {
  Type type;
};
struct ResultType {
  std::optional<Type> ok, error;
};
struct Own { // of a named type alone: elsewhere the resource's name is the handle
  TypeId resource;
};
struct Borrow {
  TypeId resource;
};
struct Stream {
  std::optional<Type> element;
};
struct Future {
  std::optional<Type> element;
};

using Owner = std::variant<std::monostate, InterfaceId, WorldId>;

struct TypeDef {
  std::string name; // empty: anonymous
  Owner owner;
  Attributes attributes;
  std::variant<Alias, Record, Variant, Enum, Flags, Resource, Tuple, List, Map, Option, ResultType, Own, Borrow, Stream,
               Future>
      kind;
};

enum class FunctionKind : std::uint8_t { Free, Method, Static, Constructor };

struct Param {
  std::string name;
  Type type;
};

struct Function {
  std::string name; // a method's without its resource; a constructor's is "constructor"
  FunctionKind kind = FunctionKind::Free;
  TypeId resource; // of a method, static function or constructor
  bool is_async = false;
  std::vector<Param> params;  // a method's `self` included
  std::optional<Type> result; // a constructor's included
  Attributes attributes;
};

struct Interface {
  std::string name; // empty: written inside a world
  PackageId package;
  Attributes attributes;
  std::vector<TypeId> types; // named ones, in order
  std::vector<Function> functions;
};

// An import or export of a world. A type is an import always.
struct WorldItem {
  std::string name; // plain; empty: an interface under its own name
  std::variant<Function, InterfaceId, TypeId> what;
  Attributes attributes;
  // `import name: interface;`: what the item is written with. The item's own interface is a copy without a name, for its types are its own.
  std::optional<InterfaceId> implements{};
};

struct World {
  std::string name;
  PackageId package;
  Attributes attributes;
  std::vector<WorldItem> imports, exports;
};

struct Package {
  PackageName name;
  std::string docs;
  std::vector<InterfaceId> interfaces;
  std::vector<WorldId> worlds;
};

struct Graph {
  std::vector<TypeDef> types;
  std::vector<Interface> interfaces;
  std::vector<World> worlds;
  std::vector<Package> packages;
  PackageId root; // the package that was asked for

  TypeDef& type(TypeId id) { return types[id.value]; }
  const TypeDef& type(TypeId id) const { return types[id.value]; }
  Interface& interface(InterfaceId id) { return interfaces[id.value]; }
  const Interface& interface(InterfaceId id) const { return interfaces[id.value]; }
  World& world(WorldId id) { return worlds[id.value]; }
  const World& world(WorldId id) const { return worlds[id.value]; }
  Package& package(PackageId id) { return packages[id.value]; }
  const Package& package(PackageId id) const { return packages[id.value]; }

  TypeId add(TypeDef type);
  InterfaceId add(Interface interface);
  WorldId add(World world);
  PackageId add(Package package);

  std::optional<PackageId> find_package(const PackageName& name) const;
  std::optional<InterfaceId> find_interface(PackageId package, std::string_view name) const;
  std::optional<WorldId> find_world(PackageId package, std::string_view name) const;
  std::optional<TypeId> find_type(InterfaceId interface, std::string_view name) const;

  // "wasi:io/streams@0.2.0"; empty for one written inside a world.
  std::string interface_name(InterfaceId id) const;
  std::string world_name(WorldId id) const;
  // "[method]input-stream.read".
  std::string extern_name(const Function& function) const;
  // The name of an import or export of a component.
  std::string extern_name(const WorldItem& item) const;

  // A nameless copy with types of its own.
  InterfaceId copy(InterfaceId id);

  // What a chain of aliases ends in.
  Type resolve(Type type) const;
  TypeId resolve_resource(TypeId id) const;
  bool is_resource(TypeId id) const;
  // `use`: the type it names, of another owner.
  std::optional<TypeId> used(TypeId id) const;
  // Calls `visit(Type)` for each type that the definition is written with, in order; handles and their resources left out.
  template <class Visit> void for_each_part(const TypeDef& type, Visit visit) const;
  // Calls `visit(TypeId)` for each type named by this definition, anonymous types looked through.
  template <class Visit> void for_each_named(const TypeDef& type, Visit visit) const;
  template <class Visit> void for_each_named(Type type, Visit visit) const;
  template <class Visit> void for_each_named(const Function& function, Visit visit) const;
  // The interfaces that `id` uses types of, each once, in order.
  std::vector<InterfaceId> uses(InterfaceId id) const;
};

// Selects a world as the command line names it: "name" in the root package, "ns:pkg/name@1.2.3" in any, nothing: the root package's only
// one. Error: NotFound, with the names that there are.
base::Result<WorldId> select_world(const Graph& graph, std::string_view name);

template <class Visit> void Graph::for_each_named(Type type, Visit visit) const {
  const TypeId* id = std::get_if<TypeId>(&type);
  if (!id) return;
  const TypeDef& def = this->type(*id);
  if (def.name.empty()) for_each_named(def, visit);
  else visit(*id);
}

template <class Visit> void Graph::for_each_part(const TypeDef& type, Visit visit) const {
  auto maybe = [&](const std::optional<Type>& part) {
    if (part) visit(*part);
  };
  auto members = [&](const std::vector<Member>& list) {
    for (const Member& member : list) maybe(member.type);
  };
  if (const auto* kind = std::get_if<Alias>(&type.kind)) visit(kind->type);
  else if (const auto* kind = std::get_if<Record>(&type.kind)) members(kind->fields);
  else if (const auto* kind = std::get_if<Variant>(&type.kind)) members(kind->cases);
  else if (const auto* kind = std::get_if<Tuple>(&type.kind)) std::ranges::for_each(kind->types, visit);
  else if (const auto* kind = std::get_if<List>(&type.kind)) visit(kind->element);
  else if (const auto* kind = std::get_if<Map>(&type.kind)) visit(kind->key), visit(kind->value);
  else if (const auto* kind = std::get_if<Option>(&type.kind)) visit(kind->type);
  else if (const auto* kind = std::get_if<ResultType>(&type.kind)) maybe(kind->ok), maybe(kind->error);
  else if (const auto* kind = std::get_if<Stream>(&type.kind)) maybe(kind->element);
  else if (const auto* kind = std::get_if<Future>(&type.kind)) maybe(kind->element);
}

template <class Visit> void Graph::for_each_named(const TypeDef& type, Visit visit) const {
  for_each_part(type, [&](Type part) { for_each_named(part, visit); });
  if (const auto* own = std::get_if<Own>(&type.kind)) visit(own->resource);
  if (const auto* borrow = std::get_if<Borrow>(&type.kind)) visit(borrow->resource);
}

template <class Visit> void Graph::for_each_named(const Function& function, Visit visit) const {
  for (const Param& param : function.params) for_each_named(param.type, visit);
  if (function.result) for_each_named(*function.result, visit);
}

} // namespace cusp::wit
