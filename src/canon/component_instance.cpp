#include <fmt/format.h>

#include "canon/component_state.h"
#include "canon/value_abi.h"

namespace cusp::canon {

using base::ErrorCode;
using component::ComponentInstanceIndex;
using component::LinkPlan;

// --- entering and leaving

bool ComponentInstance::State::is_around(std::uint32_t outer, ComponentInstanceIndex inner) const {
  if (inner.is_none()) return false;
  for (std::uint32_t i = inner.value;; i = instances[i].parent.value) {
    if (i == outer) return true;
    if (i == 0) return false;
  }
}

// The callee and those around it, without those around the caller too. Stops when `f` says false.
template <class F>
bool ComponentInstance::State::each_entered(ComponentInstanceIndex callee, ComponentInstanceIndex caller, F f) {
  for (std::uint32_t i = callee.value; !is_around(i, caller); i = instances[i].parent.value) {
    if (!f(instances[i])) return false;
    if (i == 0) break;
  }
  return true;
}

bool ComponentInstance::State::enter(ComponentInstanceIndex callee, ComponentInstanceIndex caller) {
  if (!each_entered(callee, caller, [](InstanceState& i) { return i.may_enter; })) return false;
  return each_entered(callee, caller, [](InstanceState& i) {
    i.may_enter = false;
    return true;
  });
}

void ComponentInstance::State::leave(ComponentInstanceIndex callee, ComponentInstanceIndex caller) {
  each_entered(callee, caller, [](InstanceState& i) {
    i.may_enter = true;
    return true;
  });
}

// --- making an instance

namespace {

// Runs the steps of a plan in a slot and fills in the records whose addresses become known.
class Building {
public:
  Building(ComponentInstance& instance)
      : instance_(instance), state_(instance.state()), plan_(instance.code().plan()), slot_(instance.slot()) {}

  void make_records() {
    const ComponentCode::State& code = instance_.code().state();
    state_.instances.resize(plan_.component_instances);
    for (std::uint32_t i = 0; i < state_.instances.size(); ++i) {
      InstanceState& one = state_.instances[i];
      one.index = ComponentInstanceIndex(i);
      one.parent = ComponentInstanceIndex(i < plan_.component_parents.size() ? plan_.component_parents[i] : 0);
      one.handles.set_max_length(code.options.max_handles);
    }
    state_.lifts.resize(plan_.lifts.size());
    for (std::size_t i = 0; i < plan_.lifts.size(); ++i) {
      state_.lifts[i].plan = &plan_.lifts[i];
      state_.lifts[i].instance = &state_.instances[plan_.lifts[i].instance.value];
    }
    state_.built.resize(plan_.core_instances.size());
    state_.destructors.resize(plan_.resources.size());
    state_.trampolines.resize(plan_.trampolines.size());
    state_.imports.resize(plan_.trampolines.size());
    state_.has_import.resize(plan_.trampolines.size());
    state_.host_funcs = reinterpret_cast<abi::HostFunc*>(slot_.owner_area());
    for (std::size_t i = 0; i < plan_.trampolines.size(); ++i) make_trampoline(code, i);
  }

