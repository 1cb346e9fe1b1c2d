// Components that run. A ComponentCode is a loaded artifact with its imports bound to host functions: immutable, shared by
// threads. A ComponentInstance is one instance of it in a slot, used again and again: run, then reset to the state before
// the first guest code. An InstancePool keeps the instances of one thread.
//   auto code = ComponentCode::link(runtime_code, linker, options);
//   using Handle = void(Own<IncomingRequest>, Own<ResponseOutparam>);
//   auto handle = code->find_export<Handle>("wasi:http/incoming-handler@0.2.12", "handle");
//   auto instance = pool.acquire(&host_state);
//   auto done = instance->call(*handle, std::move(request), std::move(response));
// Calls run on a fiber. After a trap the instance refuses further calls ("cannot enter component instance") until reset.
// Exactness: the slot is sealed before the first guest code (a module's start function) runs; start functions, and steps
// after them whose order could be observed, run again for every use. Most components have neither: theirs are sealed whole.
#pragma once

#include <functional>
#include <memory>
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
  const std::shared_ptr<const runtime::Code>& code() const;

  // Interfaces match as semver, like imports; "" is the root world. Error: NotFound, which names near misses;
  // InvalidArgument for a core signature that differs, with both types.
  Result<ExportFunc> find_export(std::string_view interface, std::string_view name) const;
  template <class Signature>
  Result<TypedExport<Signature>> find_export(std::string_view interface, std::string_view name) const;
  bool has_export(std::string_view interface, std::string_view name) const;

  struct State;
  const State& state() const { return *state_; }

private:
  ComponentCode();
  Result<std::uint32_t> find_typed(std::string_view interface, std::string_view name, const FuncDesc& desc) const;
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

  // Ends this use: drops what its handles hold (host destructors run), puts the slot back. Error: the instance cannot
  // be used again.
  Result<void> reset();
  // Begins the next use: the rest of the steps. Nothing to do for most components. REQUIRES: as create().
  Result<void> start();

  void set_host(void* host) { host_ = host; }
  void* host() const { return host_; }
  runtime::Slot& slot() const { return *slot_; }
  const ComponentCode& code() const { return *code_; }
  bool poisoned() const { return poisoned_; }
  // Why the last guest function or canonical built-in failed; for contexts that called one.
  const Trap& failure() const;
  void note_guest_trap();
  // The trap that ended the last call, several lines with the guest's backtrace.
  std::string trap_report() const;
  const runtime::TrapInfo& last_trap() const;

  struct State;
  State& state() { return *state_; }

private:
  ComponentInstance();
  Result<void> build(); // slot, records, static steps, seal
  // Entry and exit of a lifted function, shared by both ways to call.
  Result<void> finish_call(LiftLowerContext& cx, Task& task, bool entered);
  bool begin_call(std::uint32_t lift, Task& task);
  bool invoke(std::uint32_t lift, LiftLowerContext& cx, abi::ValRaw* values);
  void post_return(std::uint32_t lift, LiftLowerContext& cx, Task& task, std::uint64_t flat_result);
  const RuntimeOptions& lift_options(std::uint32_t lift) const;
  InstanceState& lift_instance(std::uint32_t lift) const;

  std::shared_ptr<const ComponentCode> code_;
  std::unique_ptr<runtime::Slot> slot_;
  void* host_ = nullptr;
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

template <class R, class... A>
Result<R> ComponentInstance::call(TypedExport<R(A...)> func, std::type_identity_t<A>... arguments) {
  using P = Fields<A...>;
  constexpr std::uint32_t kSlots =
      std::max<std::uint32_t>(P::flat_count > component::kMaxFlatParams ? 1 : P::flat_count, 1);
  abi::ValRaw values[kSlots];
  Task task;
  LiftLowerContext cx(this, lift_instance(func.lift), lift_options(func.lift), &task);
  bool entered = begin_call(func.lift, task);
  if (entered) {
    std::tuple<A...> tuple(std::move(arguments)...);
    if constexpr (P::flat_count > component::kMaxFlatParams) {
      std::uint32_t pointer = 0;
      std::uint8_t* at = cx.allocate(P::alignment, P::size, pointer);
      if (at) Abi<std::tuple<A...>>::store(cx, at, std::move(tuple));
      values[0].i64 = pointer;
    } else {
      Abi<std::tuple<A...>>::lower_flat(cx, values, std::move(tuple));
    }
  }
  bool ran = entered && !cx.trapped() && invoke(func.lift, cx, values);
  std::uint64_t flat_result = values[0].i64;
  if constexpr (std::is_void_v<R>) {
    if (ran) post_return(func.lift, cx, task, flat_result);
    return finish_call(cx, task, entered);
  } else {
    auto lift_result = [&]() -> R {
      if constexpr (Abi<R>::flat_count > component::kMaxFlatResults)
        return Abi<R>::load(cx, cx.range(values[0].i32, Abi<R>::size, Abi<R>::alignment, "result"));
      else return Abi<R>::lift_flat(cx, values);
    };
    if constexpr (Abi<R>::flat_count > component::kMaxFlatResults)
      ran = ran && cx.range(values[0].i32, Abi<R>::size, Abi<R>::alignment, "result");
    if (!ran) {
      Result<void> failed = finish_call(cx, task, entered);
      return std::unexpected(std::move(failed).error());
    }
    R result = lift_result();
    post_return(func.lift, cx, task, flat_result);
    Result<void> finished = finish_call(cx, task, entered);
    if (!finished) return std::unexpected(std::move(finished).error());
    return result;
  }
}

} // namespace cusp::canon
