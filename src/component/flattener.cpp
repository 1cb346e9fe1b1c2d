#include "component/flattener.h"

#include <deque>

#include <fmt/format.h>

#include "component/environment.h"
#include "component/layout.h"

namespace cusp::component {

using base::ErrorCode;
using base::Result;

namespace {

constexpr unsigned kMaxDepth = 100;
constexpr std::size_t kMaxDefinitions = 2'000'000; // executed, over all instantiations

using Arguments = std::vector<std::pair<std::string, Entity>>;

class Flattener {
public:
  explicit Flattener(const Decoded& decoded) : decoded_(decoded) {}

  Result<LinkPlan> run() {
    plan_.component_instances = 0;
    auto exports = CUSP_TRY(instantiate({decoded_.root, nullptr}, nullptr, "", 0));
    for (const auto& [name, entity] : exports->exports) CUSP_TRY(export_root("", name, entity));
    prune_imports();
    return std::move(plan_);
  }

private:
  std::unexpected<base::Error> fail(ErrorCode code, std::string message) {
    if (env_ && !env_->path.empty()) message = env_->path + ": " + message;
    return base::fail_at(code, offset_, std::move(message));
  }
  std::unexpected<base::Error> invalid(std::string message) { return fail(ErrorCode::Invalid, std::move(message)); }

  template <class T> Result<T> at(const std::vector<T>& space, std::uint32_t index, std::string_view what) {
    if (index >= space.size()) return invalid(fmt::format("there is no {} {}", what, index));
    return space[index];
  }

  Environment* new_environment(Environment* parent, std::string path) {
    environments_.emplace_back();
    Environment* env = &environments_.back();
    env->parent = parent;
    env->path = std::move(path);
    if (parent) env->instance = parent->instance;
    return env;
  }

  // Runs every definition of a component in an environment of its own. `arguments` is null for the root, whose imports are the host's.
  Result<std::shared_ptr<InstanceEntity>> instantiate(const ComponentEntity& component, const Arguments* arguments,
                                                      std::string path, unsigned depth) {
    if (depth > kMaxDepth) return fail(ErrorCode::LimitExceeded, "components instantiate each other too deeply");
    Environment* outer = env_;
    Environment* env = new_environment(component.scope, std::move(path));
    env->instance = ComponentInstanceIndex(plan_.component_instances++);
    plan_.component_parents.push_back(outer ? outer->instance.value : 0);
    auto result = std::make_shared<InstanceEntity>();
    for (const ast::Definition& definition : component.component->definitions) {
      env_ = env;
      offset_ = definition.offset;
      if (++executed_ > kMaxDefinitions)
        return fail(ErrorCode::LimitExceeded, "the component has too many instantiations");
      CUSP_TRY(std::visit([&](const auto& what) { return define(what, arguments, *result, depth); }, definition.what));
    }
    env_ = outer;
    return result;
  }

  Result<void> define(std::uint32_t module, const Arguments*, InstanceEntity&, unsigned) {
    env_->core_modules.push_back(module);
    return {};
  }
  Result<void> define(const ast::CoreTypeDecl&, const Arguments*, InstanceEntity&, unsigned) {
    ++env_->core_types;
    return {};
  }
  Result<void> define(const std::shared_ptr<ast::Component>& component, const Arguments*, InstanceEntity&, unsigned) {
    env_->components.push_back({component, env_});
    return {};
  }
  Result<void> define(const ast::Start&, const Arguments*, InstanceEntity&, unsigned) {
    return fail(ErrorCode::Unsupported, "component start functions are not supported");
  }
  Result<void> define(const ast::TypeDecl& decl, const Arguments*, InstanceEntity&, unsigned) {
    env_->types.push_back(CUSP_TRY(evaluate(decl)));
    return {};
  }
  Result<void> define(const ast::Alias& alias, const Arguments*, InstanceEntity&, unsigned) {
    return define_alias(alias);
  }

  // ---- core instances ----

