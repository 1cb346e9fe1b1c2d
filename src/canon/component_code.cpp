#include <fmt/format.h>

#include "canon/component_state.h"

namespace cusp::canon {

using base::ErrorCode;
using component::LinkPlan;

FuncLayout func_layout(const component::TypeTable& types, const component::FuncType& type) {
  FuncLayout layout;
  for (const component::Param& param : type.params) {
    std::uint32_t alignment = types.alignment(param.type);
    layout.params_size = align_to(layout.params_size, alignment);
    layout.offsets.push_back(layout.params_size);
    layout.params_size += types.size(param.type);
    layout.params_alignment = std::max(layout.params_alignment, alignment);
    layout.flat_params += types.flat_count(param.type);
  }
  layout.params_size = align_to(layout.params_size, layout.params_alignment);
  layout.has_result = type.result.has_value();
  if (type.result) {
    layout.flat_result = types.flat_count(*type.result);
    layout.result_size = types.size(*type.result);
    layout.result_alignment = types.alignment(*type.result);
  }
  return layout;
}

namespace {

std::string import_name(const std::string& interface, const std::string& name) {
  return interface.empty() ? fmt::format("`{}`", name) : fmt::format("`{}` of `{}`", name, interface);
}

std::string place_text(const Mismatch& mismatch) { return mismatch.place.empty() ? "" : mismatch.place + ": "; }

class Linking {
public:
  Linking(ComponentCode::State& state, const Linker& linker) : state_(state), plan_(*state.plan), linker_(linker) {}

  Result<void> run() {
    resources();
    for (const component::FuncType& type : plan_.types.funcs) state_.layouts.push_back(func_layout(plan_.types, type));
    for (const component::HostImport& import : plan_.host_imports) host_import(import);
    if (problems_.empty()) return {};
    std::string text =
        problems_.size() == 1 ? problems_[0] : fmt::format("{} imports cannot be given:", problems_.size());
    if (problems_.size() > 1)
      for (const std::string& problem : problems_) text += "\n  " + problem;
    return base::fail(ErrorCode::Unlinkable, text);
  }

private:
  void resources() {
    state_.guest_types.resize(plan_.resources.size());
    for (std::uint32_t i = 0; i < plan_.resources.size(); ++i) {
      const component::Resource& resource = plan_.resources[i];
      ResourceType& own = state_.guest_types[i];
      own.index = component::ResourceIndex(i);
      own.instance = resource.instance;
      const ResourceType* type = &own;
      if (resource.imported) {
        if (auto found = linker_.find_resource(resource.interface, resource.name)) {
          type = found.get();
          state_.kept_types.push_back(std::move(found));
        } else {
          own.is_host = true; // of nothing: no value of it can be made
          if (!state_.options.default_missing && !state_.options.trap_missing)
            problems_.push_back(fmt::format("unknown import: the resource {} is not given by the host{}",
                                            import_name(resource.interface, resource.name), hint(resource.interface)));
        }
      }
      state_.resources.push_back(type);
      state_.identities.push_back(type);
    }
  }

  void host_import(const component::HostImport& import) {
    auto def = linker_.find_func(import.interface, import.name);
    if (!def) {
      if (!state_.options.default_missing && !state_.options.trap_missing)
        problems_.push_back(fmt::format("unknown import: {} is not given by the host{}",
                                        import_name(import.interface, import.name), hint(import.interface)));
    } else if (const component::FuncType& type = plan_.types.funcs[import.type]; def->desc) {
      if (auto mismatch = find_mismatch(*def->desc, plan_.types, type, state_.resources))
        problems_.push_back(fmt::format("import {} has another type: {}the component wants {}, the host gives {}",
                                        import_name(import.interface, import.name), place_text(*mismatch),
                                        mismatch->component, mismatch->host));
    }
    state_.imports.push_back(std::move(def));
  }

  std::string hint(const std::string& interface) const {
    return interface.empty() || linker_.has_interface(interface) ? "" : " (which has nothing of that interface)";
  }

