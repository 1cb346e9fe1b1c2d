// What the host gives to components: interfaces of plain C++ functions.
//   cusp::Linker linker(engine);
//   linker.instance("acme:shop/prices@1.0.0")
//       .func("price-of", [&](std::string_view item) -> std::optional<std::uint32_t> { … })
//       .resource<Basket>("basket")
//       .func("[method]basket.add", [](cusp::Borrow<Basket> self, std::string item) { … });
// type_info.hpp lists the C++ types that stand for interface types. Signatures are compared with the component's, by structure, when it is
// linked. A function may take a HostCall& first. It runs on the guest's fiber and stack, where it has at least 64 KiB: it may wait
// (task.hpp), it may call other guests; it must not throw (std::terminate).
// Thread-safety: a Linker is set up by one thread, and then only read: linking may go on in several threads at a time. Functions are called
// on the threads of the instances that call them, at the same time when there are several: what they capture must bear it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
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
#include "cusp/type_info.hpp"
#include "cusp/value.hpp"

namespace cusp {

class Component;
class Instance;
class LinkedComponent;

/// What a host function sees of its call. Good until the function returns.
class HostCall {
public:
  /// Stops the guest once the function returns; what it returns does not matter then. The first one counts.
  void trap(std::string message);
  bool trapped() const { return trapped_; }
  /// The host's own, as it was given to the instance (InstanceOptions::data).
  template <class T> T& data() const { return *static_cast<T*>(data_); }
  /// In functions whose interface type is `async`: the caller wants the call to end early, or the instance is ending. Waits end at once
  /// from then on, and the function should return soon: what it has, or a trap.
  bool cancelled() const;

protected:
  HostCall(void* context, void* data) : context_(context), data_(data) {}
  HostCall(const HostCall&) = delete;
  void* context_;
  void* data_;
  bool trapped_ = false;
};

namespace detail {

struct HostFunc;  // the library's
struct LinkState; // the library's

// A call under way, for the binding below.
class HostFrame : public HostCall {
public:
  // Fills the parameters. False: what the guest gave is bad, it has trapped.
  bool take(void* const* parameters);
  void give(void* result);

protected:
  using HostCall::HostCall;
  const HostFunc* func_ = nullptr;
  void* values_ = nullptr;
};

struct HostFuncInfo {
  FuncInfo type;
  void (*invoke)(const void* callable, HostFrame& frame) noexcept;
  Slot (*invoke_flat)(const void* callable, HostCall& call, const Slot* values) noexcept; // null: not of scalars alone
};

template <class R> struct HostReturn {
  using Type = R;
  static constexpr bool may_trap = false;
};
template <class R> struct HostReturn<std::expected<R, Trap>> {
  using Type = R;
  static constexpr bool may_trap = true;
};

template <class F, bool kWithCall, class Returned, class... A> struct HostBinding {
  using R = typename HostReturn<Returned>::Type;
  using Indices = std::index_sequence_for<A...>;
  static constexpr bool kFlat = (Scalar<A> && ...) && sizeof...(A) <= 16 && (std::is_void_v<R> || Scalar<R>);

  static Returned call(const void* callable, HostCall& host, A&... arguments) {
    const F& function = *static_cast<const F*>(callable);
    if constexpr (kWithCall) return function(host, std::move(arguments)...);
    else return function(std::move(arguments)...);
  }
  // Calls, and hands a result that counts to `give`.
  template <class Give> static void call_and(Give give, const void* callable, HostCall& host, A&... arguments) {
    if constexpr (std::is_void_v<Returned>) {
      call(callable, host, arguments...);
    } else {
      Returned returned = call(callable, host, arguments...);
      if (host.trapped()) return;
      if constexpr (!HostReturn<Returned>::may_trap) give(returned);
      else if (!returned) host.trap(std::move(returned.error().message));
      else if constexpr (!std::is_void_v<R>) give(*returned);
    }
  }
  static void invoke(const void* callable, HostFrame& frame) noexcept {
    std::tuple<A...> arguments{};
    std::apply(
        [&](A&... each) {
          std::array<void*, sizeof...(A) + 1> places{static_cast<void*>(&each)..., nullptr};
          if (frame.take(places.data())) call_and([&](auto& result) { frame.give(&result); }, callable, frame, each...);
        },
        arguments);
  }
  static Slot invoke_flat(const void* callable, HostCall& host, [[maybe_unused]] const Slot* values) noexcept {
    Slot slot{};
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      std::tuple<A...> arguments{from_slot<A>(values[I])...};
      call_and([&](auto& result) { to_slot<R>(slot, result); }, callable, host, std::get<I>(arguments)...);
    }(Indices());
    return slot;
  }
  static constexpr HostFuncInfo info{{kInfos<A...>, type_info<R>()}, &invoke, [] {
                                       if constexpr (kFlat) return &invoke_flat;
                                       else return nullptr;
                                     }()};
};

template <class F> struct HostSignature : HostSignature<decltype(&F::operator())> {};
template <class R, class... A> struct HostSignature<R (*)(A...)> {
  template <class F> using Binding = HostBinding<F, false, R, std::remove_cvref_t<A>...>;
};
template <class R, class... A> struct HostSignature<R (*)(HostCall&, A...)> {
  template <class F> using Binding = HostBinding<F, true, R, std::remove_cvref_t<A>...>;
};
template <class R, class... A> struct HostSignature<R (*)(A...) noexcept> : HostSignature<R (*)(A...)> {};
template <class C, class R, class... A> struct HostSignature<R (C::*)(A...) const> : HostSignature<R (*)(A...)> {};
template <class C, class R, class... A> struct HostSignature<R (C::*)(A...) const noexcept>
    : HostSignature<R (*)(A...)> {};

} // namespace detail