  // Step `index` without its module's start function.
  Result<void> execute(std::uint32_t index) {
    const auto& step = std::get<component::InstantiateCore>(plan_.steps[index]);
    const artifact::ModuleMeta& module = instance_.code().code()->module(step.module);
    if (step.arguments.size() != module.imports.size())
      return base::fail(ErrorCode::Corrupt, "the link plan does not fit its modules");
    std::vector<runtime::Extern> imports;
    imports.reserve(module.imports.size());
    for (std::size_t i = 0; i < module.imports.size(); ++i) {
      const artifact::ImportMeta& import = module.imports[i];
      if (const auto* item = std::get_if<component::CoreItem>(&step.arguments[i])) {
        imports.push_back(slot_.core_instance(item->instance.value).item(import.kind, item->index));
      } else {
        auto trampoline = std::get<component::TrampolineIndex>(step.arguments[i]);
        if (import.kind != artifact::ExternKind::Func)
          return base::fail(ErrorCode::Corrupt, "the link plan gives a function for something else");
        imports.push_back(slot_.host_func(&state_.host_funcs[trampoline.value], module.func_type(import.index)));
      }
    }
    CUSP_TRY(slot_.instantiate_core(step.instance.value, imports));
    state_.built[step.instance.value] = true;
    resolve();
    return {};
  }

private:
  const runtime::Extern& canonical_func(std::uint32_t trampoline, const artifact::FuncTypeMeta& type) {
    if (!state_.has_import[trampoline]) {
      state_.imports[trampoline] = slot_.host_func(&state_.host_funcs[trampoline], type);
      state_.has_import[trampoline] = true;
    }
    return state_.imports[trampoline];
  }
  void make_trampoline(const ComponentCode::State& code, std::size_t i) {
    TrampolineRecord& record = state_.trampolines[i];
    const component::Trampoline& trampoline = plan_.trampolines[i];
    record.owner = &instance_;
    record.instance = &state_.instances[trampoline.instance.value];
    record.plan = &trampoline;
    if (const auto* lower = std::get_if<component::Lower>(&trampoline.kind)) {
      record.type = lower->type;
      if (const auto* import = std::get_if<component::HostImportIndex>(&lower->callee)) {
        if ((record.host = code.imports[import->value].get())) {
          record.thunk = record.host->thunk;
          record.callable = record.host->callable.get();
        }
      }
    } else if (const auto* made = std::get_if<component::ResourceNew>(&trampoline.kind)) {
      record.resource = code.resources[made->resource.value];
    } else if (const auto* rep = std::get_if<component::ResourceRep>(&trampoline.kind)) {
      record.resource = code.resources[rep->resource.value];
    } else if (const auto* drop = std::get_if<component::ResourceDrop>(&trampoline.kind)) {
      record.resource = code.resources[drop->resource.value];
    }
    abi::HostFunc& host = state_.host_funcs[i];
    host.function = host_entry(trampoline);
    host.environment = &record;
  }

  // Everything that waits for an instance which is there now.
  void resolve() {
    for (LiftRecord& lift : state_.lifts) {
      if (lift.resolved) continue;
      lift.resolved = callee(lift.plan->core, lift.core) && options(lift.plan->options, lift.options);
    }
    for (TrampolineRecord& trampoline : state_.trampolines) {
      if (trampoline.resolved) continue;
      const auto* lower = std::get_if<component::Lower>(&trampoline.plan->kind);
      trampoline.resolved = !lower || options(lower->options, trampoline.options);
    }
    for (std::size_t i = 0; i < plan_.resources.size(); ++i)
      if (plan_.resources[i].destructor && !state_.destructors[i])
        callee(*plan_.resources[i].destructor, state_.destructors[i]);
  }

  bool is_built(const component::CoreItem& item) const { return state_.built[item.instance.value]; }

  bool callee(const component::CoreFunc& func, CoreCallee& out) {
    if (const auto* trampoline = std::get_if<component::TrampolineIndex>(&func)) {
      out.host = &state_.host_funcs[trampoline->value];
      return true;
    }
    const auto& item = std::get<component::CoreItem>(func);
    if (!is_built(item)) return false;
    const runtime::Instance& instance = slot_.core_instance(item.instance.value);
    const abi::FuncRef& ref = *instance.func(item.index);
    auto* target = reinterpret_cast<void*>(
        static_cast<std::uintptr_t>(instance.vmctx()->store_base + static_cast<std::uint64_t>(ref.vmctx_delta)));
    if (!ref.code) { // a canonical function that went through a module
      out.host = static_cast<abi::HostFunc*>(target);
      return true;
    }
    out.entry = instance.code()->entry_for(ref.type_id);
    out.vmctx = static_cast<abi::VmContext*>(target);
    out.code = ref.code;
    return out.entry != nullptr;
  }
  bool options(const component::CanonicalOptions& from, RuntimeOptions& to) {
    to.string_encoding = from.string_encoding;
    bool complete = true;
    if (from.memory) {
      if (is_built(*from.memory))
        to.memory = slot_.core_instance(from.memory->instance.value).memory(from.memory->index);
      else complete = false;
    }
    if (from.realloc) complete = callee(*from.realloc, to.realloc) && complete;
    if (from.post_return) complete = callee(*from.post_return, to.post_return) && complete;
    return complete;
  }

