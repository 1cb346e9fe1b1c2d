// The functions that core code calls when it calls the canonical ABI: here, lowered host functions and resource.*. Each is an
// abi::HostFunc::function: zero, or non-zero with a trap left in the store. Spec: CanonicalABI.md, "Canonical Definitions".
#include <fmt/format.h>

#include "canon/component_state.h"
#include "canon/host_call.h"
#include "canon/value_abi.h"

namespace cusp::canon {

using component::ComponentInstanceIndex;

std::uint32_t fail(TrampolineRecord& record, Trap trap) {
  record.owner->slot().set_pending_trap(trap.code, trap.message);
  record.owner->state().failure = std::move(trap);
  return 1;
}

std::uint32_t cannot_leave(TrampolineRecord& record) {
  return fail(record, {std::string(abi::trap_text(abi::Trap::CannotLeave)), abi::Trap::CannotLeave});
}

// --- lowered host functions

namespace {

void call_dynamic(TrampolineRecord& record, CallContext& cx, abi::ValRaw* values) {
  const ComponentCode::State& code = record.owner->code().state();
  const component::TypeTable& types = code.types();
  const component::FuncType& type = types.funcs[record.type];
  const FuncLayout& layout = code.layouts[record.type];
  ValueAbi value_abi(cx, types, code.resources);
  std::vector<Value> arguments;
  bool async_lowered = cx.async_lowered();
  if (layout.params_in_memory(async_lowered)) {
    const std::uint8_t* at = cx.range(values[0].i32, layout.params_size, layout.params_alignment, "parameters");
    for (std::size_t i = 0; at && i < type.params.size(); ++i)
      arguments.push_back(value_abi.load(at + layout.offsets[i], type.params[i].type));
  } else {
    std::uint32_t flat = 0;
    for (const component::Param& param : type.params) {
      arguments.push_back(value_abi.lift_flat(values + flat, param.type));
      flat += types.flat_count(param.type);
    }
  }
  if (cx.trapped()) return;
  Value result;
  if (record.host) {
    Result<std::vector<Value>> returned = record.host->dynamic(cx, arguments);
    if (cx.trapped()) return;
    if (!returned) return cx.trap(returned.error().message);
    if (returned->size() != (type.result ? 1u : 0u))
      return cx.trap("the host function gave the wrong number of results");
    if (!type.result) return;
    Result<Value> conformed = conform(std::move(returned->front()), types, *type.result);
    if (!conformed) return cx.trap("the host function's result: " + conformed.error().message);
    result = std::move(*conformed);
  } else {
    if (!type.result) return;
    result = default_value(types, *type.result, code.resources);
  }
  cx.complete([&] {
    if (!layout.result_in_memory(async_lowered)) return value_abi.lower_flat(values, result, *type.result);
    std::uint8_t* at = cx.range(values[layout.result_pointer(async_lowered)].i32, layout.result_size,
                                layout.result_alignment, "result area");
    if (at) value_abi.store(at, result, *type.result);
  });
}

} // namespace

void call_host(TrampolineRecord& record, CallContext& cx, abi::ValRaw* values) {
  if (record.thunk) record.thunk(cx, record.callable, values);
  else call_dynamic(record, cx, values);
}

namespace {

bool is_async_lowered(const TrampolineRecord& record) {
  return std::get<component::Lower>(record.plan->kind).options.is_async;
}

std::uint32_t lower_host(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  if (!record.instance->may_leave) [[unlikely]]
    return cannot_leave(record);
  {
    CallContext cx(record.owner, *record.instance, record.options, nullptr);
    call_host(record, cx, values);
    if (cx.trapped()) [[unlikely]]
      return fail(record, cx.trap_info());
  }
  return record.owner->slot().finish_host_call();
}

std::uint32_t lower_host_async(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  if (!record.instance->may_leave) return cannot_leave(record);
  Scheduler& scheduler = record.owner->state().scheduler;
  bool async_lowered = is_async_lowered(record);
  if (!async_lowered && !scheduler.may_block()) return fail(record, {std::string(kCannotBlock)});
  const FuncLayout& layout = record.owner->code().state().layouts[record.type];
  std::uint32_t count = layout.result_pointer(async_lowered) + (layout.result_in_memory(async_lowered) ? 1 : 0);
  auto* call = new HostSubtask(record, values, async_lowered);
  if (!call->start(count))
    scheduler.fail({"there is no memory for the stack of a host function", abi::Trap::MemoryLimit});
  return finish_subtask(record, *call, values, async_lowered);
}

std::uint32_t lower_missing(TrampolineRecord& record) {
  const auto& lower = std::get<component::Lower>(record.plan->kind);
  const auto& import =
      record.owner->code().plan().host_imports[std::get<component::HostImportIndex>(lower.callee).value];
  return fail(record, {fmt::format("the import `{}` of `{}` was called, which the host does not give", import.name,
                                   import.interface)});
}

std::uint32_t lower_host_maybe_missing(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  if (!record.instance->may_leave) return cannot_leave(record);
  if (!record.host && !record.owner->code().state().options.default_missing) return lower_missing(record);
  if (record.host && record.owner->code().types().funcs[record.type].is_async) return lower_host_async(self, values);
  return lower_host(self, values);
}

// --- resources

std::uint32_t resource_new(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  if (!record.instance->may_leave) return cannot_leave(record);
  LiftLowerContext cx(record.owner, *record.instance, record.options, nullptr);
  values[0].i64 = cx.lower_own(values[0].i32, *record.resource);
  return cx.trapped() ? fail(record, cx.trap_info()) : 0;
}

std::uint32_t resource_rep(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  LiftLowerContext cx(record.owner, *record.instance, record.options, nullptr);
  if (HandleEntry* entry = cx.resource_entry(values[0].i32, *record.resource)) values[0].i64 = entry->rep;
  return cx.trapped() ? fail(record, cx.trap_info()) : 0;
}

std::uint32_t resource_drop(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  if (!record.instance->may_leave) return cannot_leave(record);
  LiftLowerContext cx(record.owner, *record.instance, record.options, nullptr);
  if (!drop_resource(cx, values[0].i32, *record.resource)) return fail(record, cx.trap_info());
  return 0;
}

} // namespace

bool drop_resource(LiftLowerContext& cx, std::uint32_t handle, const ResourceType& type) {
  HandleEntry* found = cx.resource_entry(handle, type);
  if (!found) return false;
  if (found->lends) return cx.trap("cannot remove owned resource while borrowed"), false;
  HandleEntry entry = *found;
  cx.instance().handles.remove(handle);
  if (!entry.own) {
    if (entry.borrows) --*entry.borrows;
    return true;
  }
  return destroy_resource(cx, cx.instance().index, type, entry.rep);
}

bool destroy_resource(LiftLowerContext& cx, ComponentInstanceIndex caller, const ResourceType& type,
                      std::uint64_t rep) {
  if (type.is_host) {
    if (type.destroy) type.destroy(type, rep);
    return true;
  }
  ComponentInstance::State& state = cx.component().state();
  // The implementer is entered even when it has no destructor: the rule does not depend on that.
  if (!state.enter(type.instance, caller)) {
    cx.trap(std::string(abi::trap_text(abi::Trap::CannotEnter)), abi::Trap::CannotEnter);
    return false;
  }
  if (const CoreCallee& destructor = state.destructors[type.index.value]) {
    SyncTask task;
    task.instance = &state.instances[type.instance.value];
    abi::ValRaw values[1];
    values[0].i64 = rep;
    state.scheduler.begin(task);
    bool ran = cx.call_core(destructor, values);
    state.scheduler.end(task);
    if (!ran) return false;
  }
  state.leave(type.instance, caller);
  return true;
}

HostEntry host_entry(const component::Trampoline& trampoline) {
  if (const auto* lower = std::get_if<component::Lower>(&trampoline.kind)) {
    if (std::holds_alternative<component::LiftIndex>(lower->callee)) return lower_lifted;
    return lower_host_maybe_missing;
  }
  if (std::holds_alternative<component::ResourceNew>(trampoline.kind)) return resource_new;
  if (std::holds_alternative<component::ResourceRep>(trampoline.kind)) return resource_rep;
  if (std::holds_alternative<component::ResourceDrop>(trampoline.kind)) return resource_drop;
  if (std::holds_alternative<component::Assist>(trampoline.kind)) return assist;
  return builtin_entry(std::get<component::Builtin>(trampoline.kind).kind);
}

} // namespace cusp::canon
