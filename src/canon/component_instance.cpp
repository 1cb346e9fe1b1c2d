#include <fmt/format.h>

#include "canon/component_state.h"
#include "canon/sentences.h"
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
      one.table = &one.handles;
      state_.records.push_back(&one);
    }
    slot_.set_component({state_.records.data(), code.identities.data()});
    state_.lifts.resize(plan_.lifts.size());
    for (std::size_t i = 0; i < plan_.lifts.size(); ++i) {
      LiftRecord& lift = state_.lifts[i];
      lift.plan = &plan_.lifts[i];
      lift.instance = &state_.instances[lift.plan->instance.value];
      lift.layout = &code.layouts[lift.plan->type];
      lift.is_async_type = plan_.types.funcs[lift.plan->type].is_async;
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
      } else {
        const component::Lift& lift = plan_.lifts[std::get<component::LiftIndex>(lower->callee).value];
        record.calls_relative = state_.are_nested(trampoline.instance, lift.instance);
      }
    } else if (const auto* made = std::get_if<component::ResourceNew>(&trampoline.kind)) {
      record.resource = code.resources[made->resource.value];
    } else if (const auto* rep = std::get_if<component::ResourceRep>(&trampoline.kind)) {
      record.resource = code.resources[rep->resource.value];
    } else if (const auto* drop = std::get_if<component::ResourceDrop>(&trampoline.kind)) {
      record.resource = code.resources[drop->resource.value];
    } else if (const auto* assist = std::get_if<component::Assist>(&trampoline.kind);
               assist && !assist->resource.is_none()) {
      record.resource = code.resources[assist->resource.value];
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
      if (lift.plan->options.callback)
        lift.resolved = callee(*lift.plan->options.callback, lift.callback) && lift.resolved;
    }
    for (TrampolineRecord& trampoline : state_.trampolines) {
      if (trampoline.resolved) continue;
      trampoline.resolved = true;
      if (const auto* lower = std::get_if<component::Lower>(&trampoline.plan->kind)) {
        trampoline.resolved = options(lower->options, trampoline.options);
      } else if (const auto* builtin = std::get_if<component::Builtin>(&trampoline.plan->kind)) {
        trampoline.resolved = options(builtin->options, trampoline.options);
        if (builtin->table) trampoline.resolved = table(*builtin->table, trampoline.table) && trampoline.resolved;
      }
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
    out = callee_of(slot_, *instance.code(), *instance.func(item.index));
    return static_cast<bool>(out);
  }
  bool table(const component::CoreItem& item, const abi::TableRecord*& out) {
    if (!is_built(item)) return false;
    out = slot_.core_instance(item.instance.value).table(item.index);
    return true;
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

CoreCallee callee_of(runtime::Slot& slot, const runtime::Code& code, const abi::FuncRef& ref) {
  CoreCallee callee;
  void* target = slot.callee_context(ref);
  if (!ref.code) { // a canonical function that went through a module
    callee.host = static_cast<abi::HostFunc*>(target);
    return callee;
  }
  callee.entry = code.entry_for(ref.type_id);
  callee.vmctx = static_cast<abi::VmContext*>(target);
  callee.code = ref.code;
  return callee;
}

ComponentInstance::ComponentInstance() : state_(std::make_unique<State>(*this)) {}
ComponentInstance::~ComponentInstance() { end_use(); }

// Its threads are on stacks, which are unwound on a fiber; whoever is on none gets one for that.
void ComponentInstance::end_use() {
  Scheduler& scheduler = state_->scheduler;
  if (scheduler.needs_ending()) {
    if (loop::Fiber::current()) scheduler.end_all();
    else (void)loop::EventLoop::run_one([&] { scheduler.end_all(); });
  }
  for (auto instance = state_->instances.rbegin(); instance != state_->instances.rend(); ++instance) {
    instance->handles.clear();
    instance->handles.set_max_length(code_->state().options.max_handles);
    instance->threads.clear();
    instance->may_enter = instance->may_leave = true;
    instance->borrows = 0;
    instance->backpressure = instance->num_waiting_to_enter = 0;
    instance->exclusive_thread = nullptr;
  }
  scheduler.forget_trap();
  state_->guest_trapped = false;
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
  state_ = std::make_unique<State>(*this);
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
      if (use.start) CUSP_TRY(run_start(step.instance.value));
    }
    return {};
  };
  if (!state_->scheduler.hold()) return base::fail(ErrorCode::Timeout, "the start of a component was cancelled");
  Result<void> started = run();
  state_->scheduler.let_go();
  if (!started) {
    poisoned_ = true;
    state_->last_trap = slot_->last_trap();
    if (state_->scheduler.needs_ending()) state_->scheduler.end_all();
  }
  return started;
}

