// Typed host functions. What the embedder writes:
//   Linker linker;
//   LinkerInstance& streams = linker.instance("wasi:io/streams@0.2.12");  // serves an import of any 0.2.x
//   streams.resource<InputStream>("input-stream");                        // dropping the last handle deletes the
//   InputStream streams.func("[method]input-stream.read", &input_stream_read); std::expected<ByteList, StreamError>
//   input_stream_read(CallContext& cx, Borrow<InputStream> self, std::uint64_t length);
// The CallContext is optional. abi.h lists the C++ types that stand for interface types. A function that may trap
// returns HostResult<R>, or calls cx.trap() and returns anything. Linking compares each signature with the component's
// own, by structure. A function is called on the guest's fiber and stack: straight-line code, which may suspend. It
// never throws. A Linker is set up once, then only read: link() may run on several threads. What is linked keeps what
// it uses alive.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "canon/abi.h"
#include "canon/value.h"

namespace cusp::canon {

using HostThunk = void (*)(CallContext& cx, const void* callable, abi::ValRaw* values);

// A host function written against dynamic values; as many results as the type has (none or one).
using DynamicFunc = std::function<Result<std::vector<Value>>(CallContext& cx, std::span<Value> arguments)>;

struct HostFuncDef {
  std::string name;
  HostThunk thunk = nullptr; // null: dynamic
  std::shared_ptr<const void> callable;
  const FuncDesc* desc = nullptr; // null: dynamic, takes whatever type the component asks for
  DynamicFunc dynamic;
};

namespace detail {

template <class R> struct UnwrapHostResult {
  using Type = R;
  static constexpr bool may_trap = false;
};
template <class R> struct UnwrapHostResult<std::expected<R, Trap>> {
  using Type = R;
  static constexpr bool may_trap = true;
};

template <class... A> struct TypeList {};
template <class F> struct SignatureOf : SignatureOf<decltype(&F::operator())> {};
template <class R, class... A> struct SignatureOf<R (*)(A...)> {
  using Result = R;
  using Arguments = TypeList<std::remove_cvref_t<A>...>;
};
template <class R, class... A> struct SignatureOf<R (*)(A...) noexcept> : SignatureOf<R (*)(A...)> {};
template <class C, class R, class... A> struct SignatureOf<R (C::*)(A...) const> : SignatureOf<R (*)(A...)> {};
template <class C, class R, class... A> struct SignatureOf<R (C::*)(A...)> : SignatureOf<R (*)(A...)> {};

template <class F, class Arguments> struct HostBinding;
template <class F> struct WithContext {
  template <class... A> static decltype(auto) call(const F& f, CallContext& cx, A&&... a) {
    return f(cx, std::forward<A>(a)...);
  }
};
template <class F> struct WithoutContext {
  template <class... A> static decltype(auto) call(const F& f, CallContext&, A&&... a) {
    return f(std::forward<A>(a)...);
  }
};

template <class F, class Caller, class... A> struct HostCall {
  using Returned = typename SignatureOf<F>::Result;
  using Unwrap = UnwrapHostResult<Returned>;
  using R = typename Unwrap::Type;
  using P = Fields<A...>;
  static constexpr bool has_result = !std::is_void_v<R>;
  // More than this never travels flat; fewer than this always does.
  static bool params_in_memory(const CallContext& cx) {
    return P::flat_count > component::kMaxFlatAsyncParams && P::flat_count > cx.max_flat_params();
  }

  static constexpr const TypeDesc* result_desc() {
    if constexpr (has_result) return &Abi<R>::desc;
    else return nullptr;
  }
  static constexpr FuncDesc desc{P::descs, result_desc()};

  static void thunk(CallContext& cx, const void* callable, abi::ValRaw* values) {
    const F& f = *static_cast<const F*>(callable);
    using Indices = std::index_sequence_for<A...>;
    if (params_in_memory(cx)) {
      const std::uint8_t* at = cx.range(values[0].i32, P::size, P::alignment, "parameters");
      if (at) run(cx, f, P::load(cx, at, Indices()), values);
    } else {
      run(cx, f, P::lift_flat(cx, values, Indices()), values);
    }
  }
  static void run(CallContext& cx, const F& f, std::tuple<A...>&& arguments, abi::ValRaw* values) {
    if (cx.trapped()) return;
    auto invoke = [&](A&... a) -> Returned { return Caller::call(f, cx, std::move(a)...); };
    if constexpr (std::is_void_v<Returned>) {
      std::apply(invoke, arguments);
    } else {
      Returned returned = std::apply(invoke, arguments);
      if (cx.trapped()) return;
      if constexpr (Unwrap::may_trap) {
        if (!returned) return cx.trap(std::move(returned.error().message), returned.error().code);
        if constexpr (has_result) give(cx, *std::move(returned), values);
      } else {
        give(cx, std::move(returned), values);
      }
    }
  }
  template <class V> static void give(CallContext& cx, V&& value, abi::ValRaw* values) {
    cx.complete([&] { lower(cx, std::forward<V>(value), values); });
  }
  template <class V> static void lower(CallContext& cx, V&& value, abi::ValRaw* values) {
    if (!cx.result_in_memory(Abi<R>::flat_count)) return Abi<R>::lower_flat(cx, values, std::forward<V>(value));
    std::uint32_t pointer = values[params_in_memory(cx) ? 1 : P::flat_count].i32;
    std::uint8_t* at = cx.range(pointer, Abi<R>::size, Abi<R>::alignment, "result area");
    if (at) Abi<R>::store(cx, at, std::forward<V>(value));
  }
};

template <class F, class... A> struct HostBinding<F, TypeList<A...>> : HostCall<F, WithoutContext<F>, A...> {};
template <class F, class... A> struct HostBinding<F, TypeList<CallContext, A...>> : HostCall<F, WithContext<F>, A...> {
};

} // namespace detail

class LinkerInstance {
public:
  // `function`: a function pointer, or a lambda (kept by value; it must not change its captures).
  template <class F> LinkerInstance& func(std::string_view name, F function) {
    using Binding = detail::HostBinding<F, typename detail::SignatureOf<F>::Arguments>;
    define(name, &Binding::thunk, std::make_shared<const F>(std::move(function)), &Binding::desc);
    return *this;
  }
  // The host resource type of the objects of class T. The same T under a second name is the same type again.
  template <class T> LinkerInstance& resource(std::string_view name) {
    define_resource(name, std::shared_ptr<const ResourceType>(std::shared_ptr<void>(), &kHostResource<T>));
    return *this;
  }
  LinkerInstance& dynamic_func(std::string_view name, DynamicFunc function);
  // Objects are numbers of the embedder's. Returns the type, to make and to recognise values by (Value::own).
  const ResourceType* dynamic_resource(std::string_view name, std::function<void(std::uint64_t rep)> destructor);
  // The same resource type as one that exists already.
  LinkerInstance& resource_alias(std::string_view name, const ResourceType* type);
  // For bindings of other kinds than func(): what thunk, callable and desc are to each other is theirs to know.
  void define(std::string_view name, HostThunk thunk, std::shared_ptr<const void> callable, const FuncDesc* desc);
  void define_resource(std::string_view name, std::shared_ptr<const ResourceType> type);

