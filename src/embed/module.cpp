// Core modules for embedders: a runtime::Store for each instance, host functions through runtime/bind.h.
#include "cusp/module.hpp"

#include <map>

#include <fmt/format.h>

#include "embed/instance.h"
#include "embed/stdio.h"
#include "runtime/bind.h"
#include "wasi/preview1/preview1.h"
#include "wasm/types.h"

namespace cusp {

using embed::to_public;

namespace detail {

struct ModuleState {
  std::shared_ptr<EngineState> engine;
  std::shared_ptr<const runtime::Code> code;
  std::string name;
  const artifact::ModuleMeta& meta() const { return code->module(0); }
};

struct ModuleLinkState {
  std::shared_ptr<EngineState> engine;
  std::map<std::string, runtime::HostModule, std::less<>> modules;
  std::shared_ptr<const WasiGrants> grants; // null: no WASI
  std::shared_ptr<const wasi::Config> wasi;
};

struct ModuleInstanceState {
  ModuleInstanceState() = default;
  std::shared_ptr<const ModuleLinkState> linker; // its functions are the store's imports
  std::shared_ptr<const ModuleState> module;
  std::shared_ptr<embed::Thread> thread;
  Limits allowed;
  std::unique_ptr<wasi::Stdio> stdio;
  wasi::Context context;
  // What Store::user points at: WASI's program, and the embedder's data beside it.
  struct Host : wasi::preview1::Program {
    using Program::Program;
    void* data = nullptr;
  };
  std::unique_ptr<Host> host;
  std::unique_ptr<runtime::Store> store;
  runtime::Instance* instance = nullptr;
  std::uint32_t calls = 0;

  ~ModuleInstanceState() {
    // Open descriptors are the loop's.
    if (thread && embed::Thread::existing() == thread.get()) thread->run([&] { store.reset(), host.reset(); });
  }

  template <class F> std::unique_ptr<Error> enter(F body) { return embed::enter(*this, std::move(body)); }