  Result<void> define(const ast::CoreInstance& instance, const Arguments*, InstanceEntity&, unsigned) {
    if (instance.inline_exports) {
      CoreInstanceEntity entity;
      for (const auto& item : instance.items) {
        CoreExport entry{std::string(item.name), item.sort, {}, {}};
        CUSP_TRY(core_item(item.sort, item.index, entry));
        entity.bundle.push_back(std::move(entry));
      }
      env_->core_instances.push_back(std::move(entity));
      return {};
    }
    std::uint32_t module = CUSP_TRY(at(env_->core_modules, instance.module, "core module"));
    InstantiateCore step;
    step.module = module;
    for (const wasm::Import& import : decoded_.modules[module].module.imports) {
      const CoreInstanceEntity* given = nullptr;
      for (const auto& item : instance.items)
        if (item.name == import.module) {
          if (item.index >= env_->core_instances.size())
            return invalid(fmt::format("there is no core instance {}", item.index));
          given = &env_->core_instances[item.index];
        }
      if (!given) return invalid(fmt::format("missing module instantiation argument `{}`", import.module));
      CoreExport entry = CUSP_TRY(core_export(*given, import.name));
      if (entry.sort != core_sort(import.kind))
        return invalid(
            fmt::format("core import `{}::{}` is given an item of another kind", import.module, import.name));
      CUSP_TRY(check_core_import(import, decoded_.modules[module].module, entry));
      if (entry.sort != ast::CoreSort::Func) step.arguments.push_back(entry.item);
      else std::visit([&](const auto& func) { step.arguments.push_back(func); }, entry.func);
    }
    step.instance = CoreInstanceIndex(static_cast<std::uint32_t>(plan_.core_instances.size()));
    plan_.core_instances.push_back(module);
    env_->core_instances.push_back({step.instance, {}});
    plan_.steps.push_back(std::move(step));
    return {};
  }

  static ast::CoreSort core_sort(wasm::ExternKind kind) { return static_cast<ast::CoreSort>(kind); }

  Result<void> core_item(ast::CoreSort sort, std::uint32_t index, CoreExport& entry) {
    switch (sort) {
    case ast::CoreSort::Func: entry.func = CUSP_TRY(at(env_->core_funcs, index, "core function")); return {};
    case ast::CoreSort::Table: entry.item = CUSP_TRY(at(env_->core_tables, index, "core table")); return {};
    case ast::CoreSort::Memory: entry.item = CUSP_TRY(at(env_->core_memories, index, "core memory")); return {};
    case ast::CoreSort::Global: entry.item = CUSP_TRY(at(env_->core_globals, index, "core global")); return {};
    case ast::CoreSort::Tag: entry.item = CUSP_TRY(at(env_->core_tags, index, "core tag")); return {};
    default: return invalid("a core instance cannot hold an item of this sort");
    }
  }

  // An export by name, of a real instance or of a bundle.
  Result<CoreExport> core_export(const CoreInstanceEntity& instance, std::string_view name) {
    if (!instance.instance) {
      for (const CoreExport& entry : instance.bundle)
        if (entry.name == name) return entry;
      return invalid(fmt::format("no core export `{}`", name));
    }
    const wasm::Module& module = decoded_.modules[plan_.core_instances[instance.instance->value]].module;
    const wasm::Export* found = module.find_export(name);
    if (!found) return invalid(fmt::format("no core export `{}`", name));
    CoreItem item{*instance.instance, found->index};
    return CoreExport{std::string(name), core_sort(found->kind), item, item};
  }

  // Function types of both sides, where both are known. Memory and table limits are checked when the slot is made.
  Result<void> check_core_import(const wasm::Import& import, const wasm::Module& importer, const CoreExport& entry) {
    if (entry.sort != ast::CoreSort::Func) return {};
    const wasm::FuncType& wanted = importer.func_type(wasm::FuncIndex(import.index));
    if (auto actual = core_type_of(entry.func);
        actual && (actual->params != wanted.params || actual->results != wanted.results))
      return invalid(fmt::format("type mismatch for core import `{}::{}`: expected {}, found {}", import.module,
                                 import.name, wanted.to_string(), actual->to_string()));
    return {};
  }

