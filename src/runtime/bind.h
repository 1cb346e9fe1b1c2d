// Typed host functions for core modules. What the embedder writes:
//   HostModule env("env");
//   env.func("now", [](HostCall& call, std::uint64_t& time) { time = call.host<Clock>().now(); });
//   imports.push_back(*env.bind(store, "now"));
// The HostCall is optional. C++ types stand for core values:
//   integers and enums of up to 32 bits, bool             i32    (a narrower one takes the low bits)
//   std::uint64_t, std::int64_t / float / double          i64 / f32 / f64
//   T&                                                     i32    the address of one T in the caller's memory
//   std::span<T>, std::string_view                         i32, i32   address and number of elements there
// T is trivially copyable and laid out as the guest has it. Every address is checked before the function sees it: a range that does not lie
// in the memory, or is not aligned, is a trap; an empty span has no address to check. What was checked stays good for the whole call,
// suspensions included, because a memory neither moves nor shrinks; it is never given to the kernel or to another thread.
// The memory is the one that the calling module exports as "memory". Spec: WASI's witx, "Pointers".
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "runtime/store.h"
#include "wasm/types.h"

namespace cusp::runtime {

// What a host function sees of its call. A trap is sticky: the first one ends the call once the function returns.
class HostCall {
public:
  // `memory`: the caller's; null when it exports none, or is the host.
  HostCall(Store& store, const abi::MemoryRecord* memory) : store_(store), memory_(memory) {}
  HostCall(const HostCall&) = delete;

  Store& store() const { return store_; }
  const abi::MemoryRecord* memory() const { return memory_; } // the caller's; null: it has none
  // The embedder's own, from Store::user.
  template <class T> T& host() const { return *static_cast<T*>(store_.user); }

  // A checked address, or nullptr after a trap.
  std::uint8_t* range(std::uint32_t pointer, std::uint64_t bytes, std::uint32_t alignment) {
    if (trapped_ || !memory_ || (pointer & (alignment - 1)) || bytes > memory_->byte_length ||
        pointer > memory_->byte_length - bytes) [[unlikely]]
      return bad_range(pointer, bytes, alignment);
    return memory_->base + pointer;
  }
  template <class T> std::span<T> array(std::uint32_t pointer, std::uint32_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (count == 0) return {};
    std::uint8_t* at = range(pointer, std::uint64_t{count} * sizeof(T), alignof(T));
    return at ? std::span<T>(reinterpret_cast<T*>(at), count) : std::span<T>();
  }

