// Calls from one component into another of the same plan: canon lower of a canon lift. A function that cannot block runs where its
// caller runs, as a SyncTask; any other is an AsyncTask, and the caller's side of it a GuestSubtask.
// Spec: CanonicalABI.md, "canon lift", "canon lower".
#include "canon/component_state.h"
#include "canon/sentences.h"
#include "canon/transfer.h"

namespace cusp::canon {

namespace {

bool is_async_lowered(const TrampolineRecord& record) {
  return std::get<component::Lower>(record.plan->kind).options.is_async;
}

// Parameters from the caller to the callee; the callee's flat slots are filled.
void pass_parameters(LiftLowerContext& from, LiftLowerContext& to, const component::FuncType& type,
                     const FuncLayout& layout, const ComponentCode::State& code, bool async_lowered,
                     const abi::ValRaw* source, abi::ValRaw* target) {
  Transfer transfer(from, to, code.types(), code.resources);
  const std::uint8_t* source_at = nullptr;
  std::uint8_t* target_at = nullptr;
  if (layout.params_in_memory(async_lowered)) {
    source_at = from.range(source[0].i32, layout.params_size, layout.params_alignment, "parameters");
    if (!source_at) return;
  }
  if (layout.params_in_memory()) {
    std::uint32_t pointer = 0;
    target_at = to.allocate(layout.params_alignment, layout.params_size, pointer);
    if (!target_at) return;
    target[0].i64 = pointer;
  }
  std::uint32_t flat = 0;
  for (std::size_t i = 0; i < type.params.size(); ++i) {
    Transfer::Source from_place =
        source_at ? Transfer::Source{source_at + layout.offsets[i], nullptr} : Transfer::Source{nullptr, source + flat};
    Transfer::Target to_place =
        target_at ? Transfer::Target{target_at + layout.offsets[i], nullptr} : Transfer::Target{nullptr, target + flat};
    transfer.move(from_place, to_place, type.params[i].type);
    flat += code.types().flat_count(type.params[i].type);
  }
}

// `source`: the flat result, or the address of it; `target`: the caller's values.
void pass_result(LiftLowerContext& from, LiftLowerContext& to, const component::FuncType& type,
                 const FuncLayout& layout, const ComponentCode::State& code, const abi::ValRaw* source,
                 bool source_in_memory, abi::ValRaw* target, bool async_lowered) {
  if (!type.result) return;
  Transfer::Source from_place{nullptr, source};
  Transfer::Target to_place{nullptr, target};
  if (source_in_memory) {
    from_place = {from.range(source[0].i32, layout.result_size, layout.result_alignment, "result"), nullptr};
    if (!from_place.memory) return;
  }
  if (layout.result_in_memory(async_lowered)) {
    to_place = {to.range(target[layout.result_pointer(async_lowered)].i32, layout.result_size, layout.result_alignment,
                         "result area"),
                nullptr};
    if (!to_place.memory) return;
  }
  Transfer(from, to, code.types(), code.resources).move(from_place, to_place, *type.result);
}

[[gnu::cold]] std::uint32_t cannot_enter(TrampolineRecord& record) {
  return fail(record, {std::string(abi::trap_text(abi::Trap::CannotEnter)), abi::Trap::CannotEnter});
}

class GuestSubtask final : public Subtask, public TaskCaller {
public:
  GuestSubtask(TrampolineRecord& record, const LiftRecord& lift, abi::ValRaw* values, bool async_lowered)
      : Subtask(record.owner, *record.instance, record.options), lift_(lift), values_(values),
        async_lowered_(async_lowered) {
    if (!async_lowered) return;
    std::uint32_t count = lift.layout->result_pointer(true) + (lift.layout->has_result ? 1 : 0);
    std::copy_n(values, count, copied_);
    values_ = copied_;
  }
  AsyncTask* task = nullptr; // while unresolved

  void start(LiftLowerContext& callee, abi::ValRaw* flat) override {
    progress(State::Started);
    pass_parameters(cx, callee, type(), *lift_.layout, code(), async_lowered_, values_, flat);
  }
  void resolve(LiftLowerContext& callee, const abi::ValRaw* values, bool in_memory) override {
    pass_result(callee, cx, type(), *lift_.layout, code(), values, in_memory, values_, async_lowered_);
    progress(State::Returned);
  }
  void resolve_cancelled() override {
    progress(state == State::Starting ? State::CancelledBeforeStarted : State::CancelledBeforeReturned);
  }
  const Trap* failure() const override { return cx.trapped() ? &cx.trap_info() : nullptr; }
  void request_cancellation() override {
    cx.component().state().scheduler.request_cancellation(*task, cx.instance().index);
  }

private:
  const ComponentCode::State& code() const { return cx.component().code().state(); }
  const component::FuncType& type() const { return code().types().funcs[lift_.plan->type]; }

