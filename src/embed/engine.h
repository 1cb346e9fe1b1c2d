// What is behind the public handles of code: Engine, Component, LinkedComponent. Immutable but for the engine's resource types, which have a lock.
#pragma once

#include <mutex>
#include <unordered_map>

#include "canon/component.h"
#include "cusp/component.hpp"
#include "prepare/prepare.h"
#include "wasi/context.h"

namespace cusp::detail {

// A host resource type whose objects are numbers.
struct DynamicResource : std::enable_shared_from_this<DynamicResource> {
  explicit DynamicResource(std::function<void(std::uint64_t)> drop);
  canon::ResourceType type;
  std::function<void(std::uint64_t)> drop;
  // The one that a type is of; null: of none.
  static const DynamicResource* of(const canon::ResourceType& type);
};

struct EngineState {
  EngineSettings settings;
  prepare::PrepareOptions prepare;

  // The resource type that stands for a C++ class in every component of this engine. Thread-safe.
  const canon::ResourceType* resource_type(const HostResource& resource);
  static const std::shared_ptr<EngineState>& of(const Engine& engine) { return engine.state_; }
  static Engine make(std::shared_ptr<EngineState> state) { return Engine(std::move(state)); }

private:
  std::mutex mutex_;
  std::unordered_map<const HostResource*, std::unique_ptr<canon::ResourceType>> types_;
};

struct ComponentState {
  std::shared_ptr<EngineState> engine;
  std::shared_ptr<const runtime::Code> code;
  std::string name;
  const component::LinkPlan& plan() const { return *code->artifact().meta().plan; }
};

struct LinkedState {
  std::shared_ptr<EngineState> engine;
  std::shared_ptr<const canon::ComponentCode> code;
  Limits limits;
  std::shared_ptr<const WasiGrants> grants; // null: no WASI
  std::shared_ptr<const wasi::Config> wasi;
};

} // namespace cusp::detail

namespace cusp::embed {
// A file or bytes as code that can run. Error: what prepare says, and Corrupt.
Result<std::shared_ptr<const runtime::Code>> load_code(const detail::EngineState& engine, const std::string& path);
Result<std::shared_ptr<const runtime::Code>> compile_code(const detail::EngineState& engine,
                                                          std::span<const std::uint8_t> wasm, const std::string& name);
Result<void> save_code(const runtime::Code& code, const std::string& path);
} // namespace cusp::embed
