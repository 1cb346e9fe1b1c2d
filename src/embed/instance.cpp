#include "embed/instance.h"

#include <fmt/format.h>

#include "embed/stdio.h"
#include "embed/transfer.h"
#include "embed/value.h"

namespace cusp {

using embed::to_public;

namespace detail {

Error InstanceState::to_error(base::Error error) const {
  if (host.exit_code) return embed::exited(*host.exit_code);
  if (error.code == base::ErrorCode::Trap && component) return to_public(std::move(error), component->last_trap());
  return to_public(std::move(error));
}

Result<void> GuestHandle::drop() {
  std::shared_ptr<InstanceState> owner = instance.lock();
  if (!std::exchange(held, false) || !owner || owner->generation != generation || !owner->component) return {};
  auto failed = owner->enter([&] { return owner->component->drop(*type, rep); });
  if (failed) return std::unexpected(std::move(*failed));
  return {};
}

Resource ResourceAccess::make(const canon::ComponentInstance& component, const canon::ResourceType& type,
                              std::uint64_t rep) {
  InstanceState& state = *HostState::of(component).instance;
  Resource made;
  made.handle_ = std::make_shared<GuestHandle>();
  made.handle_->instance = state.weak_from_this();
  made.handle_->generation = state.generation;
  made.handle_->type = &type;
  made.handle_->rep = rep;
  return made;
}

const char* ResourceAccess::misfit(const GuestHandle* handle, const canon::ComponentInstance& component,
                                   const canon::ResourceType& type) {
  if (!handle || !handle->held) return "the host gave an empty resource";
  const InstanceState& state = *HostState::of(component).instance;
  if (handle->instance.lock().get() != &state) return "the host gave a resource of another instance";
  if (handle->generation != state.generation) return "the host gave a resource from before the instance was reset";
  return handle->type == &type ? nullptr : "the host gave a resource of another type";
}

namespace {

// Scalars in, at most one scalar out: nothing to lift or lower.
struct FlatCall final : canon::TaskCaller {
  FlatCall(Slot* values, std::uint32_t parameters) : values(values), parameters(parameters) {}
  void start(canon::LiftLowerContext&, abi::ValRaw* flat) override {
    for (std::uint32_t i = 0; i < parameters; ++i) flat[i].i64 = values[i].i64;
  }
  void resolve(canon::LiftLowerContext&, const abi::ValRaw* flat, bool) override {
    resolved = true;
    values[0].i64 = flat[0].i64;
  }
  void resolve_cancelled() override { resolved = true; }
  const canon::Trap* failure() const override { return nullptr; }
  Slot* values;
  std::uint32_t parameters;
  bool resolved = false;
};

struct TypedCall final : canon::TaskCaller {
  TypedCall(const embed::Signature& signature, void* const* arguments, void* result)
      : signature(signature), arguments(arguments), result(result) {}
  void start(canon::LiftLowerContext& cx, abi::ValRaw* flat) override {
    const embed::Node& params = signature.params();
    if (params.flat_count <= component::kMaxFlatParams)
      return embed::lower_params(cx, params, {nullptr, flat}, arguments);
    std::uint32_t pointer = 0;
    if (std::uint8_t* at = cx.allocate(params.alignment, params.size, pointer))
      embed::lower_params(cx, params, {at, nullptr}, arguments);
    flat[0].i64 = pointer;
  }
  void resolve(canon::LiftLowerContext& cx, const abi::ValRaw* flat, bool in_memory) override {
    resolved = true;
    const embed::Node* type = signature.result();
    if (!type) return;
    if (!in_memory) embed::lift(cx, *type, {nullptr, flat}, result);
    else if (const std::uint8_t* at = cx.range(flat[0].i32, type->size, type->alignment, "result"))
      embed::lift(cx, *type, {at, nullptr}, result);
  }
  void resolve_cancelled() override { resolved = true; }
  const canon::Trap* failure() const override { return nullptr; }
  const embed::Signature& signature;
  void* const* arguments;
  void* result;
  bool resolved = false;
};

} // namespace

std::unique_ptr<Error> call_flat(const BoundFunc& func, Slot* values, std::uint32_t parameters) {
  InstanceState& state = *func.instance;
  FlatCall call(values, parameters);
  return state.enter([&] { return state.component->call(func.lift, call, call.resolved); });
}

std::unique_ptr<Error> call_typed(const BoundFunc& func, void* const* arguments, void* result) {
  InstanceState& state = *func.instance;
  TypedCall call(*func.signature, arguments, result);
  return state.enter([&] { return state.component->call(func.lift, call, call.resolved); });
}

} // namespace detail

namespace embed {

base::Result<std::shared_ptr<detail::InstanceState>> make_instance(std::shared_ptr<const detail::LinkedState> linked,
                                                                   const InstanceOptions& options) {
  auto state = std::make_shared<detail::InstanceState>();
  state->thread = CUSP_TRY(Thread::here());
  state->linked = std::move(linked);
  state->host.data = options.data;
  state->host.instance = state.get();
  if (state->linked->grants) {
    state->stdio = make_stdio(state->linked->grants);
    state->host.config = state->linked->wasi.get();
    state->host.stdio = state->stdio.get();
  }
  return state;
}

} // namespace embed

Result<void> Resource::drop() {
  if (!handle_) return {};
  std::shared_ptr<detail::GuestHandle> handle = std::move(handle_);
  return handle->drop();
}

// --- instances

Result<Instance> LinkedComponent::instantiate(const InstanceOptions& options) const {
  auto made = embed::make_instance(state_, options);
  if (!made) return std::unexpected(to_public(std::move(made).error()));
  std::shared_ptr<detail::InstanceState> state = *std::move(made);
  auto failed = state->enter([&]() -> base::Result<void> {
    state->component =
        CUSP_TRY(canon::ComponentInstance::create(state_->code, static_cast<wasi::Context*>(&state->host)));
    return {};
  });
  if (failed) return std::unexpected(std::move(*failed));
  return Instance(std::move(state));
}

Result<std::shared_ptr<const detail::BoundFunc>> Instance::find(std::string_view interface, std::string_view name,
                                                                const detail::FuncInfo* type) const {
  const canon::ComponentCode& code = state_->component->code();
  auto bind = [&]() -> base::Result<std::shared_ptr<const detail::BoundFunc>> {
    auto bound = std::make_shared<detail::BoundFunc>();
    bound->instance = state_;
    bound->dynamic = CUSP_TRY(code.find_export(interface, name));
    if (!type) return bound;
    auto signature = CUSP_TRY(embed::Signature::make(*type, *state_->linked->engine));
    bound->lift = CUSP_TRY(code.find_typed(interface, name, signature->desc()));
    signature->bind_resources(code.types(), *bound->dynamic.type, code.resources());
    bound->signature = std::move(signature);
    return bound;
  };
  auto bound = bind();
  if (!bound) return std::unexpected(to_public(std::move(bound).error()));
  return *std::move(bound);
}

Result<DynamicFunc> Instance::dynamic_func(std::string_view interface, std::string_view name) const {
  auto bound = find(interface, name, nullptr);
  if (!bound) return std::unexpected(std::move(bound).error());
  return DynamicFunc(*std::move(bound));
}

Result<std::optional<Value>> DynamicFunc::operator()(std::vector<Value> arguments) const {
  detail::InstanceState& state = *func_->instance;
  std::optional<Value> result;
  std::vector<detail::GuestHandle*> taken;
  auto failed = state.enter([&]() -> base::Result<void> {
    std::vector<canon::Value> given;
    for (const Value& argument : arguments)
      given.push_back(CUSP_TRY(embed::to_canon(argument, *state.component, taken)));
    auto returned = CUSP_TRY(state.component->call(func_->dynamic, std::move(given)));
    if (!returned.empty()) result = embed::to_public(std::move(returned[0]), *state.component);
    return {};
  });
  if (!failed) return result;
  if (failed->code == ErrorCode::InvalidArgument) // nothing was called
    for (detail::GuestHandle* handle : taken) handle->held = true;
  return std::unexpected(std::move(*failed));
}

std::string DynamicFunc::type() const {
  return canon::to_string(func_->instance->component->code().types(), *func_->dynamic.type);
}

Result<void> Instance::finish() {
  if (auto failed = state_->enter([&] { return state_->component->finish(); }))
    return std::unexpected(std::move(*failed));
  return {};
}

Result<void> Instance::reset() {
  auto failed = state_->enter([&]() -> base::Result<void> {
    if (state_->calls > 1)
      return base::fail(base::ErrorCode::InvalidArgument,
                        "an instance cannot be reset while calls of it are under way");
    CUSP_TRY(state_->component->reset());
    ++state_->generation;
    state_->host.exit_code.reset();
    return state_->component->start();
  });
  if (failed) return std::unexpected(std::move(*failed));
  return {};
}

std::uint64_t Instance::memory_in_use() const { return state_->component->slot().memory_in_use(); }

} // namespace cusp
