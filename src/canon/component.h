// Components that run. A ComponentCode is a loaded artifact with its imports bound to host functions: immutable, shared by
// threads. A ComponentInstance is one instance of it in a slot, used again and again: run, then reset to the state before
// the first guest code. An InstancePool keeps the instances of one thread.
//   auto code = ComponentCode::link(runtime_code, linker, options);
//   using Handle = void(Own<IncomingRequest>, Own<ResponseOutparam>);
//   auto handle = code->find_export<Handle>("wasi:http/incoming-handler@0.2.12", "handle");
//   auto instance = pool.acquire(&host_state);
//   auto done = instance->call(*handle, std::move(request), std::move(response));
// Calls run on a fiber. A call of an async function returns when it has its result; the guest may go on after that, for as long as
// somebody drives it: another call, finish(), or reading and writing its streams (host_stream.h). After a trap the instance refuses further calls ("cannot enter component instance") until reset.
// Exactness: the slot is sealed before the first guest code (a module's start function) runs; start functions, and steps
// after them whose order could be observed, run again for every use. Most components have neither: theirs are sealed whole.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "canon/bind.h"
#include "canon/context.h"
#include "canon/task.h"
#include "canon/value.h"
#include "runtime/slot.h"

namespace cusp::canon {

class ComponentInstance;

struct LinkOptions {
  runtime::StoreLimits limits;
  runtime::WriteTracking tracking = runtime::WriteTracking::Automatic;
  std::uint32_t max_handles = 1'000'000; // per component instance
  // A missing function or resource becomes one that gives zeros, empty strings and lists, the first case (`-W
  // unknown-imports-default`).
  bool default_missing = false;
  // A missing function becomes one that traps when it is called (`-W unknown-imports-trap`).
  bool trap_missing = false;
};

// An exported function of a component, looked up once. Good for every instance of its ComponentCode, and only while
// that lives.
struct ExportFunc {
  std::uint32_t lift = ~std::uint32_t{0};        // LinkPlan::lifts, or
  std::uint32_t host_import = ~std::uint32_t{0}; // an import that is exported again (dynamic calls only)
  const component::FuncType* type = nullptr;
};
template <class Signature> struct TypedExport {
  std::uint32_t lift = ~std::uint32_t{0};
};

class ComponentCode {
public:
  // Error: Unlinkable that lists everything missing or of another type, a line each; Unsupported.
  static Result<std::shared_ptr<const ComponentCode>> link(std::shared_ptr<const runtime::Code> code,
                                                           const Linker& linker, const LinkOptions& options);
  ~ComponentCode();

  const component::LinkPlan& plan() const;
  const component::TypeTable& types() const { return plan().types; }
  // The resolved type of ResourceIndex i.
  std::span<const ResourceType* const> resources() const;
  const std::shared_ptr<const runtime::Code>& code() const;

  // Interfaces match as semver, like imports; "" is the root world. Error: NotFound, which names near misses;
  // InvalidArgument for a core signature that differs, with both types.
  Result<ExportFunc> find_export(std::string_view interface, std::string_view name) const;
  template <class Signature>
  Result<TypedExport<Signature>> find_export(std::string_view interface, std::string_view name) const;
  bool has_export(std::string_view interface, std::string_view name) const;
  // The same as a lift, for bindings. Error: Unsupported for an import that is exported again.
  Result<std::uint32_t> find_typed(std::string_view interface, std::string_view name, const FuncDesc& desc) const;

  struct State;
  const State& state() const { return *state_; }

private:
  ComponentCode();
  std::unique_ptr<State> state_;
};

class ComponentInstance {
public:
  // A slot of its own, its static steps executed and sealed; then started like after reset(). REQUIRES: on a fiber when
  // the component has start functions. Error: LimitExceeded, Trap (of a start function: last_trap() tells more).
  static Result<std::unique_ptr<ComponentInstance>> create(std::shared_ptr<const ComponentCode> code,
                                                           void* host = nullptr);
  ~ComponentInstance();

  // Error: Trap; trap_report() then has the backtrace. Typed: the fast way. Arguments may be views; the result must own
  // what it holds.
  template <class R, class... A> Result<R> call(TypedExport<R(A...)> func, std::type_identity_t<A>... arguments);
  // Dynamic: none or one result. Arguments are conformed first (InvalidArgument).
  Result<std::vector<Value>> call(const ExportFunc& func, std::vector<Value> arguments);
  // For bindings, whose caller lowers and lifts by itself. `resolved`: set by its resolve(). REQUIRES: a lift of find_typed().
  Result<void> call(std::uint32_t lift, TaskCaller& caller, const bool& resolved);
  // Drops a resource of the guest's that the host owns: runs its destructor. Error: Trap.
  Result<void> drop(const ResourceType& type, std::uint64_t rep);

