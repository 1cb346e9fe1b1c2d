#include "component/validation.h"

namespace cusp::component {

using base::Result;
using wasm::TypeIndex;

Result<void> Validation::define(std::uint32_t module, const ast::Definition&) {
  auto type = types_.core.type_of(decoded_.modules[module].module);
  if (!type) return placed(std::move(type).error());
  scope_->core_modules.push_back(static_cast<std::uint32_t>(types_.modules.size()));
  types_.modules.push_back(std::move(*type));
  return {};
}

// ---- core types ----

Result<void> Validation::define(const ast::CoreTypeDecl& decl, const ast::Definition&) {
  if (const auto* module = std::get_if<ast::CoreModuleType>(&decl)) {
    types_.modules.push_back(CUSP_TRY(module_type(*module)));
    scope_->core_types.push_back({std::nullopt, static_cast<std::uint32_t>(types_.modules.size() - 1)});
    return {};
  }
  const auto& group = std::get<ast::CoreRecGroup>(decl);
  auto resolve = [&](TypeIndex index) {
    return index.value < scope_->core_types.size() ? scope_->core_types[index.value].type : std::nullopt;
  };
  auto first = types_.core.add_group(group.types, static_cast<std::uint32_t>(scope_->core_types.size()), resolve);
  if (!first) return placed(std::move(first).error());
  for (std::uint32_t i = 0; i < group.types.size(); ++i) scope_->core_types.push_back({TypeIndex(first->value + i), 0});
  return {};
}

Result<ModuleType> Validation::module_type(const ast::CoreModuleType& type) {
  ModuleType made;
  auto exports = std::make_shared<CoreExports>();
  std::vector<TypeIndex> space;
  auto resolve = [&](TypeIndex index) {
    return index.value < space.size() ? std::optional(space[index.value]) : std::nullopt;
  };
  for (const auto& declaration : type.declarations) {
    if (const auto* group = std::get_if<ast::CoreRecGroup>(&declaration)) {
      auto first = types_.core.add_group(group->types, static_cast<std::uint32_t>(space.size()), resolve);
      if (!first) return placed(std::move(first).error());
      for (std::uint32_t i = 0; i < group->types.size(); ++i) space.push_back(TypeIndex(first->value + i));
    } else if (const auto* alias = std::get_if<ast::CoreOuterAlias>(&declaration)) {
      if (alias->count == 0) {
        space.push_back(CUSP_TRY(at(space, alias->index, "type")));
        continue;
      }
      Scope* target = CUSP_TRY(outer(alias->count - 1)); // the module type is a scope too
      Scope::CoreType aliased = CUSP_TRY(at(target->core_types, alias->index, "type"));
      if (!aliased.type) return invalid("core module types cannot be aliased into a core module type");
      space.push_back(*aliased.type);
    } else if (const auto* import = std::get_if<ast::CoreImport>(&declaration)) {
      CoreExtern what = CUSP_TRY(core_extern(import->type, space));
      if (made.find_import(import->module, import->name))
        return invalid(fmt::format("duplicate import name `{}:{}` already defined", import->module, import->name));
      made.imports.push_back({std::string(import->module), std::string(import->name), what});
    } else {
      const auto& entry = std::get<ast::CoreExport>(declaration);
      CoreExtern what = CUSP_TRY(core_extern(entry.type, space));
      if (!exports->items.emplace(entry.name, what).second)
        return invalid(fmt::format("duplicate export name `{}` already defined", entry.name));
    }
  }
  made.exports = std::move(exports);
  return made;
}

Result<CoreExtern> Validation::core_extern(const ast::CoreExternType& type, const std::vector<TypeIndex>& space) {
  auto resolve = [&](TypeIndex index) {
    return index.value < space.size() ? std::optional(space[index.value]) : std::nullopt;
  };
  CoreExtern made{.kind = type.kind, .type = {}, .table = type.table, .memory = type.memory, .global = type.global};
  bool is_tag = type.kind == wasm::ExternKind::Tag;
  if (type.kind == wasm::ExternKind::Func || is_tag) {
    made.type = CUSP_TRY(at(space, type.type, "type"));
    const wasm::FuncType* func = types_.core.func(made.type);
    if (!func) return invalid(fmt::format("type index {} is not a function type", type.type));
    if (is_tag && !func->results.empty()) return invalid("invalid exception type: non-empty tag result type");
  }
  for (wasm::ValType* value : {&made.table.element, &made.global.type}) {
    auto resolved = CoreTypes::resolve(*value, resolve);
    if (!resolved)
      return invalid(fmt::format("unknown type {}: type index out of bounds", value->heap().index().value));
    *value = *resolved;
  }
  return made;
}

// ---- core instances ----

Result<void> Validation::define(const ast::CoreInstance& instance, const ast::Definition&) {
  scope_->core_instances.push_back(
      CUSP_TRY(instance.inline_exports ? bundle_core(instance) : instantiate_core(instance)));
  return {};
}

Result<std::shared_ptr<const CoreExports>> Validation::instantiate_core(const ast::CoreInstance& instance) {
  const ModuleType& module = types_.modules[CUSP_TRY(at(scope_->core_modules, instance.module, "module"))];
  std::map<std::string_view, const CoreExports*> arguments;
  for (const ast::CoreInstance::Item& item : instance.items) {
    auto given = CUSP_TRY(at(scope_->core_instances, item.index, "core instance"));
    if (!arguments.emplace(item.name, given.get()).second)
      return invalid(fmt::format("duplicate module instantiation argument named `{}`", item.name));
  }
  for (const ModuleType::Import& import : module.imports) {
    auto given = arguments.find(import.module);
    if (given == arguments.end())
      return invalid(fmt::format("missing module instantiation argument named `{}`", import.module));
    const CoreExtern* what = given->second->find(import.name);
    if (!what)
      return invalid(fmt::format("module instantiation argument `{}` does not export an item named `{}`", import.module,
                                 import.name));
    if (auto matched = types_.core.match(*what, import.what); !matched)
      return placed(std::move(matched).error(),
                    fmt::format("type mismatch for export `{}` of module instantiation argument `{}`", import.name,
                                import.module));
  }
  return module.exports;
}

Result<CoreExtern> Validation::core_extern_at(ast::CoreSort sort, std::uint32_t index) const {
  CoreExtern what{.kind = static_cast<wasm::ExternKind>(sort), .type = {}, .table = {}, .memory = {}, .global = {}};
  switch (what.kind) {
  case wasm::ExternKind::Func: what.type = CUSP_TRY(at(scope_->core_funcs, index, "core function")); break;
  case wasm::ExternKind::Table: what.table = CUSP_TRY(at(scope_->core_tables, index, "core table")); break;
  case wasm::ExternKind::Memory: what.memory = CUSP_TRY(at(scope_->core_memories, index, "core memory")); break;
  case wasm::ExternKind::Global: what.global = CUSP_TRY(at(scope_->core_globals, index, "core global")); break;
  case wasm::ExternKind::Tag: what.type = CUSP_TRY(at(scope_->core_tags, index, "core tag")); break;
  }
  return what;
}

Result<std::shared_ptr<const CoreExports>> Validation::bundle_core(const ast::CoreInstance& instance) {
  auto exports = std::make_shared<CoreExports>();
  for (const ast::CoreInstance::Item& item : instance.items) {
    CoreExtern what = CUSP_TRY(core_extern_at(item.sort, item.index));
    if (!exports->items.emplace(item.name, what).second)
      return invalid(fmt::format("duplicate instantiation export name `{}` already defined", item.name));
  }
  return exports;
}

Result<void> Validation::alias_core_export(const ast::Alias& alias) {
  auto instance = CUSP_TRY(at(scope_->core_instances, alias.index, "core instance"));
  const CoreExtern* what = instance->find(alias.name);
  if (!what) return invalid(fmt::format("core instance {} has no export named `{}`", alias.index, alias.name));
  if (what->kind != static_cast<wasm::ExternKind>(alias.core))
    return invalid(fmt::format("export `{}` for core instance {} is not a {}", alias.name, alias.index,
                               core_kind_name(static_cast<wasm::ExternKind>(alias.core))));
  switch (what->kind) {
  case wasm::ExternKind::Func: scope_->core_funcs.push_back(what->type); break;
  case wasm::ExternKind::Table: scope_->core_tables.push_back(what->table); break;
  case wasm::ExternKind::Memory: scope_->core_memories.push_back(what->memory); break;
  case wasm::ExternKind::Global: scope_->core_globals.push_back(what->global); break;
  case wasm::ExternKind::Tag: scope_->core_tags.push_back(what->type); break;
  }
  return {};
}

} // namespace cusp::component
