// Index spaces while a component is flattened: what every index of a scope stands for, resolved. Private to component/.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "component/ast.h"

namespace cusp::component {

struct Environment;

struct FuncEntity {
  Func func;
  std::uint32_t type = 0; // TypeTable::funcs
};
// A component, or a component or instance type, with the scope it was written in.
struct ComponentEntity {
  std::shared_ptr<ast::Component> component;
  Environment* scope = nullptr;
};
struct ScopeEntity {
  std::shared_ptr<ast::Scope> declarations;
  bool is_instance = false;
  Environment* scope = nullptr;
};
struct FuncTypeEntity {
  std::uint32_t type = 0; // TypeTable::funcs
};
using TypeEntity = std::variant<ValType, FuncTypeEntity, ResourceIndex, ScopeEntity>;

struct InstanceEntity;
struct CoreModuleEntity {
  std::uint32_t module = 0;
};
using Entity = std::variant<FuncEntity, TypeEntity, ComponentEntity, std::shared_ptr<InstanceEntity>, CoreModuleEntity>;

struct InstanceEntity {
  std::vector<std::pair<std::string, Entity>> exports;
  const Entity* find(std::string_view name) const {
    for (const auto& [key, entity] : exports)
      if (key == name) return &entity;
    return nullptr;
  }
};

// An item of a core instance that bundles items: `func` for functions, `item` for the rest.
struct CoreExport {
  std::string name;
  ast::CoreSort sort{};
  CoreFunc func;
  CoreItem item;
};
// A real instance, or a bundle.
struct CoreInstanceEntity {
  std::optional<CoreInstanceIndex> instance;
  std::vector<CoreExport> bundle;
};

struct Environment {
  Environment* parent = nullptr;
  ComponentInstanceIndex instance;
  std::string path; // "component 2 > component 0", for messages
  std::vector<std::uint32_t> core_modules;
  std::vector<CoreInstanceEntity> core_instances;
  std::vector<CoreFunc> core_funcs;
  std::vector<CoreItem> core_tables, core_memories, core_globals, core_tags;
  std::vector<FuncEntity> funcs;
  std::vector<TypeEntity> types;
  std::vector<ComponentEntity> components;
  std::vector<std::shared_ptr<InstanceEntity>> instances;
};

} // namespace cusp::component
