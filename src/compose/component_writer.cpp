// The second half of componentize: the component's bytes from a plan. Functions that need the main module's memory are lowered only after that
// module is there, yet it imports them: it gets functions of a shim module, which call through a table that a fixup module fills at the end.
#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "compose/adapter.h"
#include "compose/component_plan.h"
#include "compose/core_writer.h"
#include "compose/export_shim.h"

namespace cusp::compose {

using base::ErrorCode;
using base::Result;
using Kind = CoreImport::Kind;

namespace {

enum OptionCode : std::uint8_t {
  kUtf8 = 0,
  kUtf16 = 1,
  kLatin1Utf16 = 2,
  kMemory = 3,
  kRealloc = 4,
  kPostReturn = 5,
  kAsync = 6,
  kCallback = 7
};

class Writer {
public:
  explicit Writer(const ComponentPlan& plan)
      : plan_(plan), graph_(plan.graph), root_(ScopeKind::Component),
        imports_(graph_, plan.world(), root_, &plan.live) {}

  Result<std::vector<std::uint8_t>> run() {
    CUSP_TRY(imports_.imports());
    for (const wit::WorldItem& item : plan_.world().exports)
      if (const auto* id = std::get_if<wit::InterfaceId>(&item.what))
        views_.emplace(*id, std::make_unique<View>(*this, *id));
    for (const auto& module : plan_.modules) modules_.push_back(root_.core_module(module->bytes));
    find_shims();
    CUSP_TRY(write_shims());
    CUSP_TRY(define_resources());
    instances_.resize(plan_.modules.size());
    for (std::size_t i = 0; i < plan_.modules.size(); ++i) CUSP_TRY(instantiate(i));
    CUSP_TRY(fix_up());
    initialize();
    for (const wit::WorldItem& item : plan_.world().exports) CUSP_TRY(export_(item));
    return root_.finish();
  }

private:
  // The types of an exported interface while the component is being written, before they have names.
  struct View {
    View(Writer& writer, wit::InterfaceId id)
        : writer(writer), id(id),
          encoder(writer.graph_, writer.root_, [this](wit::TypeId type) { return named(type); }) {}
    Result<std::uint32_t> named(wit::TypeId type) {
      const wit::TypeDef& def = writer.graph_.type(type);
      if (def.owner != wit::Owner(id)) return writer.outer_type(type);
      if (auto found = indices.find(type); found != indices.end()) return found->second;
      const auto* alias = std::get_if<wit::Alias>(&def.kind);
      const auto* target = alias ? std::get_if<wit::TypeId>(&alias->type) : nullptr;
      std::uint32_t index;
      if (target && !writer.graph_.type(*target).name.empty()) index = CUSP_TRY(named(*target));
      else index = CUSP_TRY(encoder.definition(type)); // resources are there from the start
      indices[type] = index;
      return index;
    }
    Writer& writer;
    wit::InterfaceId id;
    TypeEncoder encoder;
    std::map<wit::TypeId, std::uint32_t> indices;
  };

  // A type of another interface than the one at hand: of an export that is still to come, of one that is there, or of an import.
  Result<std::uint32_t> outer_type(wit::TypeId type) {
    const auto* owner = std::get_if<wit::InterfaceId>(&graph_.type(type).owner);
    auto view = owner ? views_.find(*owner) : views_.end();
    if (view != views_.end() && !exported_.contains(*owner)) return view->second->named(type);
    return imports_.type_index(type);
  }

  // ---- shims ----

  struct Shim {
    wasm::FuncType type;
    std::function<Result<std::uint32_t>()> real; // the core function behind it, once the modules are there
  };