  [[gnu::cold]] void trap(std::string message, abi::Trap code = abi::Trap::HostError);
  bool trapped() const { return trapped_; }

private:
  [[gnu::cold, gnu::noinline]] std::uint8_t* bad_range(std::uint32_t pointer, std::uint64_t bytes,
                                                       std::uint32_t alignment);
  Store& store_;
  const abi::MemoryRecord* memory_;
  bool trapped_ = false;
};

// Takes the arguments from `values`, calls, and leaves the result there.
using HostThunk = void (*)(const void* callable, HostCall& call, abi::ValRaw* values);

struct HostFuncDef {
  artifact::FuncTypeMeta type;
  HostThunk thunk = nullptr;
  std::shared_ptr<const void> callable;
};

namespace detail {

template <class T> constexpr wasm::ValType core_type() {
  if constexpr (std::is_same_v<T, float>) return wasm::ValType::f32();
  else if constexpr (std::is_same_v<T, double>) return wasm::ValType::f64();
  else return sizeof(T) == 8 ? wasm::ValType::i64() : wasm::ValType::i32();
}

template <class T> constexpr bool is_core_value = std::is_arithmetic_v<T> || std::is_enum_v<T>;

// How one C++ parameter is taken from core values: their number, their types, and what is held until the call.
template <class T> struct CoreParam {
  static_assert(is_core_value<T>, "a host function's parameter has no core type");
  static constexpr std::array types{core_type<T>()};
  using Held = T;
  static T take(HostCall&, const abi::ValRaw* values) {
    if constexpr (std::is_same_v<T, float>) return values->f32;
    else if constexpr (std::is_same_v<T, double>) return values->f64;
    else if constexpr (std::is_same_v<T, bool>) return values->i32 != 0;
    else if constexpr (sizeof(T) == 8) return static_cast<T>(values->i64);
    else return static_cast<T>(values->i32);
  }
  static T give(T held) { return held; }
};
template <class T> struct CoreParam<T&> {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr std::array types{wasm::ValType::i32()};
  using Held = T*;
  static T* take(HostCall& call, const abi::ValRaw* values) {
    return reinterpret_cast<T*>(call.range(values->i32, sizeof(T), alignof(T)));
  }
  static T& give(T* held) { return *held; }
};
template <class T> struct CoreParam<std::span<T>> {
  static constexpr std::array types{wasm::ValType::i32(), wasm::ValType::i32()};
  using Held = std::span<T>;
  static Held take(HostCall& call, const abi::ValRaw* values) { return call.array<T>(values[0].i32, values[1].i32); }
  static Held give(Held held) { return held; }
};
template <> struct CoreParam<std::string_view> {
  static constexpr std::array types{wasm::ValType::i32(), wasm::ValType::i32()};
  using Held = std::string_view;
  static Held take(HostCall& call, const abi::ValRaw* values) {
    std::span<const char> text = call.array<const char>(values[0].i32, values[1].i32);
    return {text.data(), text.size()};
  }
  static Held give(Held held) { return held; }
};

template <class F, bool with_call, class R, class... P> struct CoreHostCall {
  static constexpr std::array<std::size_t, sizeof...(P) + 1> offsets = [] {
    std::array<std::size_t, sizeof...(P) + 1> at{};
    std::size_t next = 0, i = 0;
    ((at[i++] = next, next += CoreParam<P>::types.size()), ...);
    at[i] = next;
    return at;
  }();

  static artifact::FuncTypeMeta type() {
    artifact::FuncTypeMeta type;
    [[maybe_unused]] auto add = [&](const auto& types) {
      for (wasm::ValType one : types) type.params.push_back(one.raw());
    };
    (add(CoreParam<P>::types), ...);
    if constexpr (!std::is_void_v<R>) type.results.push_back(core_type<R>().raw());
    return type;
  }

  static void thunk(const void* callable, HostCall& call, abi::ValRaw* values) {
    run(*static_cast<const F*>(callable), call, values, std::index_sequence_for<P...>());
  }

  template <std::size_t... I>
  static void run(const F& function, HostCall& call, abi::ValRaw* values, std::index_sequence<I...>) {
    std::tuple<typename CoreParam<P>::Held...> held{CoreParam<P>::take(call, values + offsets[I])...}; // in order
    if (call.trapped()) return;
    auto invoke = [&]() -> R {
      if constexpr (with_call) return function(call, CoreParam<P>::give(std::get<I>(held))...);
      else return function(CoreParam<P>::give(std::get<I>(held))...);
    };
    if constexpr (std::is_void_v<R>) {
      invoke();
    } else {
      static_assert(is_core_value<R>, "a host function's result has no core type");
      R result = invoke();
      if constexpr (std::is_same_v<R, float>) values->f32 = result;
      else if constexpr (std::is_same_v<R, double>) values->f64 = result;
      else if constexpr (sizeof(R) == 8) values->i64 = static_cast<std::uint64_t>(result);
      else values->i32 = static_cast<std::uint32_t>(result);
    }
  }
};

template <class F> struct CoreBinding : CoreBinding<decltype(&F::operator())> {
  template <class G> using For = typename CoreBinding<decltype(&F::operator())>::template For<G>;
};
template <class R, class... P> struct CoreBinding<R (*)(P...)> {
  template <class F> using For = CoreHostCall<F, false, R, P...>;
};
template <class R, class... P> struct CoreBinding<R (*)(HostCall&, P...)> {
  template <class F> using For = CoreHostCall<F, true, R, P...>;
};
template <class C, class R, class... A> struct CoreBinding<R (C::*)(A...) const> : CoreBinding<R (*)(A...)> {};

} // namespace detail

// Functions under one module name, set up once, then only read: stores of several threads may be linked with it.
class HostModule {
public:
  explicit HostModule(std::string name) : name_(std::move(name)) {}
  HostModule(const HostModule&) = delete;
  const std::string& name() const { return name_; }

  // `function`: a function pointer, or a lambda (kept by value; it must not change its captures).
  template <class F> HostModule& func(std::string_view name, F function) {
    using Call = typename detail::CoreBinding<F>::template For<F>;
    funcs_.insert_or_assign(std::string(name),
                            HostFuncDef{Call::type(), &Call::thunk, std::make_shared<const F>(std::move(function))});
    return *this;
  }
  // For bindings of other kinds: what thunk and callable are to each other is theirs to know.
  HostModule& define(std::string_view name, HostFuncDef def) {
    funcs_.insert_or_assign(std::string(name), std::move(def));
    return *this;
  }
  const HostFuncDef* find(std::string_view name) const;
  std::size_t size() const { return funcs_.size(); }

  // The function as an import of an instance of this store; nullopt: there is none of that name. The module must outlive the store.
  std::optional<Extern> bind(Store& store, std::string_view name) const;

private:
  std::string name_;
  std::map<std::string, HostFuncDef, std::less<>> funcs_;
};

} // namespace cusp::runtime
