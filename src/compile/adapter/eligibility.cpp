#include "compile/adapter/eligibility.h"

#include <algorithm>

namespace cusp::compile {

using component::AddressType;
using component::ComponentInstanceIndex;
using component::CoreItem;
using component::HostImportIndex;
using component::LiftIndex;
using component::Lower;
using component::TypeKind;

Eligibility::Eligibility(const component::LinkPlan& plan, const std::vector<component::CoreModule>& modules)
    : plan_(plan), modules_(modules), needs_tasks_(plan.component_instances) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> calls; // caller, callee
  for (const component::Trampoline& trampoline : plan.trampolines) {
    const std::uint32_t caller = trampoline.instance.value;
    if (std::holds_alternative<component::Builtin>(trampoline.kind)) needs_tasks_[caller] = true;
    if (const auto* drop = std::get_if<component::ResourceDrop>(&trampoline.kind)) {
      const component::Resource& resource = plan.resources[drop->resource.value];
      if (!resource.imported) calls.emplace_back(caller, resource.instance.value);
    }
    const auto* lower = std::get_if<Lower>(&trampoline.kind);
    if (!lower) continue;
    if (plan.types.funcs[lower->type].is_async || lower->options.is_async) needs_tasks_[caller] = true;
    if (const auto* lift = std::get_if<LiftIndex>(&lower->callee))
      calls.emplace_back(caller, plan.lifts[lift->value].instance.value);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (auto [caller, callee] : calls)
      if (needs_tasks_[callee] && !needs_tasks_[caller]) needs_tasks_[caller] = changed = true;
  }
}

bool Eligibility::is_compiled(const component::Trampoline& trampoline, const std::vector<bool>& made) const {
  auto has_small_rep = [&](component::ResourceIndex resource) {
    return plan_.resources[resource.value].rep == AddressType::I32;
  };
  if (const auto* lower = std::get_if<Lower>(&trampoline.kind))
    return is_call_compiled(trampoline.instance, *lower, made);
  if (const auto* made_new = std::get_if<component::ResourceNew>(&trampoline.kind))
    return has_small_rep(made_new->resource);
  if (const auto* rep = std::get_if<component::ResourceRep>(&trampoline.kind)) return has_small_rep(rep->resource);
  if (const auto* drop = std::get_if<component::ResourceDrop>(&trampoline.kind))
    return has_small_rep(drop->resource) &&
           is_drop_compiled(trampoline.instance, plan_.resources[drop->resource.value], made);
  return false;
}

bool Eligibility::is_call_compiled(ComponentInstanceIndex caller, const Lower& lower,
                                   const std::vector<bool>& made) const {
  const auto* index = std::get_if<LiftIndex>(&lower.callee);
  if (!index) return false;
  const component::Lift& lift = plan_.lifts[index->value];
  const component::FuncType& type = plan_.types.funcs[lift.type];
  if (type.is_async || lower.options.is_async || lift.options.is_async) return false;
  if (needs_tasks_[caller.value] || needs_tasks_[lift.instance.value]) return false;
  // Relatives may not call each other; canon/ says so.
  if (is_around(caller.value, lift.instance) || is_around(lift.instance.value, caller)) return false;
  if (!is_usable(lift.core, made) || !are_usable(lower.options, made) || !are_usable(lift.options, made)) return false;
  return std::ranges::all_of(type.params, [&](const component::Param& param) { return can_pass(param.type, false); }) &&
         (!type.result || can_pass(*type.result, false));
}

bool Eligibility::is_drop_compiled(ComponentInstanceIndex caller, const component::Resource& resource,
                                   const std::vector<bool>& made) const {
  if (resource.imported || needs_tasks_[caller.value] || needs_tasks_[resource.instance.value]) return false;
  return is_usable(resource.destructor, made);
}

// Streams, futures and error contexts are canon's own objects. Borrow handles in a list may be any number.
bool Eligibility::can_pass(component::ValType type, bool in_list) const {
  switch (type.kind) {
  case TypeKind::Stream:
  case TypeKind::Future:
  case TypeKind::ErrorContext: return false;
  case TypeKind::Own: return plan_.resources[type.index].rep == AddressType::I32;
  case TypeKind::Borrow: return !in_list && plan_.resources[type.index].rep == AddressType::I32;
  default: break;
  }
  if (!component::has_layout(type.kind)) return true;
  const component::TypeDef& def = plan_.types.defs[type.index];
  in_list = in_list || type.kind == TypeKind::List || type.kind == TypeKind::Map || type.kind == TypeKind::FixedList;
  auto passes = [&](const std::optional<component::ValType>& inner) { return !inner || can_pass(*inner, in_list); };
  return passes(def.element) && passes(def.error) &&
         std::ranges::all_of(def.labels, [&](const component::Label& label) { return passes(label.type); });
}

bool Eligibility::are_usable(const component::CanonicalOptions& options, const std::vector<bool>& made) const {
  if (options.memory) {
    if (options.addresses != AddressType::I32 || !made[options.memory->instance.value]) return false;
    const wasm::Module& module = modules_[plan_.core_instances[options.memory->instance.value]].module;
    if (module.memories[options.memory->index].shared) return false;
  }
  return is_usable(options.realloc, made) && is_usable(options.post_return, made);
}

bool Eligibility::is_usable(const std::optional<component::CoreFunc>& func, const std::vector<bool>& made) const {
  if (!func) return true;
  const auto* item = std::get_if<CoreItem>(&*func);
  return item && made[item->instance.value] && has_plain_type(*item);
}

// Adapters import functions by a type of their own, which is the same when neither takes part in recursion or subtyping.
bool Eligibility::has_plain_type(const CoreItem& func) const {
  const wasm::Module& module = modules_[plan_.core_instances[func.instance.value]].module;
  const wasm::TypeIndex index = module.functions[func.index].type;
  const wasm::SubType& type = module.types[index.value];
  const std::uint32_t next = index.value + 1;
  const bool is_alone =
      type.rec_group == index && (next == module.types.size() || module.types[next].rec_group != index);
  return is_alone && type.is_final && !type.supertype;
}

bool Eligibility::is_around(std::uint32_t outer, ComponentInstanceIndex inner) const {
  for (std::uint32_t i = inner.value;;) {
    if (i == outer) return true;
    if (i == 0) return false;
    i = i < plan_.component_parents.size() ? plan_.component_parents[i] : 0;
  }
}

std::vector<std::uint32_t> Eligibility::entered(ComponentInstanceIndex callee, ComponentInstanceIndex caller) const {
  std::vector<std::uint32_t> instances;
  for (std::uint32_t i = callee.value; !is_around(i, caller);
       i = i < plan_.component_parents.size() ? plan_.component_parents[i] : 0) {
    instances.push_back(i);
    if (i == 0) break;
  }
  return instances;
}

} // namespace cusp::compile