  void find_shims() {
    for (std::size_t i = 0; i < plan_.modules.size(); ++i) {
      const PlannedModule& module = *plan_.modules[i];
      std::size_t imported = 0; // functions so far
      for (std::size_t n = 0; n < module.imports.size(); ++n) {
        const CoreImport& import = module.imports[n];
        if (import.kind == Kind::Memory) continue;
        const wasm::FuncType& type = module.module.func_type(wasm::FuncIndex(static_cast<std::uint32_t>(imported++)));
        bool of_adapter = import.kind == Kind::Module && import.module != kMainModule;
        if (!of_adapter && !import.signature.needs_memory && !import.signature.needs_realloc) continue;
        shim_of_[{i, n}] = shims_.size();
        shims_.push_back({type, [this, i, &import] { return direct(i, import); }});
      }
    }
    for (const auto& [id, _] : views_)
      for (wit::TypeId type : graph_.interface(id).types) {
        if (!std::holds_alternative<wit::Resource>(graph_.type(type).kind)) continue;
        std::string name = interface_export(id) + "#[dtor]" + graph_.type(type).name;
        const wasm::Export* found = find_core_export(plan_.main().module, name);
        if (!found) continue;
        destructors_[type] = shims_.size();
        std::string own(found->name);
        shims_.push_back({{{wasm::ValType::i32()}, {}}, [this, own]() -> Result<std::uint32_t> {
                            return root_.alias_core_export(CoreSort::Func, instances_[0], own);
                          }});
      }
  }
  std::string interface_export(wit::InterfaceId id) const {
    for (const wit::WorldItem& item : plan_.world().exports)
      if (const auto* other = std::get_if<wit::InterfaceId>(&item.what); other && *other == id)
        return graph_.extern_name(item);
    return {};
  }

  Bytes table_type() const { return Bytes{0x70, 1}.u32(shims_.size()).u32(shims_.size()); }

  Result<void> write_shims() {
    if (shims_.empty()) return {};
    CoreModuleWriter module;
    module.table(table_type());
    module.export_item("$imports", 1, 0);
    for (std::size_t i = 0; i < shims_.size(); ++i) {
      std::uint32_t type = module.type(shims_[i].type);
      Bytes body{0};
      for (std::size_t n = 0; n < shims_[i].type.params.size(); ++n) body.u8(0x20).u32(n);
      body.u8(0x41).s64(static_cast<std::int64_t>(i)).u8(0x11).u32(type).u32(0).u8(0x0b);
      module.export_item(fmt::format("{}", i), 0, module.func(type, body));
    }
    shim_instance_ = root_.core_instantiate(root_.core_module(module.finish()), {});
    return {};
  }
  std::uint32_t shim_func(std::size_t index) {
    return root_.alias_core_export(CoreSort::Func, shim_instance_, fmt::format("{}", index));
  }

  Result<void> fix_up() {
    if (shims_.empty()) return {};
    CoreModuleWriter module;
    std::vector<CoreNamedIndex> items;
    std::vector<std::uint32_t> all;
    Bytes table{1};
    module.import_other("", "$imports", table.append(table_type()));
    items.push_back(
        {"$imports", CoreSort::Table, root_.alias_core_export(CoreSort::Table, shim_instance_, "$imports")});
    for (std::size_t i = 0; i < shims_.size(); ++i) {
      std::string name = fmt::format("{}", i);
      module.import_func("", name, module.type(shims_[i].type));
      items.push_back({name, CoreSort::Func, CUSP_TRY(shims_[i].real())});
      all.push_back(static_cast<std::uint32_t>(i));
    }
    module.elements(all);
    std::uint32_t index = root_.core_module(module.finish());
    root_.core_instantiate(index, {{"", CoreSort::Instance, root_.core_bundle(items)}});
    return {};
  }

  // ---- instances ----

  Result<void> define_resources() {
    for (const auto& [id, view] : views_)
      for (wit::TypeId type : graph_.interface(id).types) {
        if (!std::holds_alternative<wit::Resource>(graph_.type(type).kind)) continue;
        auto destructor = destructors_.find(type);
        Bytes definition{0x3f, 0x7f};
        if (destructor == destructors_.end()) definition.u8(0);
        else definition.u8(1).u32(shim_func(destructor->second));
        view->indices[type] = root_.type(definition);
      }
    return {};
  }

