#include "compose/component_plan.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compose/adapter.h"
#include "compose/to_wit.h"
#include "wasm/reader.h"
#include "wit/printer.h"

namespace cusp::compose {

using base::ErrorCode;
using base::Result;

namespace {

constexpr std::string_view kMetadata = "component-type";

class Planner {
public:
  explicit Planner(const ComponentizeInput& input) : input_(input) {}

  Result<ComponentPlan> run() {
    CUSP_TRY(read_modules());
    CUSP_TRY(read_worlds());
    PlannedModule& main = *plan_.modules.front();
    CUSP_TRY(classify(main));
    CUSP_TRY(find_exports());
    CUSP_TRY(prepare_adapters());
    find_live();
    return std::move(plan_);
  }

private:
  std::unexpected<base::Error> fail(std::string message) const {
    return base::fail(ErrorCode::Unlinkable, std::move(message));
  }

  Result<void> read_modules() {
    auto main = std::make_unique<PlannedModule>();
    main->bytes = input_.module;
    main->module = CUSP_TRY(wasm::read_module(input_.module, wasm::Features::validated()));
    plan_.modules.push_back(std::move(main));
    for (const AdapterInput& adapter : input_.adapters) {
      auto module = std::make_unique<PlannedModule>();
      module->name = adapter.name;
      module->bytes = adapter.bytes;
      auto read = wasm::read_module(adapter.bytes, wasm::Features::validated());
      if (!read) return base::with_context(std::move(read).error(), fmt::format("adapter {}", adapter.name));
      module->module = std::move(*read);
      plan_.modules.push_back(std::move(module));
      names_.insert(adapter.name);
    }
    return {};
  }

  Result<void> read_worlds() {
    std::vector<std::span<const std::uint8_t>> metadata;
    std::vector<std::uint8_t> given;
    if (input_.graph) {
      given = CUSP_TRY(encode_world_metadata(*input_.graph, input_.world));
      metadata.push_back(given);
    }
    for (const auto& module : plan_.modules)
      for (const wasm::CustomSection& section : module->module.custom_sections)
        if (section.name.starts_with(kMetadata)) metadata.push_back(section.bytes);
    bool own = input_.graph || std::ranges::any_of(plan_.main().module.custom_sections, [](const auto& section) {
                 return section.name.starts_with(kMetadata);
               });
    // A program of WASI 0.1 has no world of its own: its adapter's is the whole of it.
    if (!own && metadata.empty())
      return base::fail(
          ErrorCode::InvalidArgument,
          "the module does not say its world; give one with --wit and --world, or an adapter with --adapt");
    auto graph = merge_metadata(metadata);
    if (!graph) return base::with_context(std::move(graph).error(), "the module's metadata");
    plan_.graph = std::move(*graph);
    return {};
  }

  // What is imported, and that its core type is what the world's type flattens to.
  Result<void> classify(PlannedModule& module) {
    std::set<std::string> names = names_;
    if (!module.name.empty()) names.insert(std::string(kMainModule));
    module.imports.clear();
    for (const wasm::Import& import : module.module.imports) {
      if (import.kind == wasm::ExternKind::Memory && !module.name.empty()) {
        CoreImport memory;
        memory.kind = CoreImport::Kind::Memory;
        memory.module = import.module, memory.name = import.name;
        module.imports.push_back(std::move(memory));
        continue;
      }
      if (import.kind != wasm::ExternKind::Func)
        return fail(
            fmt::format("the module imports `{}` from `{}`, and only functions can come from outside a component",
                        import.name, import.module));
      CoreImport classified = CUSP_TRY(classify_import(plan_.graph, plan_.world(), names, import.module, import.name));
      const wasm::FuncType& type = module.module.func_type(wasm::FuncIndex(import.index));
      if (classified.kind == CoreImport::Kind::Module) {
        CUSP_TRY(check_module_import(classified, type));
      } else if (type != classified.signature.type) {
        std::string wit = classified.function
                              ? fmt::format(", as `{}` needs", wit::print_function(plan_.graph, *classified.function))
                              : "";
        return fail(
            fmt::format("the module imports `{}` from `{}` with another type\n    expected {}{}\n    found    {}",
                        import.name, import.module, classified.signature.type.to_string(), wit, type.to_string()));
      }
      module.imports.push_back(std::move(classified));
    }
    return {};
  }

