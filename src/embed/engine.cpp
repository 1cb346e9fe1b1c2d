#include "embed/engine.h"

#include <fmt/format.h>

#include "embed/errors.h"

namespace cusp {

namespace detail {

namespace {

void drop_dynamic(const canon::ResourceType& type, std::uint64_t rep) {
  if (const auto& drop = static_cast<const DynamicResource*>(type.user)->drop) drop(rep);
}

} // namespace

DynamicResource::DynamicResource(std::function<void(std::uint64_t)> dropped) : drop(std::move(dropped)) {
  type.is_host = true;
  type.user = this;
  type.destroy = &drop_dynamic;
}

const DynamicResource* DynamicResource::of(const canon::ResourceType& type) {
  return type.destroy == &drop_dynamic ? static_cast<const DynamicResource*>(type.user) : nullptr;
}

const canon::ResourceType* EngineState::resource_type(const HostResource& resource) {
  std::lock_guard lock(mutex_);
  std::unique_ptr<canon::ResourceType>& type = types_[&resource];
  if (!type) {
    type = std::make_unique<canon::ResourceType>();
    type->is_host = true;
    type->user = const_cast<HostResource*>(&resource);
    type->destroy = [](const canon::ResourceType& type, std::uint64_t rep) {
      static_cast<const HostResource*>(type.user)->destroy(reinterpret_cast<void*>(static_cast<std::uintptr_t>(rep)));
    };
  }
  return type.get();
}

} // namespace detail

Result<Engine> Engine::create(const EngineSettings& settings) {
  if (settings.opt_level > 2)
    return std::unexpected(Error{ErrorCode::InvalidArgument, "the optimisation level is 0, 1 or 2"});
  if (auto ready = runtime::initialize(); !ready) return std::unexpected(embed::to_public(std::move(ready).error()));
  auto state = std::make_shared<detail::EngineState>();
  state->settings = settings;
  prepare::PrepareOptions& options = state->prepare;
  options.no_cache = !settings.use_store;
  options.store = settings.store;
  options.compiler = settings.compiler;
  options.time_limit = settings.compile_time;
  options.opt_level = settings.opt_level;
  options.threads = settings.compile_threads;
  options.target_cpu = settings.target_cpu;
  options.bounds = settings.explicit_bounds ? artifact::BoundsMode::Explicit : artifact::BoundsMode::Guard;
  options.deterministic_simd = options.canonical_nans = settings.deterministic;
  return detail::EngineState::make(std::move(state));
}

const EngineSettings& Engine::settings() const { return state_->settings; }

namespace embed {

namespace {

Result<std::shared_ptr<const runtime::Code>> to_code(base::Result<std::shared_ptr<const artifact::Artifact>> artifact) {
  if (!artifact) return std::unexpected(to_public(std::move(artifact).error()));
  auto code = runtime::Code::load(std::move(*artifact));
  if (!code) return std::unexpected(to_public(std::move(code).error()));
  return *std::move(code);
}

} // namespace

Result<std::shared_ptr<const runtime::Code>> load_code(const detail::EngineState& engine, const std::string& path) {
  return to_code(prepare::prepare_file(path, engine.prepare));
}

Result<std::shared_ptr<const runtime::Code>> compile_code(const detail::EngineState& engine,
                                                          std::span<const std::uint8_t> wasm, const std::string& name) {
  return to_code(prepare::prepare_bytes(wasm, name, engine.prepare));
}

Result<void> save_code(const runtime::Code& code, const std::string& path) {
  auto write = [&]() -> base::Result<void> {
    auto bytes = CUSP_TRY(prepare::read_file(fmt::format("/proc/self/fd/{}", code.artifact().fd())));
    return prepare::write_file(path, bytes, 0644);
  };
  if (auto written = write(); !written) return std::unexpected(to_public(std::move(written).error()));
  return {};
}

} // namespace embed
} // namespace cusp