  ComponentCode::State& state_;
  const LinkPlan& plan_;
  const Linker& linker_;
  std::vector<std::string> problems_;
};

// Writes into a memory or table that it did not make: then the order matters of its making and of start functions
// before it.
bool writes_elsewhere(const artifact::ModuleMeta& module) {
  for (const artifact::ElemMeta& elem : module.elems)
    if (elem.mode == artifact::SegmentMode::Active && elem.table < module.shape.imported_tables) return true;
  for (const artifact::DataMeta& data : module.datas)
    if (data.mode == artifact::SegmentMode::Active && data.memory < module.shape.imported_memories) return true;
  return false;
}

// Up to the first start function everything is static. After it a step is static when it runs no guest code, writes
// nothing that the guest code before it could have seen, and needs only static instances; constant expressions read
// immutable globals only.
void order_steps(ComponentCode::State& state) {
  const LinkPlan& plan = *state.plan;
  std::vector<bool> is_static(plan.core_instances.size());
  bool started = false;
  for (std::uint32_t i = 0; i < plan.steps.size(); ++i) {
    const auto& step = std::get<component::InstantiateCore>(plan.steps[i]);
    const artifact::ModuleMeta& module = state.code->module(step.module);
    bool early = !started || !writes_elsewhere(module);
    for (const component::CoreArgument& argument : step.arguments)
      if (const auto* item = std::get_if<component::CoreItem>(&argument))
        early = early && is_static[item->instance.value];
    if (early) state.static_steps.push_back(i);
    is_static[step.instance.value] = early;
    if (!early || module.start) state.use_steps.push_back({i, !early, module.start.has_value()});
    started = started || module.start;
    if (!early)
      state.needs_fresh_slot = state.needs_fresh_slot || module.shape.defined_memories || module.shape.defined_tables;
  }
}

} // namespace

ComponentCode::ComponentCode() : state_(std::make_unique<State>()) {}
ComponentCode::~ComponentCode() = default;

const LinkPlan& ComponentCode::plan() const { return *state_->plan; }
std::span<const ResourceType* const> ComponentCode::resources() const { return state_->resources; }
const std::shared_ptr<const runtime::Code>& ComponentCode::code() const { return state_->code; }

Result<std::shared_ptr<const ComponentCode>> ComponentCode::link(std::shared_ptr<const runtime::Code> code,
                                                                 const Linker& linker, const LinkOptions& options) {
  const auto& meta = code->artifact().meta();
  if (!meta.plan) return base::fail(ErrorCode::InvalidArgument, "this is a core module, not a component");
  std::shared_ptr<ComponentCode> made(new ComponentCode);
  State& state = *made->state_;
  state.code = std::move(code);
  state.plan = &*meta.plan;
  state.options = options;
  CUSP_TRY(Linking(state, linker).run());
  const LinkPlan& plan = *state.plan;
  order_steps(state);
  runtime::SlotOptions slot_options;
  slot_options.limits = options.limits;
  slot_options.tracking = options.tracking;
  slot_options.owner_bytes = static_cast<std::uint32_t>(plan.trampolines.size() * sizeof(abi::HostFunc));
  state.slot_layout = CUSP_TRY(runtime::SlotLayout::create(state.code, plan.core_instances, slot_options));
  return made;
}

Result<ExportFunc> ComponentCode::find_export(std::string_view interface, std::string_view name) const {
  std::string track = semver_track(interface), known;
  for (const component::Export& candidate : plan().exports) {
    ExportFunc func;
    if (const auto* lifted = std::get_if<component::ExportedFunc>(&candidate.item)) {
      func.lift = lifted->lift.value;
      func.type = &types().funcs[plan().lifts[func.lift].type];
    } else if (const auto* host = std::get_if<component::ExportedHostFunc>(&candidate.item)) {
      func.host_import = host->import.value;
      func.type = &types().funcs[plan().host_imports[func.host_import].type];
    } else {
      continue;
    }
    if (candidate.name == name && (candidate.interface == interface || semver_track(candidate.interface) == track))
      return func;
    if (known.size() < 400) known += (known.empty() ? "" : ", ") + import_name(candidate.interface, candidate.name);
  }
  return base::fail(ErrorCode::NotFound, fmt::format("the component does not export the function {}; it exports {}",
                                                     import_name(std::string(interface), std::string(name)),
                                                     known.empty() ? "no functions" : known));
}

bool ComponentCode::has_export(std::string_view interface, std::string_view name) const {
  return find_export(interface, name).has_value();
}

Result<std::uint32_t> ComponentCode::find_typed(std::string_view interface, std::string_view name,
                                                const FuncDesc& desc) const {
  ExportFunc func = CUSP_TRY(find_export(interface, name));
  std::string full = import_name(std::string(interface), std::string(name));
  if (auto mismatch = find_mismatch(desc, types(), *func.type, state_->resources))
    return base::fail(ErrorCode::InvalidArgument,
                      fmt::format("export {} has another type: {}the component has {}, the host calls it with {}", full,
                                  place_text(*mismatch), mismatch->component, mismatch->host));
  if (func.lift == ~std::uint32_t{0})
    return base::fail(ErrorCode::Unsupported,
                      fmt::format("export {} is an import of the component, exported again", full));
  return func.lift;
}

} // namespace cusp::canon