  Result<void> instantiate(std::size_t index) {
    const PlannedModule& module = *plan_.modules[index];
    std::vector<std::pair<std::string, std::vector<CoreNamedIndex>>> bundles;
    for (std::size_t n = 0; n < module.imports.size(); ++n) {
      const CoreImport& import = module.imports[n];
      CoreNamedIndex item{import.name, CoreSort::Func, 0};
      if (import.kind == Kind::Memory) item.sort = CoreSort::Memory, item.index = CUSP_TRY(memory(module.name));
      else if (auto shim = shim_of_.find({index, n}); shim != shim_of_.end()) item.index = shim_func(shim->second);
      else item.index = CUSP_TRY(direct(index, import));
      auto bundle = std::ranges::find_if(bundles, [&](const auto& entry) { return entry.first == import.module; });
      if (bundle == bundles.end()) bundle = bundles.insert(bundles.end(), {import.module, {}});
      bool again =
          std::ranges::any_of(bundle->second, [&](const CoreNamedIndex& other) { return other.name == import.name; });
      if (!again) bundle->second.push_back(item); // a module may import the same thing twice
    }
    std::vector<CoreNamedIndex> arguments;
    for (auto& [name, items] : bundles) arguments.push_back({name, CoreSort::Instance, root_.core_bundle(items)});
    instances_[index] = root_.core_instantiate(modules_[index], arguments);
    return {};
  }

  void initialize() {
    const wasm::Export* found = plan_.main().module.find_export("_initialize");
    if (!found || found->kind != wasm::ExternKind::Func) return;
    std::uint32_t func = root_.alias_core_export(CoreSort::Func, instances_[0], "_initialize");
    CoreModuleWriter module;
    module.import_func("", "", module.type({}));
    module.start(0);
    std::uint32_t index = root_.core_module(module.finish());
    root_.core_instantiate(index, {{"", CoreSort::Instance, root_.core_bundle({{"", CoreSort::Func, func}})}});
  }

  Result<std::uint32_t> memory(std::string_view what) {
    if (!memory_) {
      const wasm::Export* found = plan_.main().module.find_export("memory");
      if (!found || found->kind != wasm::ExternKind::Memory)
        return base::fail(ErrorCode::Unlinkable,
                          fmt::format("the module does not export its `memory`, which `{}` needs", what));
      memory_ = root_.alias_core_export(CoreSort::Memory, instances_[0], "memory");
    }
    return *memory_;
  }

  // The allocator that lifting into, or calling out of, a module uses. Its own before the main module's.
  Result<std::uint32_t> realloc(std::size_t index, bool exporting, std::string_view what) {
    std::vector<std::pair<std::size_t, std::string_view>> candidates{
        {index, exporting ? "cabi_export_realloc" : "cabi_import_realloc"},
        {index, "cabi_realloc"},
        {index, "canonical_abi_realloc"},
        {0, "cabi_realloc"},
        {0, "canonical_abi_realloc"}};
    for (const auto& [module, name] : candidates) {
      const wasm::Export* found = plan_.modules[module]->module.find_export(name);
      if (!found) continue;
      auto [alias, fresh] = reallocs_.try_emplace({module, std::string(name)}, 0);
      if (fresh) alias->second = root_.alias_core_export(CoreSort::Func, instances_[module], name);
      return alias->second;
    }
    return base::fail(ErrorCode::Unlinkable,
                      fmt::format("the module does not export `cabi_realloc`, which `{}` needs", what));
  }

  // ---- canonical functions ----

  struct Options {
    std::uint32_t count = 0;
    Bytes list;
    void add(OptionCode code) { list.u8(code), ++count; }
    void add(OptionCode code, std::uint32_t index) { list.u8(code).u32(index), ++count; }
    Bytes bytes() const { return Bytes().u32(count).append(list); }
  };