  std::optional<wasm::FuncType> core_type_of(const CoreFunc& func) const {
    if (const auto* item = std::get_if<CoreItem>(&func)) {
      const wasm::Module& module = decoded_.modules[plan_.core_instances[item->instance.value]].module;
      return module.func_type(wasm::FuncIndex(item->index));
    }
    const Trampoline& trampoline = plan_.trampolines[std::get<TrampolineIndex>(func).value];
    const wasm::ValType i32 = wasm::ValType::i32();
    if (std::holds_alternative<ResourceDrop>(trampoline.kind)) return wasm::FuncType{{i32}, {}};
    if (std::holds_alternative<ResourceNew>(trampoline.kind) || std::holds_alternative<ResourceRep>(trampoline.kind))
      return wasm::FuncType{{i32}, {i32}};
    if (const auto* lower = std::get_if<Lower>(&trampoline.kind); lower && !lower->options.is_async)
      return flat_type(lower->type, true);
    return std::nullopt;
  }

  // Spec: flatten_functype, synchronous.
  wasm::FuncType flat_type(std::uint32_t type, bool lowered) const {
    const FuncType& func = plan_.types.funcs[type];
    wasm::FuncType flat;
    std::uint32_t params = 0;
    std::vector<FlatType> flats;
    for (const Param& param : func.params) {
      params += plan_.types.flat_count(param.type);
      if (params <= kMaxFlatParams) plan_.types.append_flat(param.type, flats);
    }
    if (params > kMaxFlatParams) flats = {FlatType::I32};
    for (FlatType t : flats) flat.params.push_back(core_val_type(t));
    if (!func.result) return flat;
    if (plan_.types.flat_count(*func.result) <= kMaxFlatResults) {
      flats.clear();
      plan_.types.append_flat(*func.result, flats);
      for (FlatType t : flats) flat.results.push_back(core_val_type(t));
    } else {
      (lowered ? flat.params : flat.results).push_back(wasm::ValType::i32());
    }
    return flat;
  }
  static wasm::ValType core_val_type(FlatType type) {
    switch (type) {
    case FlatType::I32: return wasm::ValType::i32();
    case FlatType::I64: return wasm::ValType::i64();
    case FlatType::F32: return wasm::ValType::f32();
    default: return wasm::ValType::f64();
    }
  }

  // ---- aliases ----

  Result<void> define_alias(const ast::Alias& alias) {
    switch (alias.kind) {
    case ast::Alias::Kind::Export: {
      auto instance = CUSP_TRY(at(env_->instances, alias.index, "instance"));
      const Entity* found = instance->find(alias.name);
      if (!found) return invalid(fmt::format("instance {} has no export `{}`", alias.index, alias.name));
      ast::SortIndex wanted{alias.sort, alias.core, 0};
      if (!has_sort(*found, wanted))
        return invalid(fmt::format("export `{}` is not of the sort that the alias names", alias.name));
      push(*found);
      return {};
    }
    case ast::Alias::Kind::CoreExport: {
      CoreInstanceEntity instance = CUSP_TRY(at(env_->core_instances, alias.index, "core instance"));
      CoreExport entry = CUSP_TRY(core_export(instance, alias.name));
      if (alias.sort != ast::Sort::Core || entry.sort != alias.core)
        return invalid(fmt::format("core export `{}` is not of the sort that the alias names", alias.name));
      push_core(entry);
      return {};
    }
    case ast::Alias::Kind::Outer: break;
    }
    Environment* env = env_;
    for (std::uint32_t up = alias.count; up != 0 && env; --up) env = env->parent;
    if (!env) return invalid(fmt::format("invalid outer alias count of {}", alias.count));
    if (alias.sort == ast::Sort::Type) env_->types.push_back(CUSP_TRY(at(env->types, alias.index, "outer type")));
    else if (alias.sort == ast::Sort::Component)
      env_->components.push_back(CUSP_TRY(at(env->components, alias.index, "outer component")));
    else if (alias.sort == ast::Sort::Core && alias.core == ast::CoreSort::Module)
      env_->core_modules.push_back(CUSP_TRY(at(env->core_modules, alias.index, "outer core module")));
    else if (alias.sort == ast::Sort::Core && alias.core == ast::CoreSort::Type) {
      if (alias.index >= env->core_types) return invalid(fmt::format("there is no outer core type {}", alias.index));
      ++env_->core_types;
    } else return invalid("only types, modules and components can be aliased from outside");
    return {};
  }