  // Drives the guest until it has nothing more to do after its calls have returned, or waits for what cannot come, and until the
  // fibers of spawn() have ended, or wait for the guest. Error: Trap; Timeout when the fiber is cancelled.
  Result<void> finish();
  // Runs `body` on a fiber that belongs to this use of the instance: it is cancelled at the end of it, and waited for.
  // `body` runs at once until it first suspends. False: there is no memory for its stack, and it is not run.
  template <class F> bool spawn(F body) { return spawn_fiber(shared_body(std::move(body)), true); }
  // The same for what serves the guest and nobody else: when the guest has nothing more to do, neither has this.
  template <class F> bool attend(F body) { return spawn_fiber(shared_body(std::move(body)), false); }
  // Waits until the fibers of spawn() have ended, or wait for the guest: what they took from it has come to where it goes.
  void settle();

  // Ends this use: ends its tasks and fibers, drops what its handles hold (host destructors run), puts the slot back.
  // REQUIRES: no call of it under way on this fiber. Error: the instance cannot be used again.
  Result<void> reset();
  // Begins the next use: the rest of the steps. Nothing to do for most components. REQUIRES: as create().
  Result<void> start();

  // Of every handle table in it, for this use. Handles that exist already stay.
  void set_max_handles(std::uint32_t handles);

  void set_host(void* host) { host_ = host; }
  // Called with the host's state before a fiber that drives the guest begins to wait for something else. It must not suspend.
  using BeforeWait = void (*)(void* host);
  void set_before_wait(BeforeWait function) { before_wait_ = function; }
  void before_wait() const {
    if (before_wait_) before_wait_(host_);
  }
  void* host() const { return host_; }
  runtime::Slot& slot() const { return *slot_; }
  const ComponentCode& code() const { return *code_; }
  const std::shared_ptr<const ComponentCode>& shared_code() const { return code_; }
  // It trapped, and refuses calls until it is reset.
  bool poisoned() const;
  // Nothing goes on in it: finish() would have nothing to do.
  bool is_idle() const;
  // Why the last guest function or canonical built-in failed; for contexts that called one.
  const Trap& failure() const;
  void note_guest_trap();
  // Ends what goes on in it after a trap, whoever met that. The error says which it was.
  base::Error poison(const Trap& trap);
  // The trap that ended the last call, several lines with the guest's backtrace.
  std::string trap_report() const;
  const runtime::TrapInfo& last_trap() const;

  struct State;
  State& state() { return *state_; }

private:
  ComponentInstance();
  Result<void> build(); // slot, records, static steps, seal
  Result<void> run_start(std::uint32_t core_instance);
  void end_use();
  template <class F> static std::function<void()> shared_body(F body) {
    auto shared = std::make_shared<F>(std::move(body));
    return [shared] { (*shared)(); };
  }
  bool spawn_fiber(std::function<void()> body, bool awaited);
  // Entry and exit of a lifted function, shared by both ways to call.
  Result<void> finish_call(LiftLowerContext& cx, SyncTask& task, bool entered);
  bool begin_call(std::uint32_t lift, SyncTask& task);
  bool invoke(std::uint32_t lift, LiftLowerContext& cx, abi::ValRaw* values);
  void post_return(std::uint32_t lift, LiftLowerContext& cx, SyncTask& task, std::uint64_t flat_result);
  // The whole of a call of an async function. `resolved`: set by the caller's resolve().
  Result<void> call_async(std::uint32_t lift, TaskCaller& caller, const bool& resolved);
  Result<void> cannot_enter();
  bool is_async_lift(std::uint32_t lift) const;
  const RuntimeOptions& lift_options(std::uint32_t lift) const;
  InstanceState& lift_instance(std::uint32_t lift) const;

  std::shared_ptr<const ComponentCode> code_;
  std::unique_ptr<runtime::Slot> slot_;
  void* host_ = nullptr;
  BeforeWait before_wait_ = nullptr;
  bool poisoned_ = false;
  std::unique_ptr<State> state_;
};

// The instances of one component on one thread. acquire() of an idle instance takes no lock and allocates nothing.
class InstancePool {
public:
  explicit InstancePool(std::shared_ptr<const ComponentCode> code, std::uint32_t max_instances = 10'000);
  ~InstancePool();

  class Lease {
  public:
    Lease() = default;
    Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), instance_(std::move(other.instance_)) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(pool_, other.pool_), std::swap(instance_, other.instance_);
      return *this;
    }
    ~Lease() {
      if (instance_) pool_->release(std::move(instance_));
    }
    ComponentInstance* operator->() const { return instance_.get(); }
    ComponentInstance& operator*() const { return *instance_; }

  private:
    friend class InstancePool;
    InstancePool* pool_ = nullptr;
    std::unique_ptr<ComponentInstance> instance_;
  };