  const Limits& limits() const { return allowed; }
  void set_deadline(loop::TimePoint deadline) {
    context.deadline = deadline;
    store->set_deadline(embed::steady_ns(deadline));
  }
  Error to_error(base::Error error) const {
    if (context.exit_code) return embed::exited(*context.exit_code);
    if (error.code == base::ErrorCode::Trap) return to_public(std::move(error), store->last_trap());
    return to_public(std::move(error));
  }
};

struct BoundModuleFunc {
  std::shared_ptr<ModuleInstanceState> instance;
  const abi::FuncRef* func = nullptr;
};

std::unique_ptr<Error> call_core(const BoundModuleFunc& func, Slot* values) {
  ModuleInstanceState& state = *func.instance;
  return state.enter([&] { return state.store->call(*func.func, reinterpret_cast<abi::ValRaw*>(values)); });
}

namespace {

wasm::ValType val_type(CoreType type) {
  switch (type) {
  case CoreType::I32: return wasm::ValType::i32();
  case CoreType::I64: return wasm::ValType::i64();
  case CoreType::F32: return wasm::ValType::f32();
  default: return wasm::ValType::f64();
  }
}

artifact::FuncTypeMeta func_type(const CoreFuncInfo& info) {
  artifact::FuncTypeMeta type;
  for (CoreType param : info.params) type.params.push_back(val_type(param).raw());
  for (CoreType result : info.results) type.results.push_back(val_type(result).raw());
  return type;
}

std::string to_text(const artifact::FuncTypeMeta& type) {
  auto list = [](const std::vector<std::uint32_t>& raws) {
    std::string text;
    for (std::uint32_t raw : raws) text += (text.empty() ? "" : " ") + wasm::ValType::from_raw(raw).to_string();
    return text;
  };
  return fmt::format("({}) -> ({})", list(type.params), list(type.results));
}

std::string type_text(const artifact::ModuleMeta& meta, artifact::ExternKind kind, std::uint32_t index) {
  switch (kind) {
  case artifact::ExternKind::Func: return "func " + to_text(meta.func_type(index));
  case artifact::ExternKind::Table: return "table";
  case artifact::ExternKind::Memory: return "memory";
  case artifact::ExternKind::Global: return "global " + wasm::ValType::from_raw(meta.globals[index].type).to_string();
  default: return "tag";
  }
}

// What a runtime::HostFuncDef calls.
struct ModuleHostFunc {
  ModuleFuncInfo info;
  std::shared_ptr<const void> callable;
};

class Call final : public ModuleCall {
public:
  explicit Call(runtime::HostCall& call)
      : ModuleCall(&call, static_cast<ModuleInstanceState::Host&>(call.host<wasi::preview1::Program>()).data) {}
};

void call_host(const void* callable, runtime::HostCall& call, abi::ValRaw* values) {
  const auto& func = *static_cast<const ModuleHostFunc*>(callable);
  Call frame(call);
  func.info.invoke(func.callable.get(), frame, reinterpret_cast<Slot*>(values));
}

base::Result<std::vector<runtime::Extern>> resolve_imports(ModuleInstanceState& state) {
  std::vector<runtime::Extern> imports;
  std::string problems;
  for (const artifact::ImportMeta& import : state.module->meta().imports) {
    const runtime::HostModule* source = nullptr;
    if (auto found = state.linker->modules.find(import.module); found != state.linker->modules.end())
      source = &found->second;
    if ((!source || !source->find(import.name)) && state.linker->grants)
      source = wasi::preview1::host_module(import.module);
    const runtime::HostFuncDef* def = source ? source->find(import.name) : nullptr;
    if (!def || import.kind != artifact::ExternKind::Func) {
      problems += fmt::format("\n  nothing provides the {} {}.{}",
                              type_text(state.module->meta(), import.kind, import.index), import.module, import.name);
      continue;
    }
    const artifact::FuncTypeMeta& wanted = state.module->meta().func_type(import.index);
    if (wanted.params != def->type.params || wanted.results != def->type.results)
      problems += fmt::format("\n  {}.{} has another type: the module wants {}, the host gives {}", import.module,
                              import.name, to_text(wanted), to_text(def->type));
    else imports.push_back(*source->bind(*state.store, import.name));
  }
  if (problems.empty()) return imports;
  return base::fail(base::ErrorCode::Unlinkable, "the module's imports cannot all be given:" + problems);
}

const artifact::ExportMeta* find_export(const artifact::ModuleMeta& meta, artifact::ExternKind kind,
                                        std::string_view name) {
  for (const artifact::ExportMeta& item : meta.exports)
    if (item.kind == kind && item.name == name) return &item;
  return nullptr;
}

base::Result<void> start(ModuleInstanceState& state) {
  auto imports = CUSP_TRY(resolve_imports(state));
  state.instance = CUSP_TRY(state.store->instantiate(state.module->code, 0, imports));
  const artifact::ModuleMeta& meta = state.module->meta();
  const artifact::ExportMeta* initialize = find_export(meta, artifact::ExternKind::Func, "_initialize");
  if (!initialize || find_export(meta, artifact::ExternKind::Func, "_start")) return {};
  if (to_text(meta.func_type(initialize->index)) != "() -> ()")
    return base::fail(base::ErrorCode::InvalidArgument,
                      "`_initialize` takes parameters or gives results; a reactor's does not");
  abi::ValRaw none[1];
  return state.store->call(*state.instance->func(initialize->index), none);
}

Error not_exported(const artifact::ModuleMeta& meta, artifact::ExternKind kind, std::string_view what,
                   std::string_view name) {
  std::string known;
  for (const artifact::ExportMeta& item : meta.exports)
    if (item.kind == kind && known.size() < 400) known += (known.empty() ? "" : ", ") + item.name;
  return Error{.code = ErrorCode::NotFound,
               .message = fmt::format("the module does not export the {} `{}`; it exports {}", what, name,
                                      known.empty() ? "none" : known)};
}

Result<std::shared_ptr<const ModuleState>>
to_module(const Engine& engine, Result<std::shared_ptr<const runtime::Code>> code, const std::string& name) {
  if (!code) return std::unexpected(std::move(code).error());
  if ((*code)->artifact().meta().plan)
    return std::unexpected(
        Error{.code = ErrorCode::InvalidArgument, .message = "this is a component, not a core module", .file = name});
  return std::make_shared<const ModuleState>(EngineState::of(engine), *std::move(code), name);
}

} // namespace
} // namespace detail

std::uint64_t Memory::size() const {
  const auto* record = static_cast<const abi::MemoryRecord*>(record_);
  return record ? record->byte_length : 0;
}

std::span<std::uint8_t> Memory::bytes() const {
  const auto* record = static_cast<const abi::MemoryRecord*>(record_);
  return record ? std::span(record->base, record->byte_length) : std::span<std::uint8_t>();
}

Memory ModuleCall::memory() const { return Memory(static_cast<runtime::HostCall*>(call_)->memory()); }

void ModuleCall::trap(std::string message) {
  static_cast<runtime::HostCall*>(call_)->trap(std::move(message));
  trapped_ = true;
}

Result<Module> Module::load(const Engine& engine, const std::string& path) {
  auto state = detail::to_module(engine, embed::load_code(*detail::EngineState::of(engine), path), path);
  if (!state) return std::unexpected(std::move(state).error());
  return Module(*std::move(state));
}

Result<Module> Module::compile(const Engine& engine, std::span<const std::uint8_t> wasm, const std::string& name) {
  auto state = detail::to_module(engine, embed::compile_code(*detail::EngineState::of(engine), wasm, name), name);
  if (!state) return std::unexpected(std::move(state).error());
  return Module(*std::move(state));
}

Result<void> Module::save(const std::string& path) const { return embed::save_code(*state_->code, path); }

std::vector<ExternInfo> Module::imports() const {
  std::vector<ExternInfo> found;
  for (const artifact::ImportMeta& import : state_->meta().imports)
    found.push_back({import.module, import.name, detail::type_text(state_->meta(), import.kind, import.index)});
  return found;
}

std::vector<ExternInfo> Module::exports() const {
  std::vector<ExternInfo> found;
  for (const artifact::ExportMeta& item : state_->meta().exports)
    found.push_back({"", item.name, detail::type_text(state_->meta(), item.kind, item.index)});
  return found;
}

ModuleLinker::ModuleLinker(const Engine& engine) : state_(std::make_shared<detail::ModuleLinkState>()) {
  state_->engine = detail::EngineState::of(engine);
}
ModuleLinker::~ModuleLinker() = default;
ModuleLinker::ModuleLinker(ModuleLinker&&) noexcept = default;
ModuleLinker& ModuleLinker::operator=(ModuleLinker&&) noexcept = default;

ModuleLinker& ModuleLinker::define(std::string_view module, std::string_view name, const detail::ModuleFuncInfo& info,
                                   std::shared_ptr<const void> callable) {
  auto func = std::make_shared<const detail::ModuleHostFunc>(info, std::move(callable));
  state_->modules.try_emplace(std::string(module), std::string(module))
      .first->second.define(name, {detail::func_type(info.type), &detail::call_host, std::move(func)});
  return *this;
}

Result<void> ModuleLinker::add_wasi(const WasiGrants& grants) {
  auto config = embed::make_config(grants);
  if (!config) return std::unexpected(to_public(std::move(config).error()));
  state_->wasi = *std::move(config);
  state_->grants = std::make_shared<const WasiGrants>(grants);
  return {};
}

Result<ModuleInstance> ModuleLinker::instantiate(const Module& module, const Limits& limits, void* data) const {
  auto state = std::make_shared<detail::ModuleInstanceState>();
  state->linker = state_;
  state->module = module.state_;
  state->allowed = limits;
  auto prepare = [&]() -> base::Result<void> {
    state->thread = CUSP_TRY(embed::Thread::here());
    state->store = CUSP_TRY(runtime::Store::create({limits.memory_bytes, limits.table_elements, limits.stack_bytes}));
    return {};
  };
  if (auto prepared = prepare(); !prepared) return std::unexpected(to_public(std::move(prepared).error()));
  static const wasi::Config kNothing;
  static const auto kNoGrants = std::make_shared<const WasiGrants>();
  state->stdio = embed::make_stdio(state_->grants ? state_->grants : kNoGrants);
  state->context.config = state_->wasi ? state_->wasi.get() : &kNothing;
  state->context.stdio = state->stdio.get();
  auto failed = state->enter([&]() -> base::Result<void> {
    state->host = std::make_unique<detail::ModuleInstanceState::Host>(state->context);
    state->host->data = data;
    state->store->user = static_cast<wasi::preview1::Program*>(state->host.get());
    return detail::start(*state);
  });
  if (failed) {
    if (failed->file.empty()) failed->file = module.state_->name;
    return std::unexpected(std::move(*failed));
  }
  return ModuleInstance(std::move(state));
}

Result<std::shared_ptr<const detail::BoundModuleFunc>> ModuleInstance::find(std::string_view name,
                                                                            const detail::CoreFuncInfo& type) const {
  const artifact::ModuleMeta& meta = state_->module->meta();
  const artifact::ExportMeta* found = detail::find_export(meta, artifact::ExternKind::Func, name);
  if (!found) return std::unexpected(detail::not_exported(meta, artifact::ExternKind::Func, "function", name));
  std::string has = detail::to_text(meta.func_type(found->index)), wanted = detail::to_text(detail::func_type(type));
  if (has != wanted)
    return std::unexpected(
        Error{.code = ErrorCode::InvalidArgument,
              .message = fmt::format("export `{}` has another type: the module has {}, the host calls it with {}", name,
                                     has, wanted)});
  return std::make_shared<const detail::BoundModuleFunc>(state_, state_->instance->func(found->index));
}

Result<Memory> ModuleInstance::memory(std::string_view name) const {
  const artifact::ModuleMeta& meta = state_->module->meta();
  const artifact::ExportMeta* found = detail::find_export(meta, artifact::ExternKind::Memory, name);
  if (!found) return std::unexpected(detail::not_exported(meta, artifact::ExternKind::Memory, "memory", name));
  return Memory(state_->instance->memory(found->index));
}

Result<std::uint64_t> ModuleInstance::global(std::string_view name) const {
  const artifact::ModuleMeta& meta = state_->module->meta();
  const artifact::ExportMeta* found = detail::find_export(meta, artifact::ExternKind::Global, name);
  if (!found) return std::unexpected(detail::not_exported(meta, artifact::ExternKind::Global, "global", name));
  wasm::ValType type = wasm::ValType::from_raw(meta.globals[found->index].type);
  const void* at = state_->instance->global(found->index);
  using Kind = wasm::ValType::Kind;
  if (type.kind() == Kind::I64 || type.kind() == Kind::F64) return *static_cast<const std::uint64_t*>(at);
  if (type.kind() == Kind::I32 || type.kind() == Kind::F32) return *static_cast<const std::uint32_t*>(at);
  return std::unexpected(Error{.code = ErrorCode::Unsupported,
                               .message = fmt::format("the global `{}` is of type {}", name, type.to_string())});
}

std::uint64_t ModuleInstance::memory_in_use() const { return state_->store->memory_in_use(); }

} // namespace cusp
