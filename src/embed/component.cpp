#include "cusp/component.hpp"

#include "embed/engine.h"
#include "embed/errors.h"

namespace cusp {

namespace {

Result<std::shared_ptr<const detail::ComponentState>>
to_component(const Engine& engine, Result<std::shared_ptr<const runtime::Code>> code, const std::string& name) {
  if (!code) return std::unexpected(std::move(code).error());
  if (!(*code)->artifact().meta().plan)
    return std::unexpected(
        Error{.code = ErrorCode::InvalidArgument, .message = "this is a core module, not a component", .file = name});
  return std::make_shared<const detail::ComponentState>(detail::EngineState::of(engine), *std::move(code), name);
}

} // namespace

Result<Component> Component::load(const Engine& engine, const std::string& path) {
  auto state = to_component(engine, embed::load_code(*detail::EngineState::of(engine), path), path);
  if (!state) return std::unexpected(std::move(state).error());
  return Component(*std::move(state));
}

Result<Component> Component::compile(const Engine& engine, std::span<const std::uint8_t> wasm,
                                     const std::string& name) {
  auto state = to_component(engine, embed::compile_code(*detail::EngineState::of(engine), wasm, name), name);
  if (!state) return std::unexpected(std::move(state).error());
  return Component(*std::move(state));
}

Result<void> Component::save(const std::string& path) const { return embed::save_code(*state_->code, path); }

std::vector<ExternInfo> Component::imports() const {
  const component::LinkPlan& plan = state_->plan();
  std::vector<ExternInfo> found;
  for (const component::Resource& resource : plan.resources)
    if (resource.imported) found.push_back({resource.interface, resource.name, "resource"});
  for (const component::HostImport& import : plan.host_imports)
    found.push_back({import.interface, import.name, canon::to_string(plan.types, plan.types.funcs[import.type])});
  return found;
}

std::vector<ExternInfo> Component::exports() const {
  const component::LinkPlan& plan = state_->plan();
  std::vector<ExternInfo> found;
  for (const component::Export& item : plan.exports) {
    if (const auto* func = std::get_if<component::ExportedFunc>(&item.item)) {
      const component::FuncType& type = plan.types.funcs[plan.lifts[func->lift.value].type];
      found.push_back({item.interface, item.name, canon::to_string(plan.types, type)});
    } else if (const auto* host = std::get_if<component::ExportedHostFunc>(&item.item)) {
      const component::FuncType& type = plan.types.funcs[plan.host_imports[host->import.value].type];
      found.push_back({item.interface, item.name, canon::to_string(plan.types, type)});
    } else if (std::get<component::ExportedType>(item.item).resource) {
      found.push_back({item.interface, item.name, "resource"});
    }
  }
  return found;
}

bool Component::has_export(std::string_view interface, std::string_view name) const {
  std::string track = canon::semver_track(interface);
  for (const component::Export& item : state_->plan().exports)
    if (item.name == name && !std::holds_alternative<component::ExportedType>(item.item) &&
        (item.interface == interface || canon::semver_track(item.interface) == track))
      return true;
  return false;
}

} // namespace cusp