// Spec: a start function is called as by canon lift of a function that cannot block. All core instances of a component
// are made while its instance, and those around it, are entered by nobody else.
Result<void> ComponentInstance::run_start(std::uint32_t core_instance) {
  SyncTask task;
  task.instance = &state_->instances[0];
  task.state = Task::State::Started;
  state_->scheduler.begin(task);
  Result<void> ran = slot_->run_start(core_instance);
  state_->scheduler.end(task);
  return ran;
}

Result<void> ComponentInstance::reset() {
  end_use();
  poisoned_ = false;
  return code_->state().needs_fresh_slot ? build() : slot_->reset();
}

void ComponentInstance::set_max_handles(std::uint32_t handles) {
  for (InstanceState& instance : state_->instances) instance.handles.set_max_length(handles);
}

// --- calls from the host

const Trap& ComponentInstance::failure() const { return state_->failure; }

void ComponentInstance::note_guest_trap() {
  runtime::TrapInfo info = slot_->last_trap();
  if (info.trap == abi::Trap::UncaughtException) info.message = kUncaught;
  state_->failure = {info.message, info.trap};
  // The first has the frames in which it happened; those that it takes down have less to tell.
  if (!std::exchange(state_->guest_trapped, true)) state_->first_trap = std::move(info);
}

const runtime::TrapInfo& ComponentInstance::last_trap() const { return state_->last_trap; }
std::string ComponentInstance::trap_report() const { return state_->last_trap.to_string(); }

const RuntimeOptions& ComponentInstance::lift_options(std::uint32_t lift) const { return state_->lifts[lift].options; }
InstanceState& ComponentInstance::lift_instance(std::uint32_t lift) const { return *state_->lifts[lift].instance; }
bool ComponentInstance::is_async_lift(std::uint32_t lift) const { return state_->lifts[lift].is_async_type; }

bool ComponentInstance::begin_call(std::uint32_t lift, SyncTask& task) {
  const LiftRecord& record = state_->lifts[lift];
  Scheduler& scheduler = state_->scheduler;
  task.lift = &record;
  task.instance = record.instance;
  if (poisoned() || scheduler.held_here() || !scheduler.hold()) return false;
  if (poisoned() || !state_->enter(record.instance->index, {})) return scheduler.let_go(), false;
  task.state = Task::State::Started;
  scheduler.begin(task);
  return true;
}

bool ComponentInstance::invoke(std::uint32_t lift, LiftLowerContext& cx, abi::ValRaw* values) {
  return cx.call_core(state_->lifts[lift].core, values);
}

void ComponentInstance::post_return(std::uint32_t lift, LiftLowerContext& cx, SyncTask& task,
                                    std::uint64_t flat_result) {
  if (cx.trapped()) return;
  if (task.num_borrows) return cx.trap(std::string(kBorrowsRemain));
  task.state = Task::State::Resolved;
  const LiftRecord& record = state_->lifts[lift];
  if (!record.options.post_return) return;
  abi::ValRaw values[1];
  values[0].i64 = flat_result;
  record.instance->may_leave = false;
  cx.call_core(record.options.post_return, values);
  record.instance->may_leave = true;
}

