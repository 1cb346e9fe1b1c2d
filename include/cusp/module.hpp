// Core modules: functions of numbers, memories of bytes.
//   auto module = cusp::Module::load(engine, "filter.wasm");
//   cusp::ModuleLinker linker(engine);
//   linker.func("env", "log", [](cusp::ModuleCall& call, std::uint32_t at, std::uint32_t size) { … call.memory().text(at, size) … });
//   auto instance = linker.instantiate(*module);
//   auto run = instance->func<std::int32_t(std::int32_t)>("run");
// C++ types stand for core values: 32-bit integers i32, 64-bit integers i64, float f32, double f64; several results are a std::tuple.
// References and vectors cannot be given or taken.
// Thread-safety: a Module is a handle of something immutable, for any thread. A ModuleLinker is set up by one thread and then only read. A
// ModuleInstance, its functions and its memory belong to the thread that instantiated it: elsewhere, calls are refused (InvalidArgument).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "cusp/engine.hpp"
#include "cusp/linker.hpp"
#include "cusp/type_info.hpp"

namespace cusp {

/// A guest's linear memory, for the host: a view, which ends with the instance. Its bytes never move; memory that grows is seen
/// when size() is asked again. Nobody else may run the guest while the host reads (its own thread may not have left a call).
class Memory {
public:
  std::uint64_t size() const; ///< in bytes
  std::span<std::uint8_t> bytes() const;
  /// A part of it; nullopt when that does not lie in it as a whole.
  std::optional<std::span<std::uint8_t>> range(std::uint64_t at, std::uint64_t size) const {
    std::span<std::uint8_t> all = bytes();
    if (at > all.size() || size > all.size() - at) return std::nullopt;
    return all.subspan(at, size);
  }
  std::optional<std::string_view> text(std::uint64_t at, std::uint64_t size) const {
    auto part = range(at, size);
    if (!part) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(part->data()), part->size());
  }

private:
  friend class ModuleCall;
  friend class ModuleInstance;
  explicit Memory(const void* record) : record_(record) {}
  const void* record_;
};

/// What a host function sees of its call. Good until the function returns.
class ModuleCall {
public:
  /// The memory that the calling module exports as "memory"; of no bytes when it exports none.
  Memory memory() const;
  void trap(std::string message);
  bool trapped() const { return trapped_; }
  template <class T> T& data() const { return *static_cast<T*>(data_); }

protected:
  ModuleCall(void* call, void* data) : call_(call), data_(data) {}
  ModuleCall(const ModuleCall&) = delete;
  void* call_;
  void* data_;
  bool trapped_ = false;
};

namespace detail {

struct ModuleState;         // the library's
struct ModuleLinkState;     // the library's
struct ModuleInstanceState; // the library's
struct BoundModuleFunc;     // the library's

enum class CoreType : std::uint8_t { I32, I64, F32, F64 };

template <class T>
concept CoreScalar = (Integer<T> && sizeof(T) >= 4) || std::is_same_v<T, float> || std::is_same_v<T, double>;
template <CoreScalar T> constexpr CoreType core_type() {
  if constexpr (std::is_same_v<T, float>) return CoreType::F32;
  else if constexpr (std::is_same_v<T, double>) return CoreType::F64;
  else return sizeof(T) == 8 ? CoreType::I64 : CoreType::I32;
}
template <CoreScalar T> T from_core(const Slot& slot) {
  if constexpr (std::is_same_v<T, float>) return slot.f32; // every NaN as it is
  else if constexpr (std::is_same_v<T, double>) return slot.f64;
  else return from_slot<T>(slot);
}

struct CoreFuncInfo {
  std::span<const CoreType> params, results;
};
template <class... T> inline constexpr std::array<CoreType, sizeof...(T)> kCoreTypes{core_type<T>()...};

template <class R> struct CoreResults {
  static constexpr auto types = kCoreTypes<R>;
  static R take(const Slot* slots) { return from_core<R>(slots[0]); }
  static void give(Slot* slots, R value) { to_slot<R>(slots[0], value); }
};
template <> struct CoreResults<void> {
  static constexpr auto types = kCoreTypes<>;
};
template <class... T> struct CoreResults<std::tuple<T...>> {
  static constexpr auto types = kCoreTypes<T...>;
  static std::tuple<T...> take(const Slot* slots) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::tuple<T...>(from_core<T>(slots[I])...);
    }(std::index_sequence_for<T...>());
  }
  static void give(Slot* slots, const std::tuple<T...>& values) {
    std::apply([&](T... each) { (to_slot<T>(*slots++, each), ...); }, values);
  }
};

struct ModuleFuncInfo {
  CoreFuncInfo type;
  void (*invoke)(const void* callable, ModuleCall& call, Slot* values) noexcept;
};

template <class F, bool kWithCall, class Returned, class... A> struct ModuleBinding {
  using R = typename HostReturn<Returned>::Type;
  static void invoke(const void* callable, ModuleCall& host, Slot* values) noexcept {
    const F& function = *static_cast<const F*>(callable);
    std::tuple<A...> arguments = CoreResults<std::tuple<A...>>::take(values);
    auto call = [&]() -> Returned {
      return std::apply(
          [&](A... each) -> Returned {
            if constexpr (kWithCall) return function(host, each...);
            else return function(each...);
          },
          arguments);
    };
    if constexpr (std::is_void_v<Returned>) {
      call();
    } else {
      Returned returned = call();
      if constexpr (!HostReturn<Returned>::may_trap) CoreResults<R>::give(values, returned);
      else if (!returned) host.trap(std::move(returned.error().message));
      else if constexpr (!std::is_void_v<R>) CoreResults<R>::give(values, *returned);
    }
  }
  static constexpr ModuleFuncInfo info{{kCoreTypes<A...>, CoreResults<R>::types}, &invoke};
};

