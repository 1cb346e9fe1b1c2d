// The functions that core code calls when it calls the canonical ABI: lowered host functions, lowered functions of
// other components, resource.new, resource.rep, resource.drop. Each is an abi::HostFunc::function: zero, or non-zero
// with a trap left in the store. Spec: CanonicalABI.md, "Canonical Definitions".
#include <fmt/format.h>

#include "canon/component_state.h"
#include "canon/transfer.h"
#include "canon/value_abi.h"

namespace cusp::canon {

using component::ComponentInstanceIndex;

namespace {

TrampolineRecord& record_of(abi::HostFunc* self) { return *static_cast<TrampolineRecord*>(self->environment); }

[[gnu::cold, gnu::noinline]] std::uint32_t fail(TrampolineRecord& record, Trap trap) {
  record.owner->slot().set_pending_trap(trap.code, trap.message);
  record.owner->state().failure = std::move(trap);
  return 1;
}
[[gnu::cold, gnu::noinline]] std::uint32_t cannot_leave(TrampolineRecord& record) {
  return fail(record, {std::string(abi::trap_text(abi::Trap::CannotLeave)), abi::Trap::CannotLeave});
}

// --- lowered host functions

void call_dynamic(TrampolineRecord& record, CallContext& cx, abi::ValRaw* values) {
  const ComponentCode::State& code = record.owner->code().state();
  const component::TypeTable& types = code.types();
  const component::FuncType& type = types.funcs[record.type];
  const FuncLayout& layout = code.layouts[record.type];
  ValueAbi value_abi(cx, types, code.resources);
  std::vector<Value> arguments;
  if (layout.params_in_memory) {
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
  if (!layout.result_in_memory) return value_abi.lower_flat(values, result, *type.result);
  if (std::uint8_t* at =
          cx.range(values[layout.result_pointer()].i32, layout.result_size, layout.result_alignment, "result area"))
    value_abi.store(at, result, *type.result);
}

std::uint32_t lower_host(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  if (!record.instance->may_leave) [[unlikely]]
    return cannot_leave(record);
  {
    CallContext cx(record.owner, *record.instance, record.options, nullptr);
    if (record.thunk) record.thunk(cx, record.callable, values);
    else call_dynamic(record, cx, values);
    if (cx.trapped()) [[unlikely]]
      return fail(record, cx.trap_info());
  }
  return record.owner->slot().finish_host_call();
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
  return lower_host(self, values);
}

// --- lowered functions of another component

// Parameters from the caller to the callee; the callee's flat slots are filled.
void pass_parameters(Transfer& transfer, LiftLowerContext& from, LiftLowerContext& to, const component::FuncType& type,
                     const FuncLayout& layout, const component::TypeTable& types, abi::ValRaw* source,
                     abi::ValRaw* target) {
  if (!layout.params_in_memory) {
    std::uint32_t flat = 0;
    for (const component::Param& param : type.params) {
      transfer.flat(source + flat, target + flat, param.type);
      flat += types.flat_count(param.type);
    }
    return;
  }
  const std::uint8_t* at = from.range(source[0].i32, layout.params_size, layout.params_alignment, "parameters");
  if (!at) return;
  std::uint32_t pointer = 0;
  std::uint8_t* target_at = to.allocate(layout.params_alignment, layout.params_size, pointer);
  if (!target_at) return;
  for (std::size_t i = 0; i < type.params.size(); ++i)
    transfer.memory(at + layout.offsets[i], target_at + layout.offsets[i], type.params[i].type);
  target[0].i64 = pointer;
}

void pass_result(LiftLowerContext& from, LiftLowerContext& to, const component::FuncType& type,
                 const FuncLayout& layout, const ComponentCode::State& code, abi::ValRaw* callee_values,
                 abi::ValRaw* caller_values) {
  if (!type.result) return;
  Transfer transfer(from, to, code.types(), code.resources);
  if (!layout.result_in_memory) return transfer.flat(callee_values, caller_values, *type.result);
  const std::uint8_t* at = from.range(callee_values[0].i32, layout.result_size, layout.result_alignment, "result");
  if (!at) return;
  std::uint8_t* target =
      to.range(caller_values[layout.result_pointer()].i32, layout.result_size, layout.result_alignment, "result area");
  if (target) transfer.memory(at, target, *type.result);
}

std::uint32_t lower_lifted(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  if (!record.instance->may_leave) return cannot_leave(record);
  ComponentInstance::State& state = record.owner->state();
  const ComponentCode::State& code = record.owner->code().state();
  const auto& lower = std::get<component::Lower>(record.plan->kind);
  LiftRecord& lift = state.lifts[std::get<component::LiftIndex>(lower.callee).value];
  if (lift.plan->options.is_async || lower.options.is_async)
    return fail(record, {"async functions are not supported yet"});
  const component::FuncType& type = code.types().funcs[lift.plan->type];
  const FuncLayout& layout = code.layouts[lift.plan->type];

  Task task;
  task.instance = lift.plan->instance;
  task.caller_instance = record.instance->index;
  if (!state.enter(task.instance, task.caller_instance))
    return fail(record, {std::string(abi::trap_text(abi::Trap::CannotEnter)), abi::Trap::CannotEnter});
  task.caller = std::exchange(state.current, &task);
  task.state = Task::State::Started;

  LiftLowerContext caller(record.owner, *record.instance, record.options, nullptr);
  LiftLowerContext callee(record.owner, *lift.instance, lift.options, &task);
  abi::ValRaw callee_values[component::kMaxFlatParams];
  Transfer transfer(caller, callee, code.types(), code.resources);
  pass_parameters(transfer, caller, callee, type, layout, code.types(), values, callee_values);
  bool ran = !caller.trapped() && callee.call_core(lift.core, callee_values);
  std::uint64_t flat_result = callee_values[0].i64;
  if (ran) {
    pass_result(callee, caller, type, layout, code, callee_values, values);
    if (!callee.trapped() && task.num_borrows) callee.trap("borrow handles still remain at the end of the call");
    if (!callee.trapped() && !caller.trapped() && lift.options.post_return) {
      callee_values[0].i64 = flat_result;
      lift.instance->may_leave = false;
      callee.call_core(lift.options.post_return, callee_values);
      lift.instance->may_leave = true;
    }
  }
  state.current = task.caller;
  if (caller.trapped()) return fail(record, caller.trap_info());
  if (callee.trapped()) return fail(record, callee.trap_info());
  state.leave(task.instance, task.caller_instance);
  return 0;
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
  if (TableEntry* entry = cx.resource_entry(values[0].i32, *record.resource)) values[0].i64 = entry->rep;
  return cx.trapped() ? fail(record, cx.trap_info()) : 0;
}

std::uint32_t resource_drop(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  if (!record.instance->may_leave) return cannot_leave(record);
  LiftLowerContext cx(record.owner, *record.instance, record.options, nullptr);
  if (!drop_resource(cx, values[0].i32, *record.resource)) return fail(record, cx.trap_info());
  return 0;
}

// --- what is not here yet

std::uint32_t other_builtin(abi::HostFunc* self, abi::ValRaw*) {
  TrampolineRecord& record = record_of(self);
  std::string_view name = component::builtin_name(std::get<component::Builtin>(record.plan->kind).kind);
  bool leaves = !name.starts_with("context.") && !name.starts_with("backpressure.");
  if (leaves && !record.instance->may_leave) return cannot_leave(record);
  return fail(record, {fmt::format("the built-in `{}` is not supported yet", name)});
}

} // namespace

bool drop_resource(LiftLowerContext& cx, std::uint32_t handle, const ResourceType& type) {
  TableEntry* found = cx.resource_entry(handle, type);
  if (!found) return false;
  if (found->lends) return cx.trap("cannot remove owned resource while borrowed"), false;
  TableEntry entry = *found;
  cx.instance().handles.remove(handle);
  if (!entry.own) {
    if (entry.borrow_scope) --entry.borrow_scope->num_borrows;
    return true;
  }
  if (type.is_host) {
    if (type.destroy) type.destroy(type, entry.rep);
    return true;
  }
  ComponentInstance::State& state = cx.component().state();
  ComponentInstanceIndex caller = cx.instance().index;
  // The implementer is entered even when it has no destructor: the rule does not depend on that.
  if (!state.enter(type.instance, caller)) {
    cx.trap(std::string(abi::trap_text(abi::Trap::CannotEnter)), abi::Trap::CannotEnter);
    return false;
  }
  if (const CoreCallee& destructor = state.destructors[type.index.value]) {
    Task task;
    task.instance = type.instance;
    task.caller_instance = caller;
    task.caller = std::exchange(state.current, &task);
    abi::ValRaw values[1];
    values[0].i64 = entry.rep;
    bool ran = cx.call_core(destructor, values);
    state.current = task.caller;
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
  return other_builtin;
}

} // namespace cusp::canon
