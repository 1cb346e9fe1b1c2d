// The types of components while they are validated: abstract, with resources as variables. Nodes never change once made; instantiation
// and import make new ones by substitution. The concrete types of a plan (types.h) are made later, by flattening.
//
// A TypeRef says which type, and through which import or export it is seen: `name` tells an imported or exported type from the one that
// it equals, because functions may only mention types that have a name outside. Private to component/. Spec: Explainer.md, "Type
// Checking", "External Visibility of Types".
#pragma once

#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "component/core_types.h"
#include "component/layout.h"

namespace cusp::component::typing {

using ResourceId = base::Index<struct TypingResourceTag>; // a resource that is defined, imported or abstract

struct TypeRef {
  enum class Kind : std::uint8_t { Primitive, Defined, Resource, Func, Instance, Component };
  Kind kind = Kind::Primitive;
  std::uint32_t index = 0; // Primitive: a TypeKind; Resource: a ResourceId; otherwise a node
  std::uint32_t name = 0;  // 0: as it was defined
  static TypeRef primitive(TypeKind kind) { return {Kind::Primitive, static_cast<std::uint32_t>(kind), 0}; }
  static TypeRef resource(ResourceId id) { return {Kind::Resource, id.value, 0}; }
  TypeKind primitive_kind() const { return static_cast<TypeKind>(index); } // REQUIRES: Primitive
  ResourceId resource_id() const { return ResourceId(index); }             // REQUIRES: Resource
  bool operator==(const TypeRef&) const = default;
};
struct TypeRefHash {
  std::size_t operator()(const TypeRef& type) const {
    return std::hash<std::uint64_t>()((std::uint64_t{type.index} << 32 | type.name) ^
                                      std::uint64_t{static_cast<std::uint8_t>(type.kind)} << 60);
  }
};
std::string_view kind_name(TypeRef type);       // "defined type"
std::string_view type_kind_name(TypeKind kind); // "fixed-length list"

using TypeRefSet = std::unordered_set<TypeRef, TypeRefHash>;

// What a type weighs when it is written out as a tree, and what it holds.
struct Info {
  std::uint32_t size = 1;
  bool has_borrow = false;
};

struct DefinedType {
  struct Label {
    std::string name;
    std::optional<TypeRef> type;
  };
  TypeKind kind{};
  std::vector<Label> labels;
  std::optional<TypeRef> element, error;
  std::uint32_t length = 0;
  TypeRef resource; // Own, Borrow
  Info info;
  std::uint32_t depth = 1;
  bool needs_memory = false; // holds a string, list or map
  ValType abi;               // in the validator's TypeTable: its layout. Resources are numbered as ResourceIds
  // Calls `f` with every TypeRef in it, the resource of a handle included.
  template <class Self, class F> static void each(Self& self, F f) {
    for (auto& label : self.labels)
      if (label.type) f(*label.type);
    if (self.element) f(*self.element);
    if (self.error) f(*self.error);
    if (self.kind == TypeKind::Own || self.kind == TypeKind::Borrow) f(self.resource);
  }
};

struct FuncType {
  std::vector<std::pair<std::string, TypeRef>> params;
  std::optional<TypeRef> result;
  bool is_async = false;
  Info info;
};

struct Entity {
  enum class Kind : std::uint8_t { Module, Func, Value, Type, Instance, Component };
  Kind kind{};
  TypeRef type;             // Type: the type that is referred to
  TypeRef created;          // Type: the type as the new name presents it
  std::uint32_t module = 0; // Module: Types::modules
};
std::string_view kind_name(const Entity& entity);

// Names in order, looked up often and shared by all instances of one type.
class NameList {
public:
  std::optional<std::uint32_t> find(std::string_view name) const {
    auto it = index_.find(name);
    return it == index_.end() ? std::nullopt : std::optional(it->second);
  }
  void add(std::string name) {
    index_.emplace(name, static_cast<std::uint32_t>(names_.size()));
    names_.push_back(std::move(name));
  }
  const std::string& operator[](std::size_t i) const { return names_[i]; }
  std::size_t size() const { return names_.size(); }

private:
  std::vector<std::string> names_;
  std::map<std::string, std::uint32_t, std::less<>> index_;
};
struct Items {
  std::shared_ptr<const NameList> names = std::make_shared<NameList>();
  std::vector<Entity> entities; // as many
  const Entity* find(std::string_view name) const {
    auto index = names->find(name);
    return index ? &entities[*index] : nullptr;
  }
};

// Where a resource is found: an index into the items, then into those of the instance there, and so on.
using Path = std::vector<std::uint32_t>;
using ResourcePaths = std::vector<std::pair<ResourceId, Path>>;

struct InstanceType {
  Items exports;
  std::vector<ResourceId> defined; // variables of an instance type; an instance that exists has none
  ResourcePaths explicit_;         // exported, in order
  Info info;
};
struct ComponentType {
  Items imports, exports;
  ResourcePaths imported, defined, explicit_;
  Info info;
};

// Resources and types to replace.
struct Mapping {
  std::map<ResourceId, ResourceId> resources;
  std::unordered_map<TypeRef, TypeRef, TypeRefHash> types; // also remembers what was done
  ResourceId of(ResourceId id) const {
    auto it = resources.find(id);
    return it == resources.end() ? id : it->second;
  }
};

class Types {
public:
  CoreTypes core;
  std::vector<ModuleType> modules;