  const LiftRecord& lift_;
  abi::ValRaw* values_; // the caller's, or what was kept of them
  abi::ValRaw copied_[component::kMaxFlatAsyncParams + 1];
  const bool async_lowered_;
};

// Only functions of async type can be lowered async.
std::uint32_t call_sync(TrampolineRecord& record, LiftRecord& lift, abi::ValRaw* values) {
  ComponentInstance::State& state = record.owner->state();
  const ComponentCode::State& code = record.owner->code().state();
  const component::FuncType& type = code.types().funcs[lift.plan->type];

  SyncTask task;
  task.instance = lift.instance;
  task.lift = &lift;
  if (!state.enter(lift.instance->index, record.instance->index)) return cannot_enter(record);
  task.state = Task::State::Started;
  state.scheduler.begin(task);

  LiftLowerContext caller(record.owner, *record.instance, record.options, nullptr);
  LiftLowerContext callee(record.owner, *lift.instance, lift.options, &task);
  abi::ValRaw callee_values[component::kMaxFlatParams];
  pass_parameters(caller, callee, type, *lift.layout, code, false, values, callee_values);
  bool ran = !caller.trapped() && callee.call_core(lift.core, callee_values);
  std::uint64_t flat_result = callee_values[0].i64;
  if (ran) {
    if (task.num_borrows) callee.trap(std::string(kBorrowsRemain));
    else
      pass_result(callee, caller, type, *lift.layout, code, callee_values, lift.layout->result_in_memory(), values,
                  false);
    task.state = Task::State::Resolved;
    if (!callee.trapped() && !caller.trapped() && lift.options.post_return) {
      callee_values[0].i64 = flat_result;
      lift.instance->may_leave = false;
      callee.call_core(lift.options.post_return, callee_values);
      lift.instance->may_leave = true;
    }
  }
  state.scheduler.end(task);
  if (caller.trapped()) return fail(record, caller.trap_info());
  if (callee.trapped()) return fail(record, callee.trap_info());
  state.leave(lift.instance->index, record.instance->index);
  return 0;
}

std::uint32_t call_async(TrampolineRecord& record, LiftRecord& lift, abi::ValRaw* values) {
  ComponentInstance::State& state = record.owner->state();
  Scheduler& scheduler = state.scheduler;
  bool async_lowered = is_async_lowered(record);
  if (!async_lowered && !scheduler.may_block()) return fail(record, {std::string(kCannotBlock)});
  if (!state.enter(lift.instance->index, record.instance->index)) return cannot_enter(record);
  auto* subtask = new GuestSubtask(record, lift, values, async_lowered);
  subtask->task = &new_task(lift, *subtask);
  scheduler.start(*subtask->task);
  if (!scheduler.failed()) state.leave(lift.instance->index, record.instance->index);
  return finish_subtask(record, *subtask, values, async_lowered);
}

} // namespace

AsyncTask& new_task(const LiftRecord& lift, TaskCaller& caller) {
  auto* task = new AsyncTask;
  task->instance = lift.instance;
  task->lift = &lift;
  task->caller = &caller;
  task->needs_exclusive = !lift.plan->options.is_async || lift.callback;
  return *task;
}

std::uint32_t finish_subtask(TrampolineRecord& record, Subtask& subtask, abi::ValRaw* values, bool async_lowered) {
  Scheduler& scheduler = record.owner->state().scheduler;
  bool ended = scheduler.failed();
  if (!ended && !async_lowered && !subtask.resolved()) {
    Wait wait{Wait::For::Subtask, {}};
    wait.waitable = &subtask;
    ended = scheduler.wait_until(wait, false) == Woke::Ended;
  }
  if (ended) {
    subtask.release();
    return fail(record, scheduler.failed() ? scheduler.trap() : Trap{std::string(kInstanceEnded)});
  }
  std::uint32_t state = static_cast<std::uint32_t>(subtask.state);
  if (subtask.resolved()) {
    subtask.deliver_resolve();
    subtask.release();
    if (async_lowered) values[0].i64 = state;
    return record.owner->slot().finish_host_call();
  }
  HandleEntry entry;
  entry.kind = HandleKind::Waitable, entry.object = static_cast<Waitable*>(&subtask);
  subtask.handle = subtask.cx.add_handle(entry);
  if (!subtask.handle) return fail(record, subtask.cx.trap_info());
  values[0].i64 = state | subtask.handle << 4;
  return record.owner->slot().finish_host_call();
}

std::uint32_t lower_lifted(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  if (!record.instance->may_leave) return cannot_leave(record);
  const auto& lower = std::get<component::Lower>(record.plan->kind);
  LiftRecord& lift = record.owner->state().lifts[std::get<component::LiftIndex>(lower.callee).value];
  if (record.calls_relative) return cannot_enter(record);
  return lift.is_async_type ? call_async(record, lift, values) : call_sync(record, lift, values);
}

} // namespace cusp::canon