/// A host function whose type is whatever the component asks for: as many arguments as that has, and a result if that has one. An Error
/// stops the guest with its message.
using DynamicHostFunc = std::function<Result<std::optional<Value>>(HostCall& call, std::span<Value> arguments)>;

/// One interface of a Linker's. A handle: good while the Linker is.
class Interface {
public:
  /// `function`: a function pointer, or a lambda that does not change its captures; kept by value.
  template <class F> Interface& func(std::string_view name, F function) {
    using Binding = typename detail::HostSignature<F>::template Binding<F>;
    return define(name, Binding::info, std::make_shared<const F>(std::move(function)));
  }
  /// The resource type whose objects are of class T. The same T under a second name, or in a second interface, is the
  /// same type again. When the guest drops its last handle, the object is deleted.
  template <class T> Interface& resource(std::string_view name) {
    return define_resource(name, detail::kHostResource<T>);
  }

  Interface& dynamic_func(std::string_view name, DynamicHostFunc function);
  /// A resource type whose objects are numbers of the host's; `drop` is told of those whose last handle went. It must not call a guest.
  ResourceType dynamic_resource(std::string_view name, std::function<void(std::uint64_t object)> drop);

private:
  friend class Linker;
  Interface(detail::LinkState& linker, std::string_view name) : linker_(&linker), name_(name) {}
  Interface& define(std::string_view name, const detail::HostFuncInfo& info, std::shared_ptr<const void> callable);
  Interface& define_resource(std::string_view name, const detail::HostResource& resource);
  detail::LinkState* linker_;
  std::string name_;
};

/// What components may have of the system when WASI is added to a Linker. Nothing is granted that is not named here.
struct WasiGrants {
  struct Directory {
    std::string host_path, guest_path;
    bool writable = false;
  };
  /// Where a standard output stream goes: nowhere, to this process's own, or to a function, which gets parts as they are written,
  /// on the instance's thread.
  using Output = std::function<void(std::string_view part)>;

  std::vector<std::string> arguments{};
  std::vector<std::pair<std::string, std::string>> environment{};
  std::vector<Directory> directories{};
  bool inherit_stdio = false; ///< all three streams are this process's; the next three do not count then
  std::string stdin_text{};
  Output stdout_to{}, stderr_to{};
  bool outgoing_http = false;
  /// Rules for sockets, as `cusp run --net` has them: "tcp:db.internal:5432", "lookup:*.example.com", "all".
  std::vector<std::string> network{};
};

class Linker {
public:
  explicit Linker(const Engine& engine);
  ~Linker();
  Linker(Linker&&) noexcept;
  Linker& operator=(Linker&&) noexcept;

  /// Made at the first call. Versions match as semver: 1.2.0 serves imports of any 1.x, 0.2.1 of any 0.2.x. Instances in instances
  /// are written "outer/inner"; "" holds the functions of the root world.
  Interface instance(std::string_view name);
  /// All of WASI 0.2, with what is granted. Error: Io, InvalidArgument, which name the folder.
  Result<void> add_wasi(const WasiGrants& grants = {});

  /// Compares the component's imports with what is here. Error: Unlinkable, which lists every import that is missing or of another type,
  /// with both sides where they part.
  Result<LinkedComponent> link(const Component& component, const Limits& limits = {}) const;
  /// link() and LinkedComponent::instantiate().
  Result<Instance> instantiate(const Component& component, const Limits& limits = {}) const;

private:
  std::unique_ptr<detail::LinkState> state_;
};

} // namespace cusp