  static bool has_sort(const Entity& entity, ast::SortIndex wanted) {
    switch (wanted.sort) {
    case ast::Sort::Func: return std::holds_alternative<FuncEntity>(entity);
    case ast::Sort::Type: return std::holds_alternative<TypeEntity>(entity);
    case ast::Sort::Component: return std::holds_alternative<ComponentEntity>(entity);
    case ast::Sort::Instance: return std::holds_alternative<std::shared_ptr<InstanceEntity>>(entity);
    case ast::Sort::Core:
      return wanted.core == ast::CoreSort::Module && std::holds_alternative<CoreModuleEntity>(entity);
    default: return false;
    }
  }

  void push_core(const CoreExport& entry) {
    switch (entry.sort) {
    case ast::CoreSort::Func: env_->core_funcs.push_back(entry.func); break;
    case ast::CoreSort::Table: env_->core_tables.push_back(entry.item); break;
    case ast::CoreSort::Memory: env_->core_memories.push_back(entry.item); break;
    case ast::CoreSort::Global: env_->core_globals.push_back(entry.item); break;
    default: env_->core_tags.push_back(entry.item); break;
    }
  }

  // A new index in the space of the entity's sort.
  void push(const Entity& entity) {
    if (const auto* func = std::get_if<FuncEntity>(&entity)) env_->funcs.push_back(*func);
    else if (const auto* type = std::get_if<TypeEntity>(&entity)) env_->types.push_back(*type);
    else if (const auto* component = std::get_if<ComponentEntity>(&entity)) env_->components.push_back(*component);
    else if (const auto* module = std::get_if<CoreModuleEntity>(&entity)) env_->core_modules.push_back(module->module);
    else env_->instances.push_back(std::get<std::shared_ptr<InstanceEntity>>(entity));
  }

  Result<Entity> entity_at(ast::SortIndex what) {
    switch (what.sort) {
    case ast::Sort::Func: return Entity(CUSP_TRY(at(env_->funcs, what.index, "function")));
    case ast::Sort::Type: return Entity(CUSP_TRY(at(env_->types, what.index, "type")));
    case ast::Sort::Component: return Entity(CUSP_TRY(at(env_->components, what.index, "component")));
    case ast::Sort::Instance: return Entity(CUSP_TRY(at(env_->instances, what.index, "instance")));
    case ast::Sort::Core:
      if (what.core == ast::CoreSort::Module)
        return Entity(CoreModuleEntity{CUSP_TRY(at(env_->core_modules, what.index, "core module"))});
      return invalid("only modules can be passed or exported as core items");
    default: return fail(ErrorCode::Unsupported, "values are not supported");
    }
  }

  // ---- instances, imports, exports ----

  Result<void> define(const ast::Instance& instance, const Arguments*, InstanceEntity&, unsigned depth) {
    Arguments items;
    for (const auto& item : instance.items) {
      for (const auto& [name, _] : items)
        if (name == item.name) return invalid(fmt::format("the name `{}` is given twice", item.name));
      items.emplace_back(item.name, CUSP_TRY(entity_at(item.what)));
    }
    if (instance.inline_exports) {
      env_->instances.push_back(std::make_shared<InstanceEntity>(InstanceEntity{std::move(items)}));
      return {};
    }
    ComponentEntity component = CUSP_TRY(at(env_->components, instance.component, "component"));
    std::string path =
        fmt::format("{}{}component instance {}", env_->path, env_->path.empty() ? "" : " > ", env_->instances.size());
    Environment* here = env_;
    auto made = CUSP_TRY(instantiate(component, &items, std::move(path), depth + 1));
    here->instances.push_back(std::move(made));
    return {};
  }