template <class F> struct ModuleSignature : ModuleSignature<decltype(&F::operator())> {};
template <class R, class... A> struct ModuleSignature<R (*)(A...)> {
  template <class F> using Binding = ModuleBinding<F, false, R, std::remove_cvref_t<A>...>;
};
template <class R, class... A> struct ModuleSignature<R (*)(ModuleCall&, A...)> {
  template <class F> using Binding = ModuleBinding<F, true, R, std::remove_cvref_t<A>...>;
};
template <class C, class R, class... A> struct ModuleSignature<R (C::*)(A...) const> : ModuleSignature<R (*)(A...)> {};

std::unique_ptr<Error> call_core(const BoundModuleFunc& func, Slot* values);

} // namespace detail

class Module {
public:
  /// As Component::load and Component::compile.
  static Result<Module> load(const Engine& engine, const std::string& path);
  static Result<Module> compile(const Engine& engine, std::span<const std::uint8_t> wasm,
                                const std::string& name = "module");
  Result<void> save(const std::string& path) const;
  /// `interface` is the module name of an import; types are as the text format writes them.
  std::vector<ExternInfo> imports() const;
  std::vector<ExternInfo> exports() const;

private:
  friend class ModuleLinker;
  explicit Module(std::shared_ptr<const detail::ModuleState> state) : state_(std::move(state)) {}
  std::shared_ptr<const detail::ModuleState> state_;
};

/// An exported function of a module. Copyable; keeps its instance alive.
template <class Signature> class ModuleFunc;
template <class R, class... A> class ModuleFunc<R(A...)> {
  using Results = detail::CoreResults<R>;

public:
  static constexpr detail::CoreFuncInfo kInfo{detail::kCoreTypes<A...>, Results::types};
  /// Error: Trap; Exit; InvalidArgument when called on another thread.
  Result<R> operator()(A... arguments) const {
    detail::Slot values[std::max({sizeof...(A), Results::types.size(), std::size_t{1}})];
    detail::Slot* next = values;
    (detail::to_slot<A>(*next++, arguments), ...);
    if (auto failed = detail::call_core(*func_, values)) [[unlikely]]
      return std::unexpected(std::move(*failed));
    if constexpr (std::is_void_v<R>) return {};
    else return Results::take(values);
  }

private:
  friend class ModuleInstance;
  explicit ModuleFunc(std::shared_ptr<const detail::BoundModuleFunc> func) : func_(std::move(func)) {}
  std::shared_ptr<const detail::BoundModuleFunc> func_;
};

/// One running copy of a module. It lives on after a trap, as the core specification has it, with whatever it had written.
class ModuleInstance {
public:
  /// Error: NotFound, which names what there is; InvalidArgument for another type, with both.
  template <class Signature> Result<ModuleFunc<Signature>> func(std::string_view name) const {
    auto bound = find(name, ModuleFunc<Signature>::kInfo);
    if (!bound) return std::unexpected(std::move(bound).error());
    return ModuleFunc<Signature>(*std::move(bound));
  }
  /// Error: NotFound.
  Result<Memory> memory(std::string_view name = "memory") const;
  /// The value of an exported global, i32 or f32 in the low bits. Error: NotFound; Unsupported for references and vectors.
  Result<std::uint64_t> global(std::string_view name) const;
  std::uint64_t memory_in_use() const;

private:
  friend class ModuleLinker;
  explicit ModuleInstance(std::shared_ptr<detail::ModuleInstanceState> state) : state_(std::move(state)) {}
  Result<std::shared_ptr<const detail::BoundModuleFunc>> find(std::string_view name,
                                                              const detail::CoreFuncInfo& type) const;
  std::shared_ptr<detail::ModuleInstanceState> state_;
};

class ModuleLinker {
public:
  explicit ModuleLinker(const Engine& engine);
  ~ModuleLinker();
  ModuleLinker(ModuleLinker&&) noexcept;
  ModuleLinker& operator=(ModuleLinker&&) noexcept;

  /// `function`: a function pointer, or a lambda that does not change its captures; kept by value. It must not throw.
  template <class F> ModuleLinker& func(std::string_view module, std::string_view name, F function) {
    using Binding = typename detail::ModuleSignature<F>::template Binding<F>;
    return define(module, name, Binding::info, std::make_shared<const F>(std::move(function)));
  }
  /// WASI 0.1 (wasi_snapshot_preview1, wasi_unstable), with what is granted. Error: Io, InvalidArgument.
  Result<void> add_wasi(const WasiGrants& grants = {});

  /// Links, initialises, runs the start function, and `_initialize` where the module has one (and no `_start`, which is called like any
  /// other function). Error: Unlinkable, which lists what is missing or of another type; Trap; LimitExceeded; Exit.
  Result<ModuleInstance> instantiate(const Module& module, const Limits& limits = {}, void* data = nullptr) const;

private:
  ModuleLinker& define(std::string_view module, std::string_view name, const detail::ModuleFuncInfo& info,
                       std::shared_ptr<const void> callable);
  std::shared_ptr<detail::ModuleLinkState> state_;
};

} // namespace cusp