  ComponentInstance& instance_;
  ComponentInstance::State& state_;
  const LinkPlan& plan_;
  runtime::Slot& slot_;
};

} // namespace

ComponentInstance::ComponentInstance() : state_(std::make_unique<State>()) {}
ComponentInstance::~ComponentInstance() {
  for (auto instance = state_->instances.rbegin(); instance != state_->instances.rend(); ++instance)
    instance->handles.clear();
}

Result<std::unique_ptr<ComponentInstance>> ComponentInstance::create(std::shared_ptr<const ComponentCode> code,
                                                                     void* host) {
  std::unique_ptr<ComponentInstance> made(new ComponentInstance);
  made->code_ = std::move(code);
  made->host_ = host;
  CUSP_TRY(made->build());
  CUSP_TRY(made->start());
  return made;
}

Result<void> ComponentInstance::build() {
  const ComponentCode::State& plan = code_->state();
  slot_ = CUSP_TRY(runtime::Slot::create(plan.slot_layout));
  slot_->user = this;
  *state_ = State();
  Building building(*this);
  building.make_records();
  for (std::uint32_t step : plan.static_steps) CUSP_TRY(building.execute(step));
  return slot_->seal();
}

Result<void> ComponentInstance::start() {
  const ComponentCode::State& plan = code_->state();
  if (plan.use_steps.empty()) return {};
  auto run = [&]() -> Result<void> {
    Building building(*this);
    for (const ComponentCode::State::UseStep& use : plan.use_steps) {
      if (use.instantiate) CUSP_TRY(building.execute(use.step));
      const auto& step = std::get<component::InstantiateCore>(plan.plan->steps[use.step]);
      if (use.start) CUSP_TRY(slot_->run_start(step.instance.value));
    }
    return {};
  };
  Result<void> started = run();
  if (!started) {
    poisoned_ = true;
    state_->last_trap = slot_->last_trap();
  }
  return started;
}

Result<void> ComponentInstance::reset() {
  for (auto instance = state_->instances.rbegin(); instance != state_->instances.rend(); ++instance) {
    instance->handles.clear();
    instance->may_enter = instance->may_leave = true;
  }
  state_->current = nullptr;
  poisoned_ = false;
  return code_->state().needs_fresh_slot ? build() : slot_->reset();
}

// --- calls from the host

const Trap& ComponentInstance::failure() const { return state_->failure; }

void ComponentInstance::note_guest_trap() {
  const runtime::TrapInfo& info = slot_->last_trap();
  state_->failure = {info.message, info.trap};
  state_->guest_trapped = true;
}

const runtime::TrapInfo& ComponentInstance::last_trap() const { return state_->last_trap; }
std::string ComponentInstance::trap_report() const { return state_->last_trap.to_string(); }

const RuntimeOptions& ComponentInstance::lift_options(std::uint32_t lift) const { return state_->lifts[lift].options; }
InstanceState& ComponentInstance::lift_instance(std::uint32_t lift) const { return *state_->lifts[lift].instance; }

bool ComponentInstance::begin_call(std::uint32_t lift, Task& task) {
  task.lift = component::LiftIndex(lift);
  task.instance = state_->lifts[lift].plan->instance;
  if (poisoned_ || !state_->enter(task.instance, task.caller_instance)) return false;
  state_->guest_trapped = false;
  task.state = Task::State::Started;
  task.caller = std::exchange(state_->current, &task);
  return true;
}

bool ComponentInstance::invoke(std::uint32_t lift, LiftLowerContext& cx, abi::ValRaw* values) {
  const LiftRecord& record = state_->lifts[lift];
  if (record.plan->options.is_async) {
    cx.trap("async functions are not supported yet");
    return false;
  }
  return cx.call_core(record.core, values);
}

void ComponentInstance::post_return(std::uint32_t lift, LiftLowerContext& cx, Task& task, std::uint64_t flat_result) {
  if (cx.trapped()) return;
  if (task.num_borrows) return cx.trap("borrow handles still remain at the end of the call");
  task.state = Task::State::Resolved;
  const LiftRecord& record = state_->lifts[lift];
  if (!record.options.post_return) return;
  abi::ValRaw values[1];
  values[0].i64 = flat_result;
  record.instance->may_leave = false;
  cx.call_core(record.options.post_return, values);
  record.instance->may_leave = true;
}

Result<void> ComponentInstance::finish_call(LiftLowerContext& cx, Task& task, bool entered) {
  if (!entered) {
    state_->last_trap = {abi::Trap::CannotEnter, std::string(abi::trap_text(abi::Trap::CannotEnter)), {}};
    return base::fail(ErrorCode::Trap, state_->last_trap.message);
  }
  state_->current = task.caller;
  if (!cx.trapped()) {
    state_->leave(task.instance, task.caller_instance);
    return {};
  }
  poisoned_ = true;
  if (state_->guest_trapped) state_->last_trap = slot_->last_trap();
  else state_->last_trap = {cx.trap_info().code, cx.trap_info().message, {}};
  return base::fail(ErrorCode::Trap, state_->last_trap.message);
}

Result<std::vector<Value>> ComponentInstance::call(const ExportFunc& func, std::vector<Value> arguments) {
  const ComponentCode::State& plan = code_->state();
  const component::TypeTable& types = plan.types();
  if (func.lift == ~std::uint32_t{0})
    return base::fail(ErrorCode::Unsupported, "the export is an import of the component, exported again");
  const component::FuncType& type = *func.type;
  if (arguments.size() != type.params.size())
    return base::fail(ErrorCode::InvalidArgument, fmt::format("the function takes {} arguments, {} were given",
                                                              type.params.size(), arguments.size()));
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    Result<Value> conformed = conform(std::move(arguments[i]), types, type.params[i].type);
    if (!conformed)
      return base::with_context(std::move(conformed).error(), fmt::format("argument `{}`", type.params[i].name));
    arguments[i] = std::move(*conformed);
  }
  const FuncLayout& layout = plan.layouts[plan.plan->lifts[func.lift].type];
  abi::ValRaw values[component::kMaxFlatParams + 1]{};
  std::vector<Value> results;
  Task task;
  LiftLowerContext cx(this, lift_instance(func.lift), lift_options(func.lift), &task);
  ValueAbi value_abi(cx, types, plan.resources);
  bool entered = begin_call(func.lift, task);
  if (entered && layout.params_in_memory) {
    std::uint32_t pointer = 0;
    std::uint8_t* at = cx.allocate(layout.params_alignment, layout.params_size, pointer);
    for (std::size_t i = 0; at && i < arguments.size(); ++i)
      value_abi.store(at + layout.offsets[i], arguments[i], type.params[i].type);
    values[0].i64 = pointer;
  } else if (entered) {
    std::uint32_t flat = 0;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      value_abi.lower_flat(values + flat, arguments[i], type.params[i].type);
      flat += types.flat_count(type.params[i].type);
    }
  }
  if (entered && !cx.trapped() && invoke(func.lift, cx, values)) {
    std::uint64_t flat_result = values[0].i64;
    if (type.result && layout.result_in_memory) {
      if (std::uint8_t* at = cx.range(values[0].i32, layout.result_size, layout.result_alignment, "result"))
        results.push_back(value_abi.load(at, *type.result));
    } else if (type.result) {
      results.push_back(value_abi.lift_flat(values, *type.result));
    }
    post_return(func.lift, cx, task, flat_result);
  }
  CUSP_TRY(finish_call(cx, task, entered));
  return results;
}

} // namespace cusp::canon