  Result<void> define(const ast::Import& import, const Arguments* arguments, InstanceEntity&, unsigned) {
    if (arguments) {
      for (const auto& [name, entity] : *arguments) {
        if (name != import.name) continue;
        if (!has_sort(entity, sort_of(import.desc)))
          return invalid(fmt::format("the argument for import `{}` is of another sort", import.name));
        push(entity);
        return {};
      }
      return invalid(fmt::format("missing import named `{}`", import.name));
    }
    push(CUSP_TRY(imported(import.desc, {}, std::string(import.name))));
    return {};
  }

  static ast::SortIndex sort_of(const ast::ExternDesc& desc) {
    switch (desc.kind) {
    case ast::ExternKind::CoreModule: return {ast::Sort::Core, ast::CoreSort::Module, 0};
    case ast::ExternKind::Func: return {ast::Sort::Func, {}, 0};
    case ast::ExternKind::Value: return {ast::Sort::Value, {}, 0};
    case ast::ExternKind::TypeEq:
    case ast::ExternKind::TypeSub: return {ast::Sort::Type, {}, 0};
    case ast::ExternKind::Component: return {ast::Sort::Component, {}, 0};
    case ast::ExternKind::Instance: return {ast::Sort::Instance, {}, 0};
    }
    return {};
  }

  // What the host gives for an import (or an export of an imported instance type).
  Result<Entity> imported(const ast::ExternDesc& desc, const std::string& interface, const std::string& name) {
    switch (desc.kind) {
    case ast::ExternKind::Func: {
      TypeEntity type = CUSP_TRY(at(env_->types, desc.index, "type"));
      const auto* func = std::get_if<FuncTypeEntity>(&type);
      if (!func) return invalid(fmt::format("type {} is not a function type", desc.index));
      HostImportIndex index(static_cast<std::uint32_t>(plan_.host_imports.size()));
      plan_.host_imports.push_back({interface, name, func->type});
      return Entity(FuncEntity{index, func->type});
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
      if (!scope || !scope->is_instance) return invalid(fmt::format("type {} is not an instance type", desc.index));
      return Entity(CUSP_TRY(imported_instance(*scope, interface.empty() ? name : interface + "/" + name)));
    }
    case ast::ExternKind::Component:
    case ast::ExternKind::CoreModule:
      return fail(ErrorCode::Unsupported,
                  fmt::format("import `{}`: the host does not give components or core modules", name));
    case ast::ExternKind::Value: break;
    }
    return fail(ErrorCode::Unsupported, "values are not supported");
  }

  Result<std::shared_ptr<InstanceEntity>> imported_instance(const ScopeEntity& type, const std::string& interface) {
    Environment* outer = env_;
    env_ = new_environment(type.scope, outer->path);
    env_->instance = outer->instance;
    auto result = std::make_shared<InstanceEntity>();
    for (const ast::Definition& definition : type.declarations->definitions) {
      offset_ = definition.offset;
      if (const auto* decl = std::get_if<ast::TypeDecl>(&definition.what))
        env_->types.push_back(CUSP_TRY(evaluate(*decl)));
      else if (const auto* alias = std::get_if<ast::Alias>(&definition.what)) CUSP_TRY(define_alias(*alias));
      else if (std::holds_alternative<ast::CoreTypeDecl>(definition.what)) ++env_->core_types;
      else if (const auto* entry = std::get_if<ast::Export>(&definition.what)) {
        Entity entity = CUSP_TRY(imported(*entry->desc, interface, std::string(entry->name)));
        push(entity);
        result->exports.emplace_back(entry->name, std::move(entity));
      }
    }
    env_ = outer;
    return result;
  }