Result<void> ComponentInstance::cannot_enter() {
  state_->last_trap = {abi::Trap::CannotEnter, std::string(abi::trap_text(abi::Trap::CannotEnter)), {}};
  return base::fail(ErrorCode::Trap, state_->last_trap.message);
}

bool ComponentInstance::poisoned() const { return poisoned_ || state_->scheduler.failed(); }

// A trap ends all that the instance does, not only the call that met it.
base::Error ComponentInstance::poison(const Trap& trap) {
  if (!poisoned_) {
    poisoned_ = true;
    if (state_->guest_trapped) state_->last_trap = state_->first_trap;
    else state_->last_trap = {trap.code, trap.message, {}};
    if (state_->scheduler.needs_ending()) state_->scheduler.end_all();
  }
  return base::fail(ErrorCode::Trap, state_->last_trap.message).error();
}

Result<void> ComponentInstance::finish_call(LiftLowerContext& cx, SyncTask& task, bool entered) {
  if (!entered) return cannot_enter();
  Scheduler& scheduler = state_->scheduler;
  scheduler.end(task);
  if (!cx.trapped() && !scheduler.failed()) state_->leave(task.instance->index, {});
  scheduler.let_go();
  if (cx.trapped()) return std::unexpected(poison(cx.trap_info()));
  if (scheduler.failed()) return std::unexpected(poison(scheduler.trap()));
  return {};
}

Result<void> ComponentInstance::call_async(std::uint32_t lift, TaskCaller& caller, const bool& resolved) {
  const LiftRecord& record = state_->lifts[lift];
  Scheduler& scheduler = state_->scheduler;
  if (poisoned() || scheduler.held_here() || !scheduler.hold()) return cannot_enter();
  if (poisoned() || !state_->enter(record.instance->index, {})) return scheduler.let_go(), cannot_enter();
  scheduler.start(new_task(record, caller));
  if (!scheduler.failed()) state_->leave(record.instance->index, {});
  scheduler.let_go();
  auto is_resolved = [](const void* what) { return *static_cast<const bool*>(what); };
  switch (scheduler.drive_until(is_resolved, &resolved)) {
  case Scheduler::Drive::Done: return {};
  case Scheduler::Drive::Failed: return std::unexpected(poison(scheduler.trap()));
  case Scheduler::Drive::Deadlock: return std::unexpected(poison({std::string(kDeadlock)}));
  case Scheduler::Drive::TimedOut:
    return std::unexpected(poison({std::string(abi::trap_text(abi::Trap::Timeout)), abi::Trap::Timeout}));
  // The task refers to its caller, who goes: there is no way to leave it behind.
  default: return std::unexpected(poison({std::string(abi::trap_text(abi::Trap::Cancelled)), abi::Trap::Cancelled}));
  }
}

Result<void> ComponentInstance::finish() {
  if (poisoned() || state_->scheduler.held_here()) return cannot_enter();
  auto is_idle = [](const void* what) { return static_cast<const Scheduler*>(what)->is_idle(); };
  switch (state_->scheduler.drive_until(is_idle, &state_->scheduler)) {
  case Scheduler::Drive::Done:
  case Scheduler::Drive::Deadlock: return {}; // what waits for nothing that can come is left to reset()
  case Scheduler::Drive::Failed: return std::unexpected(poison(state_->scheduler.trap()));
  case Scheduler::Drive::TimedOut:
    return std::unexpected(poison({std::string(abi::trap_text(abi::Trap::Timeout)), abi::Trap::Timeout}));
  default: return base::fail(ErrorCode::Timeout, "the wait for the guest was cancelled");
  }
}

bool ComponentInstance::is_idle() const { return state_->scheduler.is_idle(); }

void ComponentInstance::settle() { state_->scheduler.settle(); }

