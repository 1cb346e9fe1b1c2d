// Components: compiled, linked, instantiated, called.
//   auto component = cusp::Component::load(engine, "plugin.wasm");
//   auto instance = linker.instantiate(*component);
//   auto greet = instance->func<std::string(std::string_view)>("acme:plugin/api", "greet");
//   cusp::Result<std::string> text = (*greet)("world");
// Thread-safety: Component and LinkedComponent are handles of something immutable, for any thread. An Instance, and the functions and
// handles of it, belong to the thread that instantiated it: elsewhere, calls are refused (InvalidArgument).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cusp/engine.hpp"
#include "cusp/linker.hpp"
#include "cusp/task.hpp"
#include "cusp/type_info.hpp"
#include "cusp/value.hpp"

namespace cusp {

namespace detail {

struct ComponentState; // the library's
struct InstanceState;  // the library's
struct BoundFunc;      // the library's
struct LinkedState;    // the library's

// Null: all went well. `values` holds the parameters and takes the result.
std::unique_ptr<Error> call_flat(const BoundFunc& func, Slot* values, std::uint32_t parameters);
std::unique_ptr<Error> call_typed(const BoundFunc& func, void* const* arguments, void* result);

} // namespace detail

class Component {
public:
  /// From a file: a component's binary, which is compiled unless the store has it, or what save() or `cusp compile` wrote. The latter is
  /// native code: load it from where only those can write whom you trust. Error: NotFound, Io, Malformed, Invalid, Compile, Corrupt …;
  /// all name the file.
  static Result<Component> load(const Engine& engine, const std::string& path);
  /// From the bytes of a component's binary, which are compiled unless the store has them. `name` is for messages.
  static Result<Component> compile(const Engine& engine, std::span<const std::uint8_t> wasm,
                                   const std::string& name = "component");
  /// Writes the compiled form, for load(). The file appears whole or not at all. Error: Io.
  Result<void> save(const std::string& path) const;

  std::vector<ExternInfo> imports() const;
  std::vector<ExternInfo> exports() const;
  /// Whether there is such an exported function; versions match as semver.
  bool has_export(std::string_view interface, std::string_view name) const;

private:
  friend class Linker;
  explicit Component(std::shared_ptr<const detail::ComponentState> state) : state_(std::move(state)) {}
  std::shared_ptr<const detail::ComponentState> state_;
};

/// An exported function, called with C++ values. Copyable; keeps its instance alive.
template <class Signature> class Func;
template <class R, class... A> class Func<R(A...)> {
  static constexpr bool kFlat =
      (detail::Scalar<A> && ...) && sizeof...(A) <= 16 && (std::is_void_v<R> || detail::Scalar<R>);
  static_assert(!detail::kIsView<R>, "a result must own what it holds: std::string, std::vector, Own");

public:
  static constexpr detail::FuncInfo kInfo{detail::kInfos<A...>, detail::type_info<R>()};

  /// Runs it, and returns its result; a function of async type may go on afterwards (Instance::finish). Arguments may be
  /// views. Error: Trap; Exit; InvalidArgument when called on another thread.
  Result<R> operator()(std::type_identity_t<A>... arguments) const {
    using namespace detail;
    if constexpr (kFlat) {
      Slot values[std::max<std::size_t>(sizeof...(A), 1)];
      Slot* next = values;
      (to_slot<A>(*next++, arguments), ...);
      if (auto failed = call_flat(*func_, values, sizeof...(A))) [[unlikely]]
        return std::unexpected(std::move(*failed));
      if constexpr (std::is_void_v<R>) return {};
      else return from_slot<R>(values[0]);
    } else {
      void* const places[]{static_cast<void*>(&arguments)..., nullptr};
      if constexpr (std::is_void_v<R>) {
        if (auto failed = call_typed(*func_, places, nullptr)) return std::unexpected(std::move(*failed));
        return {};
      } else {
        Result<R> result{};
        if (auto failed = call_typed(*func_, places, &*result)) result = std::unexpected(std::move(*failed));
        return result;
      }
    }
  }
  /// The same as a task: runs until it first waits. What arguments point at must live until it is done.
  Result<Task<Result<R>>> start(std::type_identity_t<A>... arguments) const {
    return cusp::start([self = *this, held = std::tuple<A...>(std::move(arguments)...)]() mutable {
      return std::apply([&](A&... each) { return self(std::move(each)...); }, held);
    });
  }

private:
  friend class Instance;
  explicit Func(std::shared_ptr<const detail::BoundFunc> func) : func_(std::move(func)) {}
  std::shared_ptr<const detail::BoundFunc> func_;
};

/// An exported function, called with values whose types are looked at when it is called.
class DynamicFunc {
public:
  /// Error: Trap; Exit; InvalidArgument that says which argument is wrong, where in it, and what was expected.
  Result<std::optional<Value>> operator()(std::vector<Value> arguments) const;
  /// As WIT writes it.
  std::string type() const;

private:
  friend class Instance;
  explicit DynamicFunc(std::shared_ptr<const detail::BoundFunc> func) : func_(std::move(func)) {}
  std::shared_ptr<const detail::BoundFunc> func_;
};

/// One running copy of a component: its own memories, handles, state. After a trap it refuses calls (TrapCode::CannotEnter) until reset().
/// Destroy it on its own thread, and not from inside a call of it.
class Instance {
public:
  /// Looked up once, then called often. Versions match as semver; "" is the root world. Error: NotFound, which names what there is;
  /// InvalidArgument for another type, with both sides where they part.
  template <class Signature> Result<Func<Signature>> func(std::string_view interface, std::string_view name) const {
    auto bound = find(interface, name, &Func<Signature>::kInfo);
    if (!bound) return std::unexpected(std::move(bound).error());
    return Func<Signature>(std::move(*bound));
  }
  Result<DynamicFunc> dynamic_func(std::string_view interface, std::string_view name) const;

  /// Drives what calls have left behind, until it is done or waits for what cannot come. Error: Trap.
  Result<void> finish();
  /// Back to the state of a new instance: drops its handles (host objects are deleted), ends what it does, puts its memory
  /// back. Functions stay good; handles that the host has of it are empty afterwards. Costs what was written since, not what there is.
  Result<void> reset();
  /// Bytes of memory in use, as Limits counts them.
  std::uint64_t memory_in_use() const;

private:
  friend class LinkedComponent;
  friend class Linker;
  explicit Instance(std::shared_ptr<detail::InstanceState> state) : state_(std::move(state)) {}
  Result<std::shared_ptr<const detail::BoundFunc>> find(std::string_view interface, std::string_view name,
                                                        const detail::FuncInfo* type) const;
  std::shared_ptr<detail::InstanceState> state_;
};

struct InstanceOptions {
  void* data = nullptr; ///< the host's own, for HostCall::data(); must outlive the instance
};

/// A component with its imports bound. Instantiating it costs microseconds.
class LinkedComponent {
public:
  /// Error: LimitExceeded; Trap of a start function; Exit.
  Result<Instance> instantiate(const InstanceOptions& options = {}) const;

private:
  friend class Linker;
  explicit LinkedComponent(std::shared_ptr<const detail::LinkedState> state) : state_(std::move(state)) {}
  std::shared_ptr<const detail::LinkedState> state_;
};

} // namespace cusp
