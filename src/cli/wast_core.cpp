#include "cli/wast_core.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "cli/wast_values.h"
#include "wasm/types.h"

namespace cusp::cli {

using base::ErrorCode;
using runtime::Extern;

namespace {

std::uint32_t do_nothing(abi::HostFunc*, abi::ValRaw*) { return 0; }

std::uint32_t collect(abi::HostFunc* host, abi::ValRaw*) {
  static_cast<runtime::Store*>(host->environment)->collect_garbage();
  return 0;
}

// A reference of the any hierarchy takes four bytes; the rest of its place is anything.
void extend_reference(std::uint32_t canonical, abi::ValRaw& value) {
  if (runtime::root_kind(canonical) == runtime::RootKind::Any) value.i64 = value.i32;
}

constexpr std::uint32_t kI32 = wasm::ValType::i32().raw(), kI64 = wasm::ValType::i64().raw(),
                        kF32 = wasm::ValType::f32().raw(), kF64 = wasm::ValType::f64().raw(),
                        kFuncref = wasm::ValType::funcref().raw();

} // namespace

base::Result<std::unique_ptr<WastCore>> WastCore::create(WastCompile compile) {
  std::unique_ptr<WastCore> core(new WastCore);
  core->compile_ = std::move(compile);
  core->store_ = CUSP_TRY(runtime::Store::create(runtime::StoreLimits{}));
  CUSP_TRY(core->add_spectest());
  core->add_wasmtime();
  return core;
}

base::Result<std::unique_ptr<WastCore>> WastCore::create_beside(const std::string& shared) const {
  std::unique_ptr<WastCore> core(new WastCore);
  core->compile_ = compile_;
  core->store_ = CUSP_TRY(runtime::Store::create(runtime::StoreLimits{}));
  if (shared.empty()) return core;
  auto it = named_.find(shared);
  if (it == named_.end()) return base::fail(ErrorCode::NotFound, fmt::format("there is no instance ${}", shared));
  core->foreign_ = it->second;
  core->named_[shared] = core->registry_[shared] = it->second;
  return core;
}

base::Result<void> WastCore::add_spectest() {
  auto function = [&](const char* name, std::vector<std::uint32_t> params) {
    artifact::FuncTypeMeta type{.params = std::move(params), .results = {}};
    spectest_[name] = runtime::ExternFunc{store_->add_host_func(type, do_nothing, nullptr)};
  };
  function("print", {});
  function("print_i32", {kI32});
  function("print_i64", {kI64});
  function("print_f32", {kF32});
  function("print_f64", {kF64});
  function("print_i32_f32", {kI32, kF32});
  function("print_f64_f64", {kF64, kF64});
  auto global = [&](const char* name, std::uint32_t type, std::uint64_t bits) {
    abi::ValRaw value{};
    value.i64 = bits;
    spectest_[name] = store_->add_global(artifact::GlobalMeta{.type = type, .is_mutable = false, .init = {}}, value);
  };
  global("global_i32", kI32, 666);
  global("global_i64", kI64, 666);
  global("global_f32", kF32, std::bit_cast<std::uint32_t>(666.6f));
  global("global_f64", kF64, std::bit_cast<std::uint64_t>(666.6));
  artifact::TableMeta table{.element_type = kFuncref, .min = 10, .max = 20, .index64 = false, .init = {}};
  spectest_["table"] = CUSP_TRY(store_->add_table(table));
  table.index64 = true;
  spectest_["table64"] = CUSP_TRY(store_->add_table(table));
  artifact::MemoryMeta memory;
  memory.min = 1, memory.max = 2;
  spectest_["memory"] = CUSP_TRY(store_->add_memory(memory));
  memory.max = 1, memory.shared = true;
  spectest_["shared_memory"] = CUSP_TRY(store_->add_memory(memory));
  return {};
}

void WastCore::add_wasmtime() {
  wasmtime_["gc"] = runtime::ExternFunc{store_->add_host_func(artifact::FuncTypeMeta{}, collect, store_.get())};
}

base::Result<Extern> WastCore::resolve(const artifact::ImportMeta& import, const artifact::ModuleMeta&) {
  if (auto it = registry_.find(import.module); it != registry_.end()) {
    auto item = it->second->exported(import.name);
    auto* memory = item ? std::get_if<runtime::ExternMemory>(&*item) : nullptr;
    const bool allowed = it->second != foreign_ || (memory && memory->owner);
    if (item && allowed) return *item;
  } else if (import.module == "spectest") {
    if (auto item = spectest_.find(import.name); item != spectest_.end()) return item->second;
  } else if (import.module == "wasmtime") {
    if (auto item = wasmtime_.find(import.name); item != wasmtime_.end()) return item->second;
  }
  return base::fail(ErrorCode::Unlinkable,
                    fmt::format("unknown import: `{}::{}` has not been defined", import.module, import.name));
}

base::Result<void> WastCore::instantiate(const std::vector<std::uint8_t>& bytes,
                                         const std::optional<std::string>& name) {
  auto code = CUSP_TRY(compile_(bytes));
  const artifact::ModuleMeta& meta = code->module(0);
  std::vector<Extern> imports;
  for (const artifact::ImportMeta& import : meta.imports) imports.push_back(CUSP_TRY(resolve(import, meta)));
  current_ = CUSP_TRY(store_->instantiate(code, 0, imports));
  if (name) {
    named_[*name] = current_;
    registry_[*name] = current_;
  }
  return {};
}

base::Result<runtime::Instance*> WastCore::instance_of(const std::optional<std::string>& name) {
  if (!name) {
    if (!current_) return base::fail(ErrorCode::NotFound, "there is no current instance");
    return current_;
  }
  auto it = named_.find(*name);
  if (it == named_.end()) return base::fail(ErrorCode::NotFound, fmt::format("there is no instance ${}", *name));
  return it->second;
}

base::Result<void> WastCore::register_as(const std::optional<std::string>& name, const std::string& as) {
  registry_[as] = CUSP_TRY(instance_of(name));
  return {};
}

base::Result<std::vector<abi::ValRaw>> WastCore::perform(const WastAction& action) {
  runtime::Instance* instance = CUSP_TRY(instance_of(action.module));
  if (instance == foreign_)
    return base::fail(ErrorCode::InvalidArgument, "the instance belongs to another thread of the script");
  auto item = instance->exported(action.field);
  if (!item) return base::fail(ErrorCode::NotFound, fmt::format("there is no export \"{}\"", action.field));
  std::vector<abi::ValRaw> values;
  if (action.is_get) {
    auto* global = std::get_if<runtime::ExternGlobal>(&*item);
    if (!global) return base::fail(ErrorCode::NotFound, fmt::format("export \"{}\" is not a global", action.field));
    values.push_back(*static_cast<const abi::ValRaw*>(global->global));
    extend_reference(global->type, values[0]);
    return values;
  }
  auto* func = std::get_if<runtime::ExternFunc>(&*item);
  if (!func) return base::fail(ErrorCode::NotFound, fmt::format("export \"{}\" is not a function", action.field));
  for (const auto& arg : action.args) values.push_back(CUSP_TRY(core_value(arg, *store_)));
  const artifact::ModuleMeta& meta = instance->meta();
  std::vector<std::uint32_t> results; // canonical types
  for (const artifact::ExportMeta& entry : meta.exports)
    if (entry.kind == artifact::ExternKind::Func && entry.name == action.field)
      for (std::uint32_t raw : meta.func_type(entry.index).results)
        results.push_back(runtime::canonical_value(raw, instance->code()->type_ids(0)));
  values.resize(std::max({values.size(), results.size(), std::size_t{1}}));
  CUSP_TRY(store_->call(*func->func, values.data()));
  values.resize(results.size());
  for (std::size_t i = 0; i < results.size(); ++i) extend_reference(results[i], values[i]);
  return values;
}

} // namespace cusp::cli
