// Public linkers: each host function becomes a canon::HostFuncDef whose thunk is one of the two below, and whose callable is a HostFunc.
#include "cusp/linker.hpp"

#include "embed/instance.h"
#include "embed/stdio.h"
#include "embed/transfer.h"
#include "embed/value.h"
#include "wasi/linker.h"

namespace cusp {

using embed::to_public;

namespace detail {

struct LinkState {
  std::shared_ptr<EngineState> engine;
  canon::Linker linker;
  std::shared_ptr<const WasiGrants> grants; // null: no WASI
  std::shared_ptr<const wasi::Config> wasi;
  std::optional<base::Error> failure; // of a definition; told when something is linked
};

struct HostFunc {
  HostFuncInfo info;
  std::shared_ptr<const embed::Signature> signature;
  std::shared_ptr<const void> callable;
};

namespace {

// The frame of a host function on its fiber's stack.
class Frame final : public HostFrame {
public:
  Frame(canon::CallContext& cx, const HostFunc& func, abi::ValRaw* values)
      : HostFrame(&cx, HostState::of(cx.component()).data) {
    func_ = &func, values_ = values;
  }
};

void call_typed_host(canon::CallContext& cx, const void* callable, abi::ValRaw* values) {
  const auto& func = *static_cast<const HostFunc*>(callable);
  Frame frame(cx, func, values);
  func.info.invoke(func.callable.get(), frame);
}

static_assert(sizeof(Slot) == sizeof(abi::ValRaw) && alignof(Slot) <= alignof(abi::ValRaw));

void call_flat_host(canon::CallContext& cx, const void* callable, abi::ValRaw* values) {
  if (cx.async_lowered()) return call_typed_host(cx, callable, values);
  const auto& func = *static_cast<const HostFunc*>(callable);
  Frame frame(cx, func, values);
  Slot result = func.info.invoke_flat(func.callable.get(), frame, reinterpret_cast<const Slot*>(values));
  if (!cx.trapped() && func.info.type.result) cx.complete([&] { values[0].i64 = result.i64; });
}

canon::CallContext& context_of(void* context) { return *static_cast<canon::CallContext*>(context); }

} // namespace

bool HostFrame::take(void* const* parameters) {
  canon::CallContext& cx = context_of(context_);
  const embed::Node& params = func_->signature->params();
  auto* values = static_cast<abi::ValRaw*>(values_);
  if (params.flat_count <= cx.max_flat_params()) {
    embed::lift_params(cx, params, {nullptr, values}, parameters);
  } else if (const std::uint8_t* at = cx.range(values[0].i32, params.size, params.alignment, "parameters")) {
    embed::lift_params(cx, params, {at, nullptr}, parameters);
  }
  trapped_ = cx.trapped();
  return !trapped_;
}

void HostFrame::give(void* result) {
  canon::CallContext& cx = context_of(context_);
  cx.complete([&] {
    const embed::Node& type = *func_->signature->result();
    auto* values = static_cast<abi::ValRaw*>(values_);
    if (!cx.result_in_memory(type.flat_count)) return embed::lower(cx, type, {nullptr, values}, result);
    std::uint32_t params = func_->signature->params().flat_count;
    std::uint32_t pointer = values[params > cx.max_flat_params() ? 1 : params].i32;
    if (std::uint8_t* at = cx.range(pointer, type.size, type.alignment, "result area"))
      embed::lower(cx, type, {at, nullptr}, result);
  });
}

} // namespace detail

void HostCall::trap(std::string message) {
  detail::context_of(context_).trap(std::move(message));
  trapped_ = true;
}

bool HostCall::cancelled() const { return detail::context_of(context_).cancelled(); }

Interface& Interface::define(std::string_view name, const detail::HostFuncInfo& info,
                             std::shared_ptr<const void> callable) {
  auto signature = embed::Signature::make(info.type, *linker_->engine);
  if (!signature) {
    if (!linker_->failure) linker_->failure = base::with_context(std::move(signature).error(), name).error();
    return *this;
  }
  auto func = std::make_shared<detail::HostFunc>(info, *std::move(signature), std::move(callable));
  const canon::FuncDesc* desc = &func->signature->desc();
  linker_->linker.instance(name_).define(name, info.invoke_flat ? &detail::call_flat_host : &detail::call_typed_host,
                                         std::move(func), desc);
  return *this;
}

Interface& Interface::define_resource(std::string_view name, const detail::HostResource& resource) {
  linker_->linker.instance(name_).define_resource(
      name, std::shared_ptr<const canon::ResourceType>(linker_->engine, linker_->engine->resource_type(resource)));
  return *this;
}

Interface& Interface::dynamic_func(std::string_view name, DynamicHostFunc function) {
  linker_->linker.instance(name_).dynamic_func(
      name,
      [function = std::move(function)](canon::CallContext& cx,
                                       std::span<canon::Value> given) -> base::Result<std::vector<canon::Value>> {
        static const detail::HostFunc none{};
        detail::Frame frame(cx, none, nullptr);
        std::vector<Value> arguments;
        for (canon::Value& value : given) arguments.push_back(embed::to_public(std::move(value), cx.component()));
        Result<std::optional<Value>> returned = function(frame, arguments);
        if (!returned) return base::fail(base::ErrorCode::Trap, std::move(returned).error().message);
        std::vector<canon::Value> results;
        std::vector<detail::GuestHandle*> taken;
        if (*returned) results.push_back(CUSP_TRY(embed::to_canon(**returned, cx.component(), taken)));
        return results;
      });
  return *this;
}

ResourceType Interface::dynamic_resource(std::string_view name, std::function<void(std::uint64_t)> drop) {
  auto dynamic = std::make_shared<detail::DynamicResource>(std::move(drop));
  linker_->linker.instance(name_).define_resource(name,
                                                  std::shared_ptr<const canon::ResourceType>(dynamic, &dynamic->type));
  ResourceType type;
  detail::ResourceAccess::type_of(type) = std::move(dynamic);
  return type;
}

Linker::Linker(const Engine& engine) : state_(std::make_unique<detail::LinkState>()) {
  state_->engine = detail::EngineState::of(engine);
}
Linker::~Linker() = default;
Linker::Linker(Linker&&) noexcept = default;
Linker& Linker::operator=(Linker&&) noexcept = default;

Interface Linker::instance(std::string_view name) { return Interface(*state_, name); }

Result<void> Linker::add_wasi(const WasiGrants& grants) {
  auto config = embed::make_config(grants);
  if (!config) return std::unexpected(to_public(std::move(config).error()));
  state_->wasi = *std::move(config);
  state_->grants = std::make_shared<const WasiGrants>(grants);
  wasi::add_to_linker(state_->linker);
  return {};
}

Result<LinkedComponent> Linker::link(const Component& component, const Limits& limits) const {
  if (state_->failure) return std::unexpected(to_public(*state_->failure));
  canon::LinkOptions options;
  options.limits = {limits.memory_bytes, limits.table_elements, limits.stack_bytes};
  options.max_handles = limits.handles;
  auto code = canon::ComponentCode::link(component.state_->code, state_->linker, options);
  if (!code) {
    Error error = to_public(std::move(code).error());
    if (error.file.empty()) error.file = component.state_->name;
    return std::unexpected(std::move(error));
  }
  return LinkedComponent(std::make_shared<const detail::LinkedState>(state_->engine, *std::move(code), limits,
                                                                     state_->grants, state_->wasi));
}

Result<Instance> Linker::instantiate(const Component& component, const Limits& limits) const {
  auto linked = link(component, limits);
  if (!linked) return std::unexpected(std::move(linked).error());
  return linked->instantiate();
}

} // namespace cusp
