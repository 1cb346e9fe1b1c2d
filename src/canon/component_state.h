// What is behind ComponentCode and ComponentInstance. Private to the room.
// A slot's canonical functions are abi::HostFunc records in its owner area, one per trampoline of the plan, whose
// environment is a TrampolineRecord here. Records hold addresses inside the slot; those are fixed, so they are resolved
// once per slot.
#pragma once

#include "canon/component.h"
#include "canon/scheduler.h"

namespace cusp::canon {

// How the parameters and the result of a function type travel.
struct FuncLayout {
  std::uint32_t flat_params = 0, flat_result = 0; // core values, however many
  std::vector<std::uint32_t> offsets;             // of the parameters, as a tuple in memory
  std::uint32_t params_size = 0, params_alignment = 1;
  std::uint32_t result_size = 0, result_alignment = 1;
  bool has_result = false;

  // Spec: flatten_functype. A lifted function takes its parameters in the same way, async or not.
  bool params_in_memory(bool async_lowered = false) const {
    return flat_params > (async_lowered ? component::kMaxFlatAsyncParams : component::kMaxFlatParams);
  }
  // Of a lifted function that is not async, and of a lowered one.
  bool result_in_memory(bool async_lowered = false) const {
    return async_lowered ? has_result : flat_result > component::kMaxFlatResults;
  }
  // Of task.return.
  bool task_result_in_memory() const { return flat_result > component::kMaxFlatParams; }
  // The flat slot that holds the address of the result area in a lowered function.
  std::uint32_t result_pointer(bool async_lowered = false) const {
    return params_in_memory(async_lowered) ? 1 : flat_params;
  }
};
FuncLayout func_layout(const component::TypeTable& types, const component::FuncType& type);

struct ComponentCode::State {
  std::shared_ptr<const runtime::Code> code;
  const component::LinkPlan* plan = nullptr;
  LinkOptions options;
  std::vector<FuncLayout> layouts;            // by index into TypeTable::funcs
  std::vector<ResourceType> guest_types;      // by ResourceIndex; never resized
  std::vector<const ResourceType*> resources; // by ResourceIndex
  std::vector<const void*> identities;        // the same, as compiled code compares them
  std::vector<std::shared_ptr<const ResourceType>> kept_types;
  std::vector<std::shared_ptr<const HostFuncDef>> imports; // by HostImportIndex; null: missing, see LinkOptions
  std::shared_ptr<const runtime::SlotLayout> slot_layout;
  // What is done once per slot, before it is sealed, and what every use of an instance begins with: from the first
  // start function on, in the order of the plan. Instances whose making nobody can observe are made early (see
  // StepOrder).
  struct UseStep {
    std::uint32_t step = 0;
    bool instantiate = false, start = false;
  };
  std::vector<std::uint32_t> static_steps;
  std::vector<UseStep> use_steps;
  bool needs_fresh_slot = false; // a use step makes memories or tables, which a reset does not put back

  const component::TypeTable& types() const { return plan->types; }
};

struct LiftRecord {
  const component::Lift* plan = nullptr;
  InstanceState* instance = nullptr;
  const FuncLayout* layout = nullptr;
  CoreCallee core, callback;
  RuntimeOptions options;
  bool is_async_type = false;
  bool resolved = false;
};

struct TrampolineRecord {
  ComponentInstance* owner = nullptr;
  InstanceState* instance = nullptr;
  const component::Trampoline* plan = nullptr;
  const HostFuncDef* host = nullptr;
  HostThunk thunk = nullptr;
  const void* callable = nullptr;
  std::uint32_t type = 0; // Lower: TypeTable::funcs
  const ResourceType* resource = nullptr;
  bool calls_relative = false;             // Lower: of a lift that this instance may not call
  const abi::TableRecord* table = nullptr; // thread.new-indirect
  RuntimeOptions options;
  bool resolved = false;
};

struct ComponentInstance::State {
  explicit State(ComponentInstance& component) : scheduler(component) {}
  Scheduler scheduler;
  std::vector<InstanceState> instances;
  std::vector<abi::InstanceRecord*> records; // theirs
  std::vector<LiftRecord> lifts;
  std::vector<TrampolineRecord> trampolines;
  std::vector<CoreCallee> destructors;  // by ResourceIndex
  std::vector<runtime::Extern> imports; // by trampoline, made when first asked for
  std::vector<bool> has_import;
  std::vector<bool> built;             // core instances; stays true over resets, as addresses do
  abi::HostFunc* host_funcs = nullptr; // in the owner area
  Trap failure;
  bool guest_trapped = false;
  runtime::TrapInfo first_trap; // of the guest, since it was last clean
  runtime::TrapInfo last_trap;

  // Spec: enter_from, leave_to. False: cannot enter, nothing changed.
  bool enter(component::ComponentInstanceIndex callee, component::ComponentInstanceIndex caller);
  void leave(component::ComponentInstanceIndex callee, component::ComponentInstanceIndex caller);
  // One is the other, or is around it: they may not call each other, for now (the reference's suite has it so).
  bool are_nested(component::ComponentInstanceIndex a, component::ComponentInstanceIndex b) const {
    return is_around(a.value, b) || is_around(b.value, a);
  }

private:
  bool is_around(std::uint32_t outer, component::ComponentInstanceIndex inner) const;
  template <class F>
  bool each_entered(component::ComponentInstanceIndex callee, component::ComponentInstanceIndex caller, F f);
};

// The functions behind abi::HostFunc, by kind of trampoline (trampolines.cpp).
using HostEntry = std::uint32_t (*)(abi::HostFunc*, abi::ValRaw*);
HostEntry host_entry(const component::Trampoline& trampoline);

// Ends a canonical function with a trap; non-zero.
[[gnu::cold, gnu::noinline]] std::uint32_t fail(TrampolineRecord& record, Trap trap);
[[gnu::cold, gnu::noinline]] std::uint32_t cannot_leave(TrampolineRecord& record);
inline TrampolineRecord& record_of(abi::HostFunc* self) { return *static_cast<TrampolineRecord*>(self->environment); }

// Lifts, calls the host function and lowers what it gives.
void call_host(TrampolineRecord& record, CallContext& cx, abi::ValRaw* values);
// A lowered function that another component lifts (lower_lifted.cpp).
std::uint32_t lower_lifted(abi::HostFunc* self, abi::ValRaw* values);
AsyncTask& new_task(const LiftRecord& lift, TaskCaller& caller);
// The end of a lowered function of async type: waits for its result, or gives the subtask a handle. Takes the subtask over.
std::uint32_t finish_subtask(TrampolineRecord& record, Subtask& subtask, abi::ValRaw* values, bool async_lowered);
inline constexpr std::string_view kInstanceEnded = "the component instance has ended";

// One per row of canon_builtins.def (builtins*.cpp).
HostEntry builtin_entry(component::BuiltinKind kind);

// What adapters leave to the host (assist.cpp).
std::uint32_t assist(abi::HostFunc* self, abi::ValRaw* values);

// A funcref's function as the host calls it.
CoreCallee callee_of(runtime::Slot& slot, const runtime::Code& code, const abi::FuncRef& ref);

// Drops a handle as `canon resource.drop` does, destructor included. False: `cx` trapped.
bool drop_resource(LiftLowerContext& cx, std::uint32_t handle, const ResourceType& type);
// The destructor's part of it. `caller`: none for the host.
bool destroy_resource(LiftLowerContext& cx, component::ComponentInstanceIndex caller, const ResourceType& type,
                      std::uint64_t rep);

} // namespace cusp::canon