  Result<Options> options(std::size_t module, const CoreSignature& signature, bool exporting, std::string_view what,
                          OptionCode encoding = kUtf8) {
    Options result;
    if (!signature.needs_memory && !signature.needs_realloc) return result;
    result.add(encoding);
    result.add(kMemory, CUSP_TRY(memory(what)));
    if (signature.needs_realloc) result.add(kRealloc, CUSP_TRY(realloc(module, exporting, what)));
    return result;
  }

  // The core function that an import stands for.
  Result<std::uint32_t> direct(std::size_t module, const CoreImport& import) {
    switch (import.kind) {
    case Kind::Module: {
      for (std::size_t i = 0; i < plan_.modules.size(); ++i) {
        if (plan_.modules[i]->name != (import.module == kMainModule ? "" : import.module)) continue;
        const wasm::Export* found = find_core_export(plan_.modules[i]->module, import.name);
        if (found) return root_.alias_core_export(CoreSort::Func, instances_[i], found->name);
      }
      return base::fail(ErrorCode::Internal, fmt::format("`{}` of `{}` was lost", import.name, import.module));
    }
    case Kind::Function: return lower(module, import);
    case Kind::ResourceDrop: return root_.canon(Bytes{3}.u32(CUSP_TRY(resource(import))));
    case Kind::ResourceNew: return root_.canon(Bytes{2}.u32(CUSP_TRY(resource(import))));
    case Kind::ResourceRep: return root_.canon(Bytes{4}.u32(CUSP_TRY(resource(import))));
    case Kind::TaskReturn: {
      Bytes canon{9};
      if (import.function->result) canon.u8(0).append(CUSP_TRY(encoder(import).value(*import.function->result)));
      else canon.u8(1).u8(0);
      Options list = CUSP_TRY(options(module, import.signature, false, import.name));
      return root_.canon(canon.append(list.bytes()));
    }
    case Kind::Builtin: return builtin(module, import);
    case Kind::Memory: break;
    }
    return base::fail(ErrorCode::Internal, fmt::format("`{}` is no function", import.name));
  }

  TypeEncoder& encoder(const CoreImport& import) {
    auto view = import.exported ? views_.find(import.interface) : views_.end();
    return view == views_.end() ? imports_.types() : view->second->encoder;
  }
  Result<std::uint32_t> resource(const CoreImport& import) { return encoder(import).resource(import.type); }

  Result<std::uint32_t> lower(std::size_t module, const CoreImport& import) {
    std::uint32_t func = 0;
    for (const wit::WorldItem& item : plan_.world().imports) {
      if (import.interface.is_none() && graph_.extern_name(item) == graph_.extern_name(*import.function))
        func = imports_.import_index(item);
      const auto* id = std::get_if<wit::InterfaceId>(&item.what);
      if (!id || *id != import.interface) continue;
      func = root_.alias_export(Sort::Func, imports_.import_index(item), graph_.extern_name(*import.function));
      break;
    }
    Options list = CUSP_TRY(options(module, import.signature, false, import.name));
    if (import.is_async) list.add(kAsync);
    return root_.canon(Bytes{1, 0}.u32(func).append(list.bytes()));
  }

  Result<std::uint32_t> builtin(std::size_t module, const CoreImport& import) {
    Bytes canon{import.opcode};
    for (char immediate : import.immediates) {
      switch (immediate) {
      case 't': canon.u32(CUSP_TRY(payload(import))); break;
      case 'a': canon.u8(import.is_async ? 1 : 0); break;
      case 'c': canon.u8(import.cancellable ? 1 : 0); break;
      case 'm': canon.u32(CUSP_TRY(memory(import.name))); break;
      case '0':
      case '1': canon.u8(0x7f).u32(static_cast<std::uint32_t>(immediate - '0')); break;
      default: {
        OptionCode encoding = immediate == 'u' ? kUtf16 : immediate == 'l' ? kLatin1Utf16 : kUtf8;
        Options list = CUSP_TRY(options(module, import.signature, false, import.name, encoding));
        if (import.is_async) list.add(kAsync);
        canon.append(list.bytes());
      }
      }
    }
    return root_.canon(canon);
  }