  Result<void> check_module_import(const CoreImport& import, const wasm::FuncType& type) const {
    for (const auto& module : plan_.modules) {
      if (module->name != (import.module == kMainModule ? "" : import.module)) continue;
      const wasm::Export* found = find_core_export(module->module, import.name);
      bool realloc = import.module == kMainModule && import.name.ends_with("realloc");
      if (!found && realloc) return {}; // trimming replaces it
      std::string who = module->name.empty() ? "the module" : fmt::format("adapter {}", module->name);
      if (!found || found->kind != wasm::ExternKind::Func)
        return fail(fmt::format("{} does not export `{}`, which is imported from it", who, import.name));
      const wasm::FuncType& other = module->module.func_type(wasm::FuncIndex(found->index));
      if (other != type)
        return fail(fmt::format("{} exports `{}` with another type than is imported\n    expected {}\n    found    {}",
                                who, import.name, type.to_string(), other.to_string()));
    }
    return {};
  }

  // ---- exports ----

  Result<void> find_exports() {
    for (const wit::WorldItem& item : plan_.world().exports) {
      if (const auto* function = std::get_if<wit::Function>(&item.what))
        CUSP_TRY(find_export(item, *function, plan_.graph.extern_name(*function)));
      const auto* id = std::get_if<wit::InterfaceId>(&item.what);
      if (!id) continue;
      for (const wit::Function& function : plan_.graph.interface(*id).functions)
        CUSP_TRY(find_export(item, function, plan_.graph.extern_name(item) + "#" + plan_.graph.extern_name(function)));
    }
    return {};
  }

  Result<void> find_export(const wit::WorldItem& item, const wit::Function& function, const std::string& name) {
    struct Form {
      std::string_view prefix;
      CoreSide side;
    };
    constexpr Form kForms[] = {{"", CoreSide::Export},
                               {"[async-lift]", CoreSide::AsyncExport},
                               {"[async-lift-stackful]", CoreSide::StackfulExport}};
    for (std::size_t i = 0; i < plan_.modules.size(); ++i) {
      const wasm::Module& module = plan_.modules[i]->module;
      for (const Form& form : kForms) {
        const wasm::Export* found = find_core_export(module, std::string(form.prefix) + name);
        if (!found || found->kind != wasm::ExternKind::Func) continue;
        CoreSignature signature = core_signature(plan_.graph, function, form.side);
        const wasm::FuncType& type = module.func_type(wasm::FuncIndex(found->index));
        if (type != signature.type)
          return fail(fmt::format(
              "the module exports `{}` with another type\n    expected {}, as `{}` needs\n    found    {}", found->name,
              signature.type.to_string(), wit::print_function(plan_.graph, function), type.to_string()));
        PlannedExport planned{&item, &function, i, std::string(found->name), {}, {}, form.side};
        if (const wasm::Export* post = find_core_export(module, "cabi_post_" + planned.core_name))
          planned.post_return = post->name;
        if (form.side == CoreSide::AsyncExport) {
          const wasm::Export* callback = find_core_export(module, "[callback]" + planned.core_name);
          if (!callback)
            return fail(fmt::format("the module exports `{}` without its `[callback]{}`", found->name, found->name));
          planned.callback = callback->name;
        }
        plan_.exports.push_back(std::move(planned));
        return {};
      }
    }
    return fail(fmt::format("the module does not export `{}`, which the world needs for `{}`", name,
                            wit::print_function(plan_.graph, function)));
  }

  // ---- adapters ----

  Result<void> prepare_adapters() {
    std::optional<std::string> realloc;
    for (std::string_view name : {"cabi_realloc_adapter", "cabi_realloc", "canonical_abi_realloc"})
      if (!realloc && find_core_export(plan_.main().module, name)) realloc = name;
    for (std::size_t i = plan_.modules.size(); i-- > 1;) {
      PlannedModule& adapter = *plan_.modules[i];
      std::set<std::string> needed;
      for (const auto& module : plan_.modules)
        for (const CoreImport& import : module->imports)
          if (import.kind == CoreImport::Kind::Module && import.module == adapter.name) needed.insert(import.name);
      for (const PlannedExport& entry : plan_.exports) {
        if (entry.module != i) continue;
        for (const std::string& name : {entry.core_name, entry.post_return, entry.callback})
          if (!name.empty()) needed.insert(name);
      }
      if (needed.empty()) {
        adapter.bytes = {};
        continue;
      }
      for (std::string_view name : {"cabi_import_realloc", "cabi_export_realloc"})
        if (find_core_export(adapter.module, name)) needed.insert(std::string(name));
      auto trimmed = trim_adapter(adapter.module, needed, realloc);
      if (!trimmed) return base::with_context(std::move(trimmed).error(), fmt::format("adapter {}", adapter.name));
      adapter.owned = std::move(*trimmed);
      adapter.bytes = adapter.owned;
      adapter.module = CUSP_TRY(wasm::read_module(adapter.bytes, wasm::Features::validated()));
      CUSP_TRY(classify(adapter));
    }
    std::size_t index = 0;
    std::vector<std::size_t> moved;
    for (const auto& module : plan_.modules) moved.push_back(module->bytes.empty() ? 0 : index++);
    for (PlannedExport& entry : plan_.exports) entry.module = moved[entry.module];
    std::erase_if(plan_.modules, [](const auto& module) { return module->bytes.empty(); });
    return {};
  }

