// Runs the definitions of a validated component, every nested component once per instantiation, and writes the link plan. What it meets is
// concrete: every resource is one of LinkPlan::resources, every function the host's or a lift. Implemented by concern: flattener.cpp
// (instances, aliases, imports, exports), flatten_types.cpp, flatten_canon.cpp. Private to component/.
#pragma once

#include <deque>

#include <fmt/format.h>

#include "component/environment.h"
#include "component/flattener.h"
#include "component/layout.h"

namespace cusp::component {

class Flattening {
public:
  explicit Flattening(const Decoded& decoded) : decoded_(decoded) {}
  base::Result<LinkPlan> run();

private:
  template <class T> using Result = base::Result<T>;
  using Arguments = std::vector<std::pair<std::string, Entity>>;
  // What the definitions of one component are run with: null arguments for the root, whose imports are the host's.
  struct Frame {
    const Arguments* arguments = nullptr;
    InstanceEntity& exports;
    unsigned depth = 0;
  };

  std::unexpected<base::Error> fail(base::ErrorCode code, std::string message);
  template <class T> Result<T> at(const std::vector<T>& space, std::uint32_t index, std::string_view what);
  Environment* new_environment(Environment* parent, std::string path);
  Result<std::shared_ptr<InstanceEntity>> instantiate(const ComponentEntity& component, const Arguments* arguments,
                                                      std::string path, unsigned depth);

  Result<void> define(std::uint32_t module, Frame&);
  Result<void> define(const ast::CoreTypeDecl&, Frame&) { return {}; }
  Result<void> define(const std::shared_ptr<ast::Component>& component, Frame&);
  Result<void> define(const ast::Start&, Frame&);
  Result<void> define(const ast::Value&, Frame&);
  Result<void> define(const ast::TypeDecl& decl, Frame&);
  Result<void> define(const ast::Alias& alias, Frame&);
  Result<void> define(const ast::CoreInstance& instance, Frame&);
  Result<void> define(const ast::Instance& instance, Frame& frame);
  Result<void> define(const ast::Import& import, Frame& frame);
  Result<void> define(const ast::Export& entry, Frame& frame);
  Result<void> define(const ast::Canon& canon, Frame&);

  Result<void> bundle_core(const ast::CoreInstance& instance);
  Result<void> core_item(ast::CoreSort sort, std::uint32_t index, CoreExport& entry);
  Result<CoreExport> core_export(const CoreInstanceEntity& instance, std::string_view name);
  Result<void> define_alias(const ast::Alias& alias);
  Result<void> alias_outer(const ast::Alias& alias);
  void push_core(const CoreExport& entry);
  void push(const Entity& entity);
  Result<Entity> entity_at(ast::SortIndex what);
  Result<Entity> imported(const ast::ExternDesc& desc, const std::string& interface, const std::string& name);
  Result<std::shared_ptr<InstanceEntity>> imported_instance(const ScopeEntity& type, const std::string& interface);
  void export_root(const std::string& interface, const std::string& name, const Entity& entity);
  void prune_imports();

  Result<TypeEntity> evaluate(const ast::TypeDecl& decl);
  Result<ValType> evaluate(const ast::ValRef& ref);
  Result<ValType> evaluate(const ast::DefType& def);
  Result<std::uint32_t> evaluate(const ast::FuncTypeRef& ref);
  Result<ResourceIndex> resource_at(std::uint32_t type);
  Result<std::uint32_t> func_type_at(std::uint32_t type);

  Result<CanonicalOptions> evaluate(const ast::Options& options);
  Result<Builtin> evaluate_builtin(const ast::Canon& canon);
  Result<void> lift(const ast::Canon& canon);
  AddressType addresses_of_memory(const CoreItem& item) const;
  AddressType addresses_of_table(const CoreItem& item) const;

  const Decoded& decoded_;
  LinkPlan plan_;
  TypeBuilder types_{plan_.types};
  std::deque<Environment> environments_; // addresses stay
  Environment* env_ = nullptr;
  std::uint64_t offset_ = 0;
  std::size_t executed_ = 0;
};

template <class T>
base::Result<T> Flattening::at(const std::vector<T>& space, std::uint32_t index, std::string_view what) {
  if (index >= space.size()) return fail(base::ErrorCode::Internal, fmt::format("there is no {} {}", what, index));
  return space[index];
}

} // namespace cusp::component
