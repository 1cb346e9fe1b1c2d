// The validator's class, implemented by concern: validate_component.cpp (instances, aliases), validate_extern.cpp (imports, exports and
// their names), validate_types.cpp, validate_core.cpp, validate_canon.cpp, validate_values.cpp. Private to component/.
#pragma once

#include <fmt/format.h>

#include "component/names.h"
#include "component/subtyping.h"
#include "component/validator.h"

namespace cusp::component {

using typing::Entity;
using typing::TypeRef;

// A component, component type or instance type while it is read: its index spaces, and what it imports and exports so far.
struct ValidationScope {
  enum class Kind : std::uint8_t { Component, ComponentType, InstanceType } kind{};
  ValidationScope* parent = nullptr;
  std::string path; // "component 2 > type 0 > "; empty: the root
  const ast::Names* names = nullptr;
  ast::Counts counts;

  struct CoreType {
    std::optional<wasm::TypeIndex> type; // CoreTypes; nothing: a module type
    std::uint32_t module = 0;            // Types::modules
  };
  std::vector<CoreType> core_types;
  std::vector<std::uint32_t> core_modules; // Types::modules
  std::vector<std::shared_ptr<const CoreExports>> core_instances;
  std::vector<wasm::TypeIndex> core_funcs, core_tags;
  std::vector<wasm::TableType> core_tables;
  std::vector<wasm::MemoryType> core_memories;
  std::vector<wasm::GlobalType> core_globals;

  struct Value {
    TypeRef type;
    bool used = false;
  };
  std::vector<TypeRef> types, funcs, instances, components;
  std::vector<Value> values;
  bool has_start = false;
  std::optional<AddressType> context_type; // of every context.get and context.set so far

  // One side: imports or exports.
  struct Side {
    std::shared_ptr<typing::NameList> names = std::make_shared<typing::NameList>();
    std::vector<Entity> entities;
    std::map<std::string, std::string> taken;                                     // uniqueness key: the name
    std::unordered_map<TypeRef, std::string, typing::TypeRefHash> resource_names; // for methods and constructors
    std::set<std::string, std::less<>> known_resources;                           // for static functions
    typing::TypeRefSet types;                                                     // that have a name on this side
  };
  Side imports, exports;
  typing::Info info;

  typing::ResourcePaths imported, explicit_;
  struct DefinedResource {
    typing::ResourceId id;
    std::optional<AddressType> rep; // of those that this component itself defines
  };
  std::vector<DefinedResource> defined;
};

class Validation {
public:
  Validation(Decoded& decoded, const Features& features) : decoded_(decoded), features_(features) {}
  base::Result<void> run();

private:
  using Scope = ValidationScope;
  template <class T> using Result = base::Result<T>;

  // --- errors, look-up, scopes
  std::unexpected<base::Error> fail(base::ErrorCode code, std::string message) const;
  std::unexpected<base::Error> invalid(std::string message) const {
    return fail(base::ErrorCode::Invalid, std::move(message));
  }
  Result<void> need(Feature feature, bool when = true) const;
  // An error from below that has no place yet.
  std::unexpected<base::Error> placed(base::Error error, std::string_view context = {}) const;
  template <class T> Result<T> at(const std::vector<T>& space, std::uint32_t index, std::string_view what) const;
  Result<TypeRef> type_at(std::uint32_t index, TypeRef::Kind kind, std::string_view what) const;
  Result<TypeRef> defined_type_at(std::uint32_t index) const;
  Result<TypeRef> value_at(std::uint32_t index); // uses it
  Result<Scope*> outer(std::uint32_t count);
  Result<void> grow(typing::Info& whole, const typing::Info& part);

  Result<typing::ComponentType> component(ast::Component& component, Scope::Kind kind, std::string path);
  Result<void> definition(ast::Definition& definition);
  Result<typing::ComponentType> finish(Scope& scope);

  // --- definitions; each adds to the index space of its sort
  Result<void> define(std::uint32_t module, const ast::Definition&);
  Result<void> define(const ast::CoreInstance& instance, const ast::Definition&);
  Result<void> define(const ast::CoreTypeDecl& decl, const ast::Definition&);
  Result<void> define(const std::shared_ptr<ast::Component>& component, const ast::Definition& definition);
  Result<void> define(const ast::Instance& instance, const ast::Definition&);
  Result<void> define(const ast::Alias& alias, const ast::Definition&);
  Result<void> define(ast::TypeDecl& decl, const ast::Definition& definition);
  Result<void> define(ast::Canon& canon, const ast::Definition&);
  Result<void> define(const ast::Start& start, const ast::Definition&);
  Result<void> define(ast::Import& import, const ast::Definition&);
  Result<void> define(ast::Export& entry, const ast::Definition&);
  Result<void> define(const ast::Value& value, const ast::Definition&);

  // --- core
  Result<std::shared_ptr<const CoreExports>> instantiate_core(const ast::CoreInstance& instance);
  Result<std::shared_ptr<const CoreExports>> bundle_core(const ast::CoreInstance& instance);
  Result<CoreExtern> core_extern_at(ast::CoreSort sort, std::uint32_t index) const;
  Result<ModuleType> module_type(const ast::CoreModuleType& type);
  Result<CoreExtern> core_extern(const ast::CoreExternType& type, const std::vector<wasm::TypeIndex>& space);
  Result<void> alias_core_export(const ast::Alias& alias);