  // A clean instance, started. The lease's end gives it back. Error: LimitExceeded when max_instances are out; Trap of
  // a start function.
  Result<Lease> acquire(void* host);
  // Makes idle instances beforehand, or lets go of all but `keep`: those that have waited longest.
  Result<void> reserve(std::uint32_t instances);
  void trim(std::uint32_t keep);
  // Idle instances that nobody has needed since the last call; one at least is kept. For whoever trims now and then.
  std::uint32_t take_unneeded();

  std::uint32_t idle() const { return static_cast<std::uint32_t>(idle_.size()); }
  std::uint32_t alive() const { return alive_; }
  const std::shared_ptr<const ComponentCode>& code() const { return code_; }

private:
  void release(std::unique_ptr<ComponentInstance> instance);
  std::shared_ptr<const ComponentCode> code_;
  std::vector<std::unique_ptr<ComponentInstance>> idle_;
  std::uint32_t max_instances_, alive_ = 0; // alive: idle ones and those out
  std::uint32_t least_idle_ = 0;            // since take_unneeded()
};

// --- typed calls
namespace detail {
template <class Signature> struct ExportBinding;
template <class R, class... A> struct ExportBinding<R(A...)> {
  using P = Fields<A...>;
  static constexpr const TypeDesc* result_desc() {
    if constexpr (std::is_void_v<R>) return nullptr;
    else return &Abi<R>::desc;
  }
  static constexpr FuncDesc desc{P::descs, result_desc()};
};
} // namespace detail

template <class Signature>
Result<TypedExport<Signature>> ComponentCode::find_export(std::string_view interface, std::string_view name) const {
  auto lift = find_typed(interface, name, detail::ExportBinding<Signature>::desc);
  if (!lift) return std::unexpected(std::move(lift).error());
  return TypedExport<Signature>{*lift};
}

namespace detail {

// Arguments and result of a typed call, for a task that takes them when it likes.
template <class R, class... A> struct TypedCall final : TaskCaller {
  using P = Fields<A...>;
  static constexpr bool params_in_memory = P::flat_count > component::kMaxFlatParams;
  explicit TypedCall(A&&... arguments) : arguments(std::move(arguments)...) {}

  void start(LiftLowerContext& cx, abi::ValRaw* values) override {
    if constexpr (params_in_memory) {
      std::uint32_t pointer = 0;
      std::uint8_t* at = cx.allocate(P::alignment, P::size, pointer);
      if (at) Abi<std::tuple<A...>>::store(cx, at, std::move(arguments));
      values[0].i64 = pointer;
    } else {
      Abi<std::tuple<A...>>::lower_flat(cx, values, std::move(arguments));
    }
  }
  void resolve(LiftLowerContext& cx, const abi::ValRaw* values, [[maybe_unused]] bool in_memory) override {
    resolved = true;
    if constexpr (!std::is_void_v<R>) {
      if (!in_memory) {
        result.emplace(Abi<R>::lift_flat(cx, values));
      } else if (const std::uint8_t* at = cx.range(values[0].i32, Abi<R>::size, Abi<R>::alignment, "result")) {
        result.emplace(Abi<R>::load(cx, at));
      }
    }
  }
  void resolve_cancelled() override { resolved = true; }
  const Trap* failure() const override { return nullptr; }
  Result<R> take(Result<void> done) {
    if (!done) return std::unexpected(std::move(done).error());
    if constexpr (std::is_void_v<R>) return {};
    else return std::move(*result);
  }

  std::tuple<A...> arguments;
  std::optional<std::conditional_t<std::is_void_v<R>, std::monostate, R>> result;
  bool resolved = false;
};

} // namespace detail

template <class R, class... A>
Result<R> ComponentInstance::call(TypedExport<R(A...)> func, std::type_identity_t<A>... arguments) {
  using Call = detail::TypedCall<R, A...>;
  Call typed(std::move(arguments)...);
  if (is_async_lift(func.lift)) return typed.take(call_async(func.lift, typed, typed.resolved));
  abi::ValRaw values[std::max<std::uint32_t>(Call::params_in_memory ? 1 : Call::P::flat_count, 1)];
  SyncTask task;
  LiftLowerContext cx(this, lift_instance(func.lift), lift_options(func.lift), &task);
  bool entered = begin_call(func.lift, task);
  if (entered) {
    typed.start(cx, values);
    if (!cx.trapped() && invoke(func.lift, cx, values)) {
      std::uint64_t flat_result = values[0].i64;
      bool in_memory = false;
      if constexpr (!std::is_void_v<R>) in_memory = Abi<R>::flat_count > component::kMaxFlatResults;
      typed.resolve(cx, values, in_memory);
      post_return(func.lift, cx, task, flat_result);
    }
  }
  return typed.take(finish_call(cx, task, entered));
}

} // namespace cusp::canon
