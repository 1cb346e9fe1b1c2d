#include "compose/export_shim.h"

#include <set>

#include <fmt/format.h>

namespace cusp::compose {

using base::Result;
using component::ast::ExternKind;

namespace {

class ShimWriter {
public:
  ShimWriter(const wit::Graph& graph, wit::InterfaceId id, const TypeEncoder::Named& outer)
      : graph_(graph), id_(id), outer_(outer), scope_(ScopeKind::Component),
        taken_(graph, scope_, [this](wit::TypeId type) { return taken(type); }),
        given_(graph, scope_, [this](wit::TypeId type) { return given(type); }) {}

  Result<ExportShim> run(const std::vector<std::uint32_t>& functions) {
    const wit::Interface& interface = graph_.interface(id_);
    for (std::size_t i = 0; i < functions.size(); ++i) {
      std::string name = fmt::format("import-func-f{}", i);
      std::uint32_t type = CUSP_TRY(taken_.function(interface.functions[i]));
      scope_.import(name, {ExternKind::Func, type});
      shim_.arguments.push_back({name, Sort::Func, functions[i]});
    }
    for (wit::TypeId type : interface.types) CUSP_TRY(given(type));
    for (std::size_t i = 0; i < functions.size(); ++i) {
      ExternType type{ExternKind::Func, CUSP_TRY(given_.function(interface.functions[i]))};
      scope_.export_item(graph_.extern_name(interface.functions[i]), Sort::Func, static_cast<std::uint32_t>(i), &type);
    }
    shim_.component = scope_.finish();
    return std::move(shim_);
  }

private:
  // A type as the shim gets it: what has an identity or needs a name is an import.
  Result<std::uint32_t> taken(wit::TypeId id) {
    if (auto found = taken_indices_.find(id); found != taken_indices_.end()) return found->second;
    const wit::TypeDef& def = graph_.type(id);
    std::uint32_t index;
    if (const auto* alias = std::get_if<wit::Alias>(&def.kind); alias && named_target(*alias)) {
      // Another interface's name for a type stays that interface's: its own import, equal to what it names.
      index = CUSP_TRY(taken(*named_target(*alias)));
      if (def.owner != wit::Owner(id_)) index = CUSP_TRY(import_type(id, {ExternKind::TypeEq, index}));
    } else if (std::holds_alternative<wit::Resource>(def.kind)) {
      index = CUSP_TRY(import_type(id, {ExternKind::TypeSub, 0}));
    } else {
      index = CUSP_TRY(taken_.definition(id));
      bool needs_name = std::holds_alternative<wit::Record>(def.kind) ||
                        std::holds_alternative<wit::Variant>(def.kind) || std::holds_alternative<wit::Enum>(def.kind) ||
                        std::holds_alternative<wit::Flags>(def.kind);
      if (needs_name || def.owner != wit::Owner(id_)) index = CUSP_TRY(import_type(id, {ExternKind::TypeEq, index}));
    }
    taken_indices_[id] = index;
    return index;
  }
  std::optional<wit::TypeId> named_target(const wit::Alias& alias) const {
    const auto* target = std::get_if<wit::TypeId>(&alias.type);
    return target && !graph_.type(*target).name.empty() ? std::optional(*target) : std::nullopt;
  }
  Result<std::uint32_t> import_type(wit::TypeId id, ExternType type) {
    std::string base = "import-type-" + wit::lower_case(graph_.type(id).name), name = base;
    for (int n = 2; !names_.insert(name).second; ++n) name = fmt::format("{}-n{}", base, n);
    shim_.arguments.push_back({name, Sort::Type, CUSP_TRY(outer_(id))});
    return scope_.import(name, type);
  }

  // A type as the instance gives it, under its name.
  Result<std::uint32_t> given(wit::TypeId id) {
    const wit::TypeDef& def = graph_.type(id);
    if (def.owner != wit::Owner(id_)) return taken(id);
    if (auto found = given_indices_.find(id); found != given_indices_.end()) return found->second;
    std::uint32_t index;
    if (const auto* alias = std::get_if<wit::Alias>(&def.kind); alias && named_target(*alias))
      index = CUSP_TRY(given(*named_target(*alias)));
    else if (std::holds_alternative<wit::Resource>(def.kind)) index = CUSP_TRY(taken(id));
    else index = CUSP_TRY(given_.definition(id));
    index = scope_.export_item(def.name, Sort::Type, index);
    given_indices_[id] = index;
    return index;
  }

  const wit::Graph& graph_;
  wit::InterfaceId id_;
  const TypeEncoder::Named& outer_;
  ScopeWriter scope_;
  TypeEncoder taken_, given_;
  std::map<wit::TypeId, std::uint32_t> taken_indices_, given_indices_;
  std::set<std::string> names_;
  ExportShim shim_;
};

} // namespace

Result<ExportShim> make_export_shim(const wit::Graph& graph, wit::InterfaceId id,
                                    const std::vector<std::uint32_t>& functions, const TypeEncoder::Named& outer) {
  return ShimWriter(graph, id, outer).run(functions);
}

} // namespace cusp::compose