  Result<std::uint32_t> payload(const CoreImport& import) {
    if (!import.type.is_none()) return encoder(import).index(import.type);
    bool stream = import.opcode < 0x15;
    auto [found, fresh] = units_.try_emplace(stream, 0);
    if (fresh) found->second = root_.type(Bytes{static_cast<std::uint8_t>(stream ? 0x66 : 0x65), 0});
    return found->second;
  }

  // ---- exports ----

  Result<std::uint32_t> lift(const PlannedExport& entry, TypeEncoder& types) {
    std::uint32_t type = CUSP_TRY(types.function(*entry.function));
    std::uint32_t core = root_.alias_core_export(CoreSort::Func, instances_[entry.module], entry.core_name);
    CoreSignature signature = core_signature(graph_, *entry.function, entry.side);
    Options list = CUSP_TRY(options(entry.module, signature, true, entry.core_name));
    auto alias = [&](const std::string& name) {
      return root_.alias_core_export(CoreSort::Func, instances_[entry.module], name);
    };
    if (entry.side != CoreSide::Export) list.add(kAsync);
    if (!entry.callback.empty()) list.add(kCallback, alias(entry.callback));
    if (entry.side == CoreSide::Export && !entry.post_return.empty()) list.add(kPostReturn, alias(entry.post_return));
    return root_.canon(Bytes{0, 0}.u32(core).append(list.bytes()).u32(type));
  }

  Result<void> export_(const wit::WorldItem& item) {
    std::string name = graph_.extern_name(item);
    const auto* id = std::get_if<wit::InterfaceId>(&item.what);
    std::vector<std::uint32_t> functions;
    for (const PlannedExport& entry : plan_.exports) {
      if (entry.item != &item) continue;
      functions.push_back(CUSP_TRY(lift(entry, id ? views_.at(*id)->encoder : imports_.types())));
    }
    if (!id) {
      if (!functions.empty())
        root_.export_item(ExternLabel(name, {}, item.attributes.external_id), Sort::Func, functions[0]);
      return {};
    }
    ExportShim shim = CUSP_TRY(
        make_export_shim(graph_, *id, functions, [&](wit::TypeId type) { return views_.at(*id)->named(type); }));
    std::uint32_t component = root_.component(shim.component);
    std::uint32_t instance = root_.instantiate(component, shim.arguments);
    std::string implements = item.implements ? graph_.interface_name(*item.implements) : std::string();
    std::uint32_t exported =
        root_.export_item(ExternLabel(name, implements, item.attributes.external_id), Sort::Instance, instance);
    imports_.set_instance(*id, exported);
    exported_.insert(*id);
    return {};
  }

  const ComponentPlan& plan_;
  const wit::Graph& graph_;
  ScopeWriter root_;
  WorldEncoder imports_;
  std::map<wit::InterfaceId, std::unique_ptr<View>> views_;
  std::set<wit::InterfaceId> exported_;
  std::vector<std::uint32_t> modules_, instances_; // core indices, by ComponentPlan::modules
  std::vector<Shim> shims_;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> shim_of_; // module, import: shim
  std::map<wit::TypeId, std::size_t> destructors_;
  std::uint32_t shim_instance_ = 0;
  std::optional<std::uint32_t> memory_;
  std::map<std::pair<std::size_t, std::string>, std::uint32_t> reallocs_;
  std::map<bool, std::uint32_t> units_;
};

} // namespace

Result<std::vector<std::uint8_t>> write_component(const ComponentPlan& plan) { return Writer(plan).run(); }

} // namespace cusp::compose