  // --- instances, aliases
  Result<Entity> entity_at(ast::SortIndex what, bool consume = true);
  Result<TypeRef> instantiate(const ast::Instance& instance);
  Result<TypeRef> bundle(const ast::Instance& instance);
  Result<void> alias_export(const ast::Alias& alias);
  Result<void> alias_outer(const ast::Alias& alias);

  // --- imports and exports
  enum class Direction : std::uint8_t { Import, Export };
  Result<Entity> entity_of(const ast::ExternDesc& desc);
  Result<Entity> exported(const ast::Export& entry);
  // Gives an entity its index; imports and exports bring the resources of instances into the scope and name types.
  Result<void> add(Entity& entity, std::optional<Direction> direction, std::string_view name);
  void open_imported(TypeRef& instance);
  void open_exported(TypeRef& instance);
  void add_resource(const Entity& entity, Direction direction);
  bool name_types(const Entity& entity, Direction direction, std::string_view name);
  Result<void> check_name(const ast::Name& name, Direction direction, const Entity& entity, Scope::Side& side);
  Result<void> check_attributes(const ast::Name& name, const ExternName& parsed, const Entity& entity) const;
  Result<void> check_annotation(const ExternName& name, const Entity& entity, const Scope::Side& side) const;
  Result<void> check_resource_name(TypeRef resource, std::string_view name, const Scope::Side& side) const;
  std::shared_ptr<const ast::Shape> shape_of(TypeRef instance) const;

  // --- types
  Result<TypeRef> make_type(ast::TypeDecl& decl, const ast::Definition& definition);
  Result<TypeRef> value_type(const ast::ValRef& ref) const;
  Result<TypeRef> define_type(const ast::DefType& def);
  Result<TypeRef> define_func(const ast::FuncTypeRef& ref);
  Result<TypeRef> define_resource(const ast::ResourceType& resource);
  Result<TypeRef> define_scope(ast::Scope& declarations, bool is_instance);
  Result<void> check_labels(const ast::DefType& def) const;
  Result<void> check_element(const ast::DefType& def, const typing::DefinedType& made) const;

  // --- canonical definitions
  struct Options {
    bool is_async = false, gc = false;
    std::optional<AddressType> memory;
    bool realloc = false;
    StringEncoding encoding = StringEncoding::Utf8;
    std::optional<wasm::TypeIndex> post_return, callback, core_type;
    AddressType addresses() const { return memory.value_or(AddressType::I32); }
  };
  enum class Abi : std::uint8_t { Lift, Lower };
  Result<Options> options(const ast::Options& options);
  Result<void> option(Options& made, const ast::Option& option, const ast::Options& all);
  Result<AddressType> memory_addresses(std::uint32_t index) const;
  Result<void> check_lowering(const Options& options) const;
  Result<void> require_memory(const Options& options, bool when = true) const;
  Result<void> require_realloc(const Options& options, bool when = true) const;
  Result<wasm::FuncType> flatten(const typing::FuncType& func, const Options& options, Abi abi) const;
  Result<void> flatten_result(const typing::FuncType& func, const Options& options, Abi abi,
                              wasm::FuncType& flat) const;
  Result<wasm::TypeIndex> core_func_of(const typing::FuncType& func, const Options& options, Abi abi);
  Result<void> lift(const ast::Canon& canon);
  Result<wasm::TypeIndex> lower(const ast::Canon& canon);
  Result<wasm::TypeIndex> resource_builtin(const ast::Canon& canon);
  Result<wasm::TypeIndex> builtin(ast::Canon& canon);
  Result<wasm::TypeIndex> task_return(const ast::Canon& canon);
  Result<void> check_builtin_options(const ast::Canon& canon, const Options& options);
  Result<std::optional<TypeRef>> stream_or_future(const ast::Canon& canon, TypeKind kind) const;
  Result<AddressType> thread_start(const ast::Canon& canon, wasm::TypeIndex& type) const;
  Result<AddressType> thread_table(const ast::Canon& canon) const;
  Result<void> check_context(const ast::Canon& canon);

  // --- the canonical ABI over GC types
  Result<wasm::TypeIndex> gc_core_type(const typing::FuncType& func, const Options& options) const;
  Result<void> check_gc(TypeRef type, const Options& options, const wasm::FieldType& core, bool in_memory) const;

  Decoded& decoded_;
  const Features& features_;
  typing::Types types_;
  Scope* scope_ = nullptr;
  const ast::Definition* current_ = nullptr;
  std::uint64_t offset_ = 0;
};

template <class T>
base::Result<T> Validation::at(const std::vector<T>& space, std::uint32_t index, std::string_view what) const {
  if (index >= space.size())
    return invalid(fmt::format("unknown {} {}: {} index out of bounds", what, index, what.substr(what.rfind(' ') + 1)));
  return space[index];
}

} // namespace cusp::component