  ResourceId new_resource() { return ResourceId(next_resource_++); }
  // The same type under a name of its own.
  TypeRef named(TypeRef type) { return {type.kind, type.index, next_name_++}; }

  // Completes and adds. Nothing: too large for the canonical ABI.
  std::optional<TypeRef> add(DefinedType type);
  TypeRef add(FuncType type);
  TypeRef add(InstanceType type);
  TypeRef add(ComponentType type);

  const DefinedType& defined(TypeRef type) const { return defined_[type.index]; }
  const FuncType& func(TypeRef type) const { return funcs_[type.index]; }
  const InstanceType& instance(TypeRef type) const { return instances_[type.index]; }
  const ComponentType& component(TypeRef type) const { return components_[type.index]; }

  Info info(TypeRef type) const;
  Info info(const Entity& entity) const;
  bool needs_memory(TypeRef type) const {
    return type.kind == TypeRef::Kind::Defined ? defined(type).needs_memory
                                               : type == TypeRef::primitive(TypeKind::String);
  }
  ValType abi(TypeRef type) const; // REQUIRES: a value type
  const TypeTable& layouts() const { return table_; }
  // Follows definitions that are a primitive type by another index.
  TypeKind kind_of(TypeRef type) const;

  TypeRef substitute(TypeRef type, Mapping& mapping);
  Entity substitute(Entity entity, Mapping& mapping);
  static void substitute(ResourcePaths& paths, const Mapping& mapping);

  // Resources that `type` mentions and does not bind.
  void free_resources(TypeRef type, std::set<ResourceId>& out) const;
  void free_resources(const Entity& entity, std::set<ResourceId>& out) const;

  // Everything that needs a name outside has one in `names`: of what is inside `type`, or of a value type itself too.
  bool is_named_inside(TypeRef type, const TypeRefSet& names) const;
  bool is_named(TypeRef type, const TypeRefSet& names) const;

  // Nodes made after a mark can be forgotten: those of one comparison.
  struct Mark {
    std::size_t defined, funcs, instances, components;
  };
  Mark mark() const { return {defined_.size(), funcs_.size(), instances_.size(), components_.size()}; }
  void forget(const Mark& mark);

private:
  std::deque<DefinedType> defined_;
  std::deque<FuncType> funcs_;
  std::deque<InstanceType> instances_;
  std::deque<ComponentType> components_;
  std::uint32_t next_resource_ = 0, next_name_ = 1;
  TypeTable table_;
  TypeBuilder builder_{table_};
};

// Adds `part` to `whole`. False: the type is larger than kMaxTypeSize.
bool combine(Info& whole, const Info& part);

} // namespace cusp::component::typing