  Result<void> define(const ast::Export& entry, const Arguments*, InstanceEntity& result, unsigned) {
    Entity entity = CUSP_TRY(entity_at(entry.what));
    if (result.find(entry.name))
      return invalid(fmt::format("export name `{}` conflicts with an earlier one", entry.name));
    push(entity);
    result.exports.emplace_back(entry.name, std::move(entity));
    return {};
  }

  Result<void> export_root(const std::string& interface, const std::string& name, const Entity& entity) {
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
        CUSP_TRY(export_root(interface.empty() ? name : interface + "/" + name, item, inner));
    }
    return {};
  }

  // Host functions that nothing calls or exports need not be given.
  void prune_imports() {
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

  // ---- types ----

  Result<TypeEntity> evaluate(const ast::TypeDecl& decl) {
    if (const auto* ref = std::get_if<ast::ValRef>(&decl.type)) return TypeEntity(CUSP_TRY(evaluate(*ref)));
    if (const auto* def = std::get_if<ast::DefType>(&decl.type)) return TypeEntity(CUSP_TRY(evaluate(*def)));
    if (const auto* func = std::get_if<ast::FuncTypeRef>(&decl.type))
      return TypeEntity(FuncTypeEntity{CUSP_TRY(evaluate(*func))});
    if (const auto* resource = std::get_if<ast::ResourceType>(&decl.type)) {
      Resource entry{
          .name = "resource", .interface = {}, .imported = false, .instance = env_->instance, .destructor = {}};
      if (resource->destructor)
        entry.destructor = CUSP_TRY(at(env_->core_funcs, *resource->destructor, "core function"));
      ResourceIndex index(static_cast<std::uint32_t>(plan_.resources.size()));
      plan_.resources.push_back(std::move(entry));
      return TypeEntity(index);
    }
    return TypeEntity(ScopeEntity{std::get<std::shared_ptr<ast::Scope>>(decl.type), decl.is_instance_type, env_});
  }

  Result<ValType> evaluate(const ast::ValRef& ref) {
    if (ref.primitive) return ValType{*ref.primitive, 0};
    TypeEntity type = CUSP_TRY(at(env_->types, ref.index, "type"));
    if (const auto* val = std::get_if<ValType>(&type)) return *val;
    return invalid(fmt::format("type index {} is not a defined type", ref.index));
  }

  Result<ValType> evaluate(const ast::DefType& def) {
    if (def.kind == TypeKind::Own || def.kind == TypeKind::Borrow) {
      TypeEntity type = CUSP_TRY(at(env_->types, def.resource, "type"));
      const auto* resource = std::get_if<ResourceIndex>(&type);
      if (!resource) return invalid(fmt::format("type index {} is not a resource type", def.resource));
      return ValType{def.kind, resource->value};
    }
    TypeDef made;
    made.kind = def.kind;
    made.length = def.length;
    for (const ast::LabelRef& label : def.labels) {
      for (const Label& earlier : made.labels)
        if (!label.name.empty() && earlier.name == label.name)
          return invalid(fmt::format("the name `{}` is used twice in one type", label.name));
      Label entry{std::string(label.name), std::nullopt};
      if (label.type) entry.type = CUSP_TRY(evaluate(*label.type));
      made.labels.push_back(std::move(entry));
    }
    if (def.element) made.element = CUSP_TRY(evaluate(*def.element));
    if (def.error) made.error = CUSP_TRY(evaluate(*def.error));
    auto defined = types_.define(std::move(made));
    if (!defined) return invalid("the type is too large");
    return *defined;
  }

  Result<std::uint32_t> evaluate(const ast::FuncTypeRef& ref) {
    FuncType func;
    func.is_async = ref.is_async;
    for (const ast::LabelRef& param : ref.params)
      func.params.push_back({std::string(param.name), CUSP_TRY(evaluate(*param.type))});
    if (ref.result) func.result = CUSP_TRY(evaluate(*ref.result));
    return types_.define(std::move(func));
  }

  // ---- canonical functions ----

  Result<CanonicalOptions> evaluate(const ast::Options& options) {
    CanonicalOptions made;
    made.string_encoding = options.encoding;
    made.is_async = options.is_async;
    if (options.memory) made.addresses = CUSP_TRY(addresses_of_memory(*options.memory));
    if (options.memory) made.memory = CUSP_TRY(at(env_->core_memories, *options.memory, "core memory"));
    if (options.realloc) made.realloc = CUSP_TRY(at(env_->core_funcs, *options.realloc, "core function"));
    if (options.post_return) made.post_return = CUSP_TRY(at(env_->core_funcs, *options.post_return, "core function"));
    if (options.callback) made.callback = CUSP_TRY(at(env_->core_funcs, *options.callback, "core function"));
    return made;
  }

  // Of items of core instances: all modules are here, and a chain of imports ends in one that defines the item.
  Result<AddressType> addresses_of_memory(std::uint32_t index) {
    CoreItem item = CUSP_TRY(at(env_->core_memories, index, "core memory"));
    const wasm::Module& module = decoded_.modules[plan_.core_instances[item.instance.value]].module;
    return module.memories[item.index].memory64 ? AddressType::I64 : AddressType::I32;
  }
  Result<AddressType> addresses_of_table(std::uint32_t index) {
    CoreItem item = CUSP_TRY(at(env_->core_tables, index, "core table"));
    const wasm::Module& module = decoded_.modules[plan_.core_instances[item.instance.value]].module;
    return module.tables[item.index].type.table64 ? AddressType::I64 : AddressType::I32;
  }

  Result<void> check_options(const CanonicalOptions& options, std::uint32_t type, bool lowered) {
    const FuncType& func = plan_.types.funcs[type];
    bool in = false, out = false;
    std::uint32_t params = 0;
    auto pointers = [&](ValType t) {
      if (t.kind == TypeKind::String || t.kind == TypeKind::List || t.kind == TypeKind::Map) return true;
      bool defined = t.kind >= TypeKind::List && t.kind <= TypeKind::Map;
      return defined && holds_list(t);
    };
    for (const Param& param : func.params)
      in = in || pointers(param.type), params += plan_.types.flat_count(param.type);
    if (func.result) out = pointers(*func.result);
    bool spills = params > kMaxFlatParams || (func.result && plan_.types.flat_count(*func.result) > kMaxFlatResults);
    if ((in || out || spills) && !options.memory) return invalid("canonical option `memory` is required");
    bool allocates = lowered ? out : in || params > kMaxFlatParams;
    if (allocates && !options.realloc) return invalid("canonical option `realloc` is required");
    return {};
  }
  bool holds_list(ValType type) const {
    if (type.kind == TypeKind::String || type.kind == TypeKind::List || type.kind == TypeKind::Map) return true;
    if (type.kind < TypeKind::List || type.kind > TypeKind::Map) return false;
    const TypeDef& def = plan_.types.defs[type.index];
    for (const Label& label : def.labels)
      if (label.type && holds_list(*label.type)) return true;
    return (def.element && holds_list(*def.element)) || (def.error && holds_list(*def.error));
  }

  Result<void> define(const ast::Canon& canon, const Arguments*, InstanceEntity&, unsigned) {
    using Kind = ast::Canon::Kind;
    if (canon.kind == Kind::Lift) return define_lift(canon);
    Trampoline made{env_->instance, Builtin{}};
    if (canon.kind == Kind::Builtin) {
      made.kind = CUSP_TRY(evaluate_builtin(canon));
    } else if (canon.kind == Kind::Lower) {
      FuncEntity callee = CUSP_TRY(at(env_->funcs, canon.func, "function"));
      Lower lower{callee.func, callee.type, CUSP_TRY(evaluate(canon.options))};
      if (!lower.options.is_async) CUSP_TRY(check_options(lower.options, lower.type, true));
      made.kind = std::move(lower);
    } else {
      TypeEntity type = CUSP_TRY(at(env_->types, canon.type, "type"));
      const auto* resource = std::get_if<ResourceIndex>(&type);
      if (!resource) return invalid(fmt::format("type index {} is not a resource type", canon.type));
      const Resource& definition = plan_.resources[resource->value];
      bool local = !definition.imported && definition.instance == env_->instance;
      if (canon.kind != Kind::ResourceDrop && !local)
        return invalid("resource.new and resource.rep are for resources defined in this component");
      if (canon.kind == Kind::ResourceNew) made.kind = ResourceNew{*resource};
      if (canon.kind == Kind::ResourceRep) made.kind = ResourceRep{*resource};
      if (canon.kind == Kind::ResourceDrop) made.kind = ResourceDrop{*resource};
    }
    env_->core_funcs.push_back(TrampolineIndex(static_cast<std::uint32_t>(plan_.trampolines.size())));
    plan_.trampolines.push_back(std::move(made));
    return {};
  }

  Result<Builtin> evaluate_builtin(const ast::Canon& canon) {
    Builtin made{.kind = canon.builtin,
                 .type = {},
                 .options = CUSP_TRY(evaluate(canon.options)),
                 .is_async = canon.is_async,
                 .is_cancellable = canon.is_cancellable,
                 .is_shared = canon.is_shared,
                 .value = canon.value,
                 .slot = canon.slot,
                 .table = {}};
    std::string_view immediates = builtin_immediates(canon.builtin);
    if (immediates.starts_with("S") || immediates.starts_with("F")) {
      TypeEntity type = CUSP_TRY(at(env_->types, canon.type, "type"));
      TypeKind wanted = immediates.starts_with("S") ? TypeKind::Stream : TypeKind::Future;
      const auto* val = std::get_if<ValType>(&type);
      if (!val || val->kind != wanted)
        return invalid(fmt::format("type index {} is not a {} type", canon.type,
                                   wanted == TypeKind::Stream ? "stream" : "future"));
      made.type = *val;
    }
    if (canon.result) made.type = CUSP_TRY(evaluate(*canon.result));
    if (immediates.ends_with("T")) {
      made.table = CUSP_TRY(at(env_->core_tables, canon.table, "core table"));
      made.table_addresses = CUSP_TRY(addresses_of_table(canon.table));
    }
    return made;
  }

  Result<void> define_lift(const ast::Canon& canon) {
    CoreFunc core = CUSP_TRY(at(env_->core_funcs, canon.func, "core function"));
    TypeEntity type = CUSP_TRY(at(env_->types, canon.type, "type"));
    const auto* func = std::get_if<FuncTypeEntity>(&type);
    if (!func) return invalid(fmt::format("type index {} is not a function type", canon.type));
    CanonicalOptions options = CUSP_TRY(evaluate(canon.options));
    if (!options.is_async) {
      wasm::FuncType expected = flat_type(func->type, false);
      if (auto actual = core_type_of(core);
          actual && (actual->params != expected.params || actual->results != expected.results))
        return invalid(fmt::format("lowered types do not match the core function: expected {}, found {}",
                                   expected.to_string(), actual->to_string()));
      CUSP_TRY(check_options(options, func->type, false));
      if (options.post_return)
        if (auto actual = core_type_of(*options.post_return);
            actual && (actual->params != expected.results || !actual->results.empty()))
          return invalid("canonical option `post-return` uses a core function with an incorrect signature");
    }
    LiftIndex index(static_cast<std::uint32_t>(plan_.lifts.size()));
    plan_.lifts.push_back({env_->instance, core, func->type, std::move(options)});
    env_->funcs.push_back({index, func->type});
    return {};
  }

  const Decoded& decoded_;
  LinkPlan plan_;
  TypeBuilder types_{plan_.types};
  std::deque<Environment> environments_; // addresses stay
  Environment* env_ = nullptr;
  std::uint64_t offset_ = 0;
  std::size_t executed_ = 0;
};

} // namespace

Result<LinkPlan> flatten(const Decoded& decoded) { return Flattener(decoded).run(); }

} // namespace cusp::component
