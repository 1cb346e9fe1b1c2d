// What a component says about itself: the types of its imports and exports, with the names that types are exported under. Made by running the
// definitions of the component for their types alone; what is instantiated inside is followed as far as exports need it.
// Spec: component-model Explainer.md "Type Definitions", "Import and Export Definitions".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/index.h"
#include "component/decoder.h"

namespace cusp::compose {

using NodeId = base::Index<struct ComponentTypeNodeTag>; // TypeArena::nodes

struct ValueType {
  std::optional<component::TypeKind> primitive;
  NodeId node;
};
struct LabelType {
  std::string name;
  std::optional<ValueType> type;
};
struct ValueNode {
  component::TypeKind kind{};
  std::vector<LabelType> labels;
  std::optional<ValueType> element, error;
  std::uint32_t length = 0;
  NodeId resource; // of a handle
};
struct FunctionNode {
  std::vector<LabelType> params;
  std::optional<ValueType> result;
  bool is_async = false;
};
struct ResourceNode {};
// A type as an import or export names it. A resource that nobody defined yet: no target.
struct NamedNode {
  std::string name;
  NodeId target;
};
using Node = std::variant<ValueNode, FunctionNode, ResourceNode, NamedNode>;

struct InstanceType;
struct ComponentType;
struct ModuleItem {}; // a core module
struct TypeItem {
  NodeId type;
};
struct FunctionItem {
  NodeId type;
};
// An exported definition of a component or instance type, as WIT packages have them.
struct DefinitionItem {
  std::shared_ptr<ComponentType> component;
};
using Item = std::variant<FunctionItem, TypeItem, DefinitionItem, ModuleItem, std::shared_ptr<InstanceType>,
                          std::shared_ptr<ComponentType>>;

struct Extern {
  std::string name;
  Item item;
  std::string implements, external_id; // empty: none
};
struct InstanceType {
  std::vector<Extern> exports;
  const Item* find(std::string_view name) const;
};
struct ComponentType {
  std::vector<Extern> imports, exports;
};

struct TypeArena {
  std::vector<Node> nodes;
  NodeId add(Node node);
  const Node& operator[](NodeId id) const { return nodes[id.value]; }
};

struct DecodedType {
  TypeArena arena;
  ComponentType component;
};

// Error: Invalid with the byte offset; Unsupported; LimitExceeded.
base::Result<DecodedType> component_type(const component::Decoded& decoded);

} // namespace cusp::compose