bool ComponentInstance::spawn_fiber(std::function<void()> body, bool awaited) {
  struct Background final : HostFiber {};
  auto* background = new Background;
  background->awaited = awaited;
  Scheduler& scheduler = state_->scheduler;
  bool spawned = scheduler.spawn(*background, [&scheduler, background, body = std::move(body)] {
    body();
    scheduler.host_fiber_ended(*background);
    delete background;
  });
  if (!spawned) delete background;
  return spawned;
}

namespace {

// The dynamic way to call: arguments and result as Values.
struct DynamicCall final : TaskCaller {
  DynamicCall(const ComponentCode::State& code, const component::FuncType& type, const FuncLayout& layout,
              std::vector<Value> arguments)
      : code(code), type(type), layout(layout), arguments(std::move(arguments)) {}

  void start(LiftLowerContext& cx, abi::ValRaw* values) override {
    ValueAbi value_abi(cx, code.types(), code.resources);
    std::uint32_t flat = 0;
    std::uint8_t* at = nullptr;
    if (layout.params_in_memory()) {
      std::uint32_t pointer = 0;
      at = cx.allocate(layout.params_alignment, layout.params_size, pointer);
      values[0].i64 = pointer;
      if (!at) return;
    }
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (at) value_abi.store(at + layout.offsets[i], arguments[i], type.params[i].type);
      else value_abi.lower_flat(values + flat, arguments[i], type.params[i].type);
      flat += code.types().flat_count(type.params[i].type);
    }
  }
  void resolve(LiftLowerContext& cx, const abi::ValRaw* values, bool in_memory) override {
    resolved = true;
    if (!type.result) return;
    ValueAbi value_abi(cx, code.types(), code.resources);
    if (!in_memory) return results.push_back(value_abi.lift_flat(values, *type.result));
    if (std::uint8_t* at = cx.range(values[0].i32, layout.result_size, layout.result_alignment, "result"))
      results.push_back(value_abi.load(at, *type.result));
  }
  void resolve_cancelled() override { resolved = true; }
  const Trap* failure() const override { return nullptr; }

  const ComponentCode::State& code;
  const component::FuncType& type;
  const FuncLayout& layout;
  std::vector<Value> arguments, results;
  bool resolved = false;
};

} // namespace

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
  DynamicCall dynamic(plan, type, layout, std::move(arguments));
  CUSP_TRY(call(func.lift, dynamic, dynamic.resolved));
  return std::move(dynamic.results);
}

Result<void> ComponentInstance::call(std::uint32_t lift, TaskCaller& caller, const bool& resolved) {
  if (is_async_lift(lift)) return call_async(lift, caller, resolved);
  abi::ValRaw values[component::kMaxFlatParams + 1];
  SyncTask task;
  LiftLowerContext cx(this, lift_instance(lift), lift_options(lift), &task);
  bool entered = begin_call(lift, task);
  if (entered) {
    caller.start(cx, values);
    if (!cx.trapped() && invoke(lift, cx, values)) {
      std::uint64_t flat_result = values[0].i64;
      caller.resolve(cx, values, state_->lifts[lift].layout->result_in_memory());
      post_return(lift, cx, task, flat_result);
    }
  }
  return finish_call(cx, task, entered);
}

Result<void> ComponentInstance::drop(const ResourceType& type, std::uint64_t rep) {
  Scheduler& scheduler = state_->scheduler;
  if (poisoned() || scheduler.held_here() || !scheduler.hold()) return cannot_enter();
  if (poisoned()) return scheduler.let_go(), cannot_enter();
  InstanceState& implementer = state_->instances[type.instance.value];
  const RuntimeOptions options;
  LiftLowerContext cx(this, implementer, options, nullptr);
  bool dropped = destroy_resource(cx, {}, type, rep);
  scheduler.let_go();
  if (!dropped) return std::unexpected(poison(cx.trap_info()));
  if (scheduler.failed()) return std::unexpected(poison(scheduler.trap()));
  return {};
}

} // namespace cusp::canon