  // ---- what is imported ----

  void find_live() {
    const wit::Graph& graph = plan_.graph;
    for (const auto& module : plan_.modules)
      for (const CoreImport& import : module->imports) {
        if (import.exported) continue;
        if (import.kind == CoreImport::Kind::Function)
          plan_.live.add_function(graph, import.interface, *import.function);
        if (!import.type.is_none()) live_type(import.type);
      }
    for (const wit::WorldItem& item : plan_.world().imports)
      if (const auto* id = std::get_if<wit::TypeId>(&item.what)) plan_.live.add_type(graph, *id);
    // Types that exports use are the imports' where the interface is not exported as well.
    std::set<wit::InterfaceId> exported;
    for (const wit::WorldItem& item : plan_.world().exports)
      if (const auto* id = std::get_if<wit::InterfaceId>(&item.what)) exported.insert(*id);
    std::set<wit::TypeId> seen;
    auto visit = [&](auto&& self, wit::TypeId id) -> void {
      if (!seen.insert(id).second) return;
      const auto* owner = std::get_if<wit::InterfaceId>(&graph.type(id).owner);
      if (!owner || !exported.contains(*owner)) return plan_.live.add_type(graph, id);
      graph.for_each_named(graph.type(id), [&](wit::TypeId part) { self(self, part); });
    };
    for (const wit::WorldItem& item : plan_.world().exports) {
      if (const auto* function = std::get_if<wit::Function>(&item.what))
        graph.for_each_named(*function, [&](wit::TypeId id) { visit(visit, id); });
      const auto* id = std::get_if<wit::InterfaceId>(&item.what);
      if (!id) continue;
      for (wit::TypeId type : graph.interface(*id).types) visit(visit, type);
    }
  }
  void live_type(wit::TypeId id) {
    if (!plan_.graph.type(id).name.empty()) return plan_.live.add_type(plan_.graph, id);
    plan_.graph.for_each_named(plan_.graph.type(id), [&](wit::TypeId part) { plan_.live.add_type(plan_.graph, part); });
  }

  const ComponentizeInput& input_;
  ComponentPlan plan_;
  std::set<std::string> names_; // of adapters
};

} // namespace

const wasm::Export* find_core_export(const wasm::Module& module, std::string_view name) {
  if (const wasm::Export* exact = module.find_export(name)) return exact;
  std::size_t hash = name.find('#'), at = name.find('@');
  if (hash == std::string_view::npos || at > hash) return nullptr;
  std::string_view wanted = name.substr(0, hash), rest = name.substr(hash);
  std::size_t begin = wanted.rfind(']') == std::string_view::npos ? 0 : wanted.rfind(']') + 1;
  if (std::string_view prefix = "cabi_post_"; wanted.starts_with(prefix)) begin = prefix.size();
  for (const wasm::Export& entry : module.exports) {
    std::size_t other = entry.name.find('#');
    if (other == std::string_view::npos || other < begin || entry.name.substr(other) != rest) continue;
    if (entry.name.substr(0, begin) != wanted.substr(0, begin)) continue;
    if (wit::compatible_names(entry.name.substr(begin, other - begin), wanted.substr(begin))) return &entry;
  }
  return nullptr;
}

Result<ComponentPlan> plan_component(const ComponentizeInput& input) { return Planner(input).run(); }

Result<std::vector<std::uint8_t>> componentize(const ComponentizeInput& input) {
  ComponentPlan plan = CUSP_TRY(plan_component(input));
  return write_component(plan);
}

} // namespace cusp::compose
