#include "component/flattening.h"

#include "component/limits.h"

namespace cusp::component {

using base::ErrorCode;
using base::Result;

Result<LinkPlan> flatten(const Decoded& decoded) { return Flattening(decoded).run(); }

namespace {

// The entity as a type shows it: an instance without the exports that its type does not tell of.
Entity narrowed(const Entity& entity, const ast::Shape* shape) {
  const auto* instance = std::get_if<std::shared_ptr<InstanceEntity>>(&entity);
  if (!instance || !shape) return entity;
  auto result = std::make_shared<InstanceEntity>();
  for (const auto& [name, inner] : shape->exports)
    if (const Entity* found = (*instance)->find(name))
      result->exports.emplace_back(name, narrowed(*found, inner.get()));
  return result;
}

} // namespace

Result<LinkPlan> Flattening::run() {
  plan_.component_instances = 0;
  auto exports = CUSP_TRY(instantiate({decoded_.root, nullptr}, nullptr, "", 0));
  for (const auto& [name, entity] : exports->exports) export_root("", name, entity);
  prune_imports();
  return std::move(plan_);
}

std::unexpected<base::Error> Flattening::fail(ErrorCode code, std::string message) {
  if (env_ && !env_->path.empty()) message = env_->path + ": " + message;
  return base::fail_at(code, offset_, std::move(message));
}

Environment* Flattening::new_environment(Environment* parent, std::string path) {
  environments_.emplace_back();
  Environment* env = &environments_.back();
  env->parent = parent;
  env->path = std::move(path);
  if (parent) env->instance = parent->instance;
  return env;
}

Result<std::shared_ptr<InstanceEntity>> Flattening::instantiate(const ComponentEntity& component,
                                                                const Arguments* arguments, std::string path,
                                                                unsigned depth) {
  if (depth > kMaxNesting) return fail(ErrorCode::LimitExceeded, "components instantiate each other too deeply");
  if (plan_.component_instances == kMaxInstances)
    return fail(ErrorCode::LimitExceeded, fmt::format("the component makes more than {} instances", kMaxInstances));
  Environment* outer = env_;
  Environment* env = new_environment(component.scope, std::move(path));
  env->instance = ComponentInstanceIndex(plan_.component_instances++);
  plan_.component_parents.push_back(outer ? outer->instance.value : 0);
  auto result = std::make_shared<InstanceEntity>();
  Frame frame{arguments, *result, depth};
  for (const ast::Definition& definition : component.component->definitions) {
    env_ = env;
    offset_ = definition.offset;
    if (++executed_ > kMaxExecuted) return fail(ErrorCode::LimitExceeded, "the component instantiates too much");
    CUSP_TRY(std::visit([&](const auto& what) { return define(what, frame); }, definition.what));
  }
  env_ = outer;
  return result;
}

Result<void> Flattening::define(std::uint32_t module, Frame&) {
  env_->core_modules.push_back(module);
  return {};
}
Result<void> Flattening::define(const std::shared_ptr<ast::Component>& component, Frame&) {
  env_->components.push_back({component, env_});
  return {};
}
Result<void> Flattening::define(const ast::Start&, Frame&) {
  return fail(ErrorCode::Unsupported, "component start functions cannot be run");
}
Result<void> Flattening::define(const ast::Value&, Frame&) {
  return fail(ErrorCode::Unsupported, "value definitions cannot be run");
}
Result<void> Flattening::define(const ast::TypeDecl& decl, Frame&) {
  env_->types.push_back(CUSP_TRY(evaluate(decl)));
  return {};
}
Result<void> Flattening::define(const ast::Alias& alias, Frame&) { return define_alias(alias); }

// ---- core instances ----

Result<void> Flattening::bundle_core(const ast::CoreInstance& instance) {
  CoreInstanceEntity entity;
  for (const auto& item : instance.items) {
    CoreExport entry{std::string(item.name), item.sort, {}, {}};
    CUSP_TRY(core_item(item.sort, item.index, entry));
    entity.bundle.push_back(std::move(entry));
  }
  env_->core_instances.push_back(std::move(entity));
  return {};
}

Result<void> Flattening::define(const ast::CoreInstance& instance, Frame&) {
  if (instance.inline_exports) return bundle_core(instance);
  std::uint32_t module = CUSP_TRY(at(env_->core_modules, instance.module, "core module"));
  InstantiateCore step;
  step.module = module;
  for (const wasm::Import& import : decoded_.modules[module].module.imports) {
    const CoreInstanceEntity* given = nullptr;
    for (const auto& item : instance.items)
      if (item.name == import.module && item.index < env_->core_instances.size())
        given = &env_->core_instances[item.index];
    if (!given) return fail(ErrorCode::Internal, fmt::format("nothing is given for `{}`", import.module));
    CoreExport entry = CUSP_TRY(core_export(*given, import.name));
    if (entry.sort != ast::CoreSort::Func) step.arguments.push_back(entry.item);
    else std::visit([&](const auto& func) { step.arguments.push_back(func); }, entry.func);
  }
  step.instance = CoreInstanceIndex(static_cast<std::uint32_t>(plan_.core_instances.size()));
  plan_.core_instances.push_back(module);
  env_->core_instances.push_back({step.instance, {}});
  plan_.steps.push_back(std::move(step));
  return {};
}

Result<void> Flattening::core_item(ast::CoreSort sort, std::uint32_t index, CoreExport& entry) {
  switch (sort) {
  case ast::CoreSort::Func: entry.func = CUSP_TRY(at(env_->core_funcs, index, "core function")); return {};
  case ast::CoreSort::Table: entry.item = CUSP_TRY(at(env_->core_tables, index, "core table")); return {};
  case ast::CoreSort::Memory: entry.item = CUSP_TRY(at(env_->core_memories, index, "core memory")); return {};
  case ast::CoreSort::Global: entry.item = CUSP_TRY(at(env_->core_globals, index, "core global")); return {};
  default: entry.item = CUSP_TRY(at(env_->core_tags, index, "core tag")); return {};
  }
}

// An export by name, of a real instance or of a bundle.
Result<CoreExport> Flattening::core_export(const CoreInstanceEntity& instance, std::string_view name) {
  if (!instance.instance) {
    for (const CoreExport& entry : instance.bundle)
      if (entry.name == name) return entry;
    return fail(ErrorCode::Internal, fmt::format("no core export `{}`", name));
  }
  const wasm::Module& module = decoded_.modules[plan_.core_instances[instance.instance->value]].module;
  const wasm::Export* found = module.find_export(name);
  if (!found) return fail(ErrorCode::Internal, fmt::format("no core export `{}`", name));
  CoreItem item{*instance.instance, found->index};
  return CoreExport{std::string(name), static_cast<ast::CoreSort>(found->kind), item, item};
}

// ---- aliases ----

Result<void> Flattening::define_alias(const ast::Alias& alias) {
  switch (alias.kind) {
  case ast::Alias::Kind::Export: {
    auto instance = CUSP_TRY(at(env_->instances, alias.index, "instance"));
    const Entity* found = instance->find(alias.name);
    if (!found)
      return fail(ErrorCode::Internal, fmt::format("instance {} has no export `{}`", alias.index, alias.name));
    push(*found);
    return {};
  }
  case ast::Alias::Kind::CoreExport: {
    CoreInstanceEntity instance = CUSP_TRY(at(env_->core_instances, alias.index, "core instance"));
    push_core(CUSP_TRY(core_export(instance, alias.name)));
    return {};
  }
  case ast::Alias::Kind::Outer: break;
  }
  return alias_outer(alias);
}

Result<void> Flattening::alias_outer(const ast::Alias& alias) {
  Environment* env = env_;
  for (std::uint32_t up = alias.count; up != 0 && env; --up) env = env->parent;
  if (!env) return fail(ErrorCode::Internal, fmt::format("there is no scope {} further out", alias.count));
  if (alias.sort == ast::Sort::Type) env_->types.push_back(CUSP_TRY(at(env->types, alias.index, "outer type")));
  else if (alias.sort == ast::Sort::Component)
    env_->components.push_back(CUSP_TRY(at(env->components, alias.index, "outer component")));
  else if (alias.core == ast::CoreSort::Module)
    env_->core_modules.push_back(CUSP_TRY(at(env->core_modules, alias.index, "outer core module")));
  return {};
}

void Flattening::push_core(const CoreExport& entry) {
  switch (entry.sort) {
  case ast::CoreSort::Func: env_->core_funcs.push_back(entry.func); break;
  case ast::CoreSort::Table: env_->core_tables.push_back(entry.item); break;
  case ast::CoreSort::Memory: env_->core_memories.push_back(entry.item); break;
  case ast::CoreSort::Global: env_->core_globals.push_back(entry.item); break;
  default: env_->core_tags.push_back(entry.item); break;
  }
}

// A new index in the space of the entity's sort.
void Flattening::push(const Entity& entity) {
  if (const auto* func = std::get_if<FuncEntity>(&entity)) env_->funcs.push_back(*func);
  else if (const auto* type = std::get_if<TypeEntity>(&entity)) env_->types.push_back(*type);
  else if (const auto* component = std::get_if<ComponentEntity>(&entity)) env_->components.push_back(*component);
  else if (const auto* module = std::get_if<CoreModuleEntity>(&entity)) env_->core_modules.push_back(module->module);
  else env_->instances.push_back(std::get<std::shared_ptr<InstanceEntity>>(entity));
}

Result<Entity> Flattening::entity_at(ast::SortIndex what) {
  switch (what.sort) {
  case ast::Sort::Core: return Entity(CoreModuleEntity{CUSP_TRY(at(env_->core_modules, what.index, "core module"))});
  case ast::Sort::Func: return Entity(CUSP_TRY(at(env_->funcs, what.index, "function")));
  case ast::Sort::Type: return Entity(CUSP_TRY(at(env_->types, what.index, "type")));
  case ast::Sort::Component: return Entity(CUSP_TRY(at(env_->components, what.index, "component")));
  case ast::Sort::Instance: return Entity(CUSP_TRY(at(env_->instances, what.index, "instance")));
  case ast::Sort::Value: break;
  }
  return fail(ErrorCode::Unsupported, "values cannot be passed or exported");
}

// ---- instances, imports, exports ----

Result<void> Flattening::define(const ast::Instance& instance, Frame& frame) {
  Arguments items;
  for (const auto& item : instance.items) items.emplace_back(item.name.text, CUSP_TRY(entity_at(item.what)));
  if (instance.inline_exports) {
    env_->instances.push_back(std::make_shared<InstanceEntity>(InstanceEntity{std::move(items)}));
    return {};
  }
  ComponentEntity component = CUSP_TRY(at(env_->components, instance.component, "component"));
  std::string path =
      fmt::format("{}{}instance {}", env_->path, env_->path.empty() ? "" : " > ", env_->instances.size());
  Environment* here = env_;
  auto made = CUSP_TRY(instantiate(component, &items, std::move(path), frame.depth + 1));
  here->instances.push_back(std::move(made));
  return {};
}

Result<void> Flattening::define(const ast::Import& import, Frame& frame) {
  if (!frame.arguments) {
    push(CUSP_TRY(imported(import.desc, {}, std::string(import.name.text))));
    return {};
  }
  for (const auto& [name, entity] : *frame.arguments) {
    if (name != import.name.text) continue;
    push(narrowed(entity, import.shape.get()));
    return {};
  }
  return fail(ErrorCode::Internal, fmt::format("nothing is given for import `{}`", import.name.text));
}

// What the host gives for an import (or an export of an imported instance type).
Result<Entity> Flattening::imported(const ast::ExternDesc& desc, const std::string& interface,
                                    const std::string& name) {
  switch (desc.kind) {
  case ast::ExternKind::Func: {
    std::uint32_t type = CUSP_TRY(func_type_at(desc.index));
    HostImportIndex index(static_cast<std::uint32_t>(plan_.host_imports.size()));
    plan_.host_imports.push_back({interface, name, type});
    return Entity(FuncEntity{index, type});
  }
  case ast::ExternKind::TypeEq: return Entity(CUSP_TRY(at(env_->types, desc.index, "type")));
  case ast::ExternKind::TypeSub: {
    ResourceIndex index(static_cast<std::uint32_t>(plan_.resources.size()));
    plan_.resources.push_back(
        {.name = name, .interface = interface, .imported = true, .instance = env_->instance, .destructor = {}});
    return Entity(TypeEntity(index));
  }
  case ast::ExternKind::Instance: {
    TypeEntity type = CUSP_TRY(at(env_->types, desc.index, "type"));
    const auto* scope = std::get_if<ScopeEntity>(&type);
    if (!scope) return fail(ErrorCode::Internal, fmt::format("type {} is not an instance type", desc.index));
    return Entity(CUSP_TRY(imported_instance(*scope, interface.empty() ? name : interface + "/" + name)));
  }
  case ast::ExternKind::Component:
  case ast::ExternKind::CoreModule:
    return fail(ErrorCode::Unsupported,
                fmt::format("import `{}`: the host does not give components or core modules", name));
  case ast::ExternKind::Value: break;
  }
  return fail(ErrorCode::Unsupported, fmt::format("import `{}`: the host does not give values", name));
}

Result<std::shared_ptr<InstanceEntity>> Flattening::imported_instance(const ScopeEntity& type,
                                                                      const std::string& interface) {
  Environment* outer = env_;
  env_ = new_environment(type.scope, outer->path);
  env_->instance = outer->instance;
  auto result = std::make_shared<InstanceEntity>();
  for (const ast::Definition& definition : type.declarations->definitions) {
    offset_ = definition.offset;
    if (++executed_ > kMaxExecuted) return fail(ErrorCode::LimitExceeded, "the component imports too much");
    if (const auto* decl = std::get_if<ast::TypeDecl>(&definition.what))
      env_->types.push_back(CUSP_TRY(evaluate(*decl)));
    else if (const auto* alias = std::get_if<ast::Alias>(&definition.what)) CUSP_TRY(define_alias(*alias));
    else if (const auto* entry = std::get_if<ast::Export>(&definition.what)) {
      Entity entity = CUSP_TRY(imported(*entry->desc, interface, std::string(entry->name.text)));
      push(entity);
      result->exports.emplace_back(entry->name.text, std::move(entity));
    }
  }
  env_ = outer;
  return result;
}

Result<void> Flattening::define(const ast::Export& entry, Frame& frame) {
  Entity entity = narrowed(CUSP_TRY(entity_at(entry.what)), entry.shape.get());
  push(entity);
  frame.exports.exports.emplace_back(entry.name.text, std::move(entity));
  return {};
}

void Flattening::export_root(const std::string& interface, const std::string& name, const Entity& entity) {
  if (const auto* func = std::get_if<FuncEntity>(&entity)) {
    if (const auto* lift = std::get_if<LiftIndex>(&func->func))
      plan_.exports.push_back({interface, name, ExportedFunc{*lift}});
    else plan_.exports.push_back({interface, name, ExportedHostFunc{std::get<HostImportIndex>(func->func)}});
  } else if (const auto* type = std::get_if<TypeEntity>(&entity)) {
    ExportedType exported;
    if (const auto* val = std::get_if<ValType>(type)) exported.type = *val;
    if (const auto* resource = std::get_if<ResourceIndex>(type)) exported.resource = *resource;
    plan_.exports.push_back({interface, name, exported});
  } else if (const auto* instance = std::get_if<std::shared_ptr<InstanceEntity>>(&entity)) {
    for (const auto& [item, inner] : (*instance)->exports)
      export_root(interface.empty() ? name : interface + "/" + name, item, inner);
  }
}

// Host functions that nothing calls or exports need not be given.
void Flattening::prune_imports() {
  std::vector<HostImportIndex> kept(plan_.host_imports.size());
  std::vector<HostImport> imports;
  auto keep = [&](HostImportIndex& index) {
    if (kept[index.value].is_none()) {
      kept[index.value] = HostImportIndex(static_cast<std::uint32_t>(imports.size()));
      imports.push_back(plan_.host_imports[index.value]);
    }
    index = kept[index.value];
  };
  for (Trampoline& trampoline : plan_.trampolines)
    if (auto* lower = std::get_if<Lower>(&trampoline.kind))
      if (auto* import = std::get_if<HostImportIndex>(&lower->callee)) keep(*import);
  for (Export& entry : plan_.exports)
    if (auto* func = std::get_if<ExportedHostFunc>(&entry.item)) keep(func->import);
  plan_.host_imports = std::move(imports);
}

} // namespace cusp::component