  const HostFuncDef* find_func(std::string_view name) const;
  const ResourceType* find_resource(std::string_view name) const;
  const std::string& name() const { return name_; }

private:
  friend class Linker;
  std::string name_;
  std::map<std::string, std::shared_ptr<const HostFuncDef>, std::less<>> funcs_;
  std::map<std::string, std::shared_ptr<const ResourceType>, std::less<>> resources_;
};

class Linker {
public:
  // Made at the first call. A version is matched as semver: 0.2.12 serves 0.2.x, 1.4.0 serves 1.x, 0.0.3 only itself.
  // Nested instances are written "outer/inner". "": the functions of the root world.
  LinkerInstance& instance(std::string_view name);
  LinkerInstance& root() { return instance(""); }

  std::shared_ptr<const HostFuncDef> find_func(std::string_view interface, std::string_view name) const;
  std::shared_ptr<const ResourceType> find_resource(std::string_view interface, std::string_view name) const;
  bool has_interface(std::string_view interface) const;

private:
  const LinkerInstance* find(std::string_view interface) const;
  std::map<std::string, LinkerInstance, std::less<>> instances_; // by their full names
};

// What a version stands for when it is matched: "wasi:io/streams@0.2.12" → "wasi:io/streams@0.2". Names without a
// version, and versions with a pre-release part, stand for themselves.
std::string semver_track(std::string_view interface);

} // namespace cusp::canon
