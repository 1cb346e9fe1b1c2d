#include "app/core_command.h"

#include <algorithm>
#include <charconv>
#include <csignal>

#include <fmt/format.h>

#include "runtime/store.h"
#include "wasi/cli/stdio.h"
#include "wasi/preview1/preview1.h"
#include "wasm/types.h"

namespace cusp::app {

using base::ErrorCode;
using wasm::ValType;

namespace {

constexpr const char* kStart = "_start";
constexpr const char* kInitialize = "_initialize"; // of a reactor

std::uint32_t give_zeros(abi::HostFunc* host, abi::ValRaw* values) {
  auto results = reinterpret_cast<std::uintptr_t>(host->environment);
  std::fill_n(values, results, abi::ValRaw{});
  return 0;
}

// Zero and null will do for it.
bool has_default(const artifact::ModuleMeta& meta, const artifact::ImportMeta& import) {
  auto is_defaultable = [](std::uint32_t raw) { return wasm::ValType::from_raw(raw).is_defaultable(); };
  switch (import.kind) {
  case artifact::ExternKind::Table: return is_defaultable(meta.tables[import.index].element_type);
  case artifact::ExternKind::Global: return is_defaultable(meta.globals[import.index].type);
  case artifact::ExternKind::Func: return std::ranges::all_of(meta.func_type(import.index).results, is_defaultable);
  case artifact::ExternKind::Tag: return false;
  default: return true;
  }
}

// What an import of this module gets when nobody provides it. REQUIRES: has_default()
Result<runtime::Extern> default_import(runtime::Store& store, const runtime::Code& code,
                                       const artifact::ImportMeta& import) {
  const artifact::ModuleMeta& meta = code.module(0);
  auto ids = code.type_ids(0);
  switch (import.kind) {
  case artifact::ExternKind::Table: {
    artifact::TableMeta table = meta.tables[import.index];
    table.element_type = runtime::canonical_value(table.element_type, ids);
    return store.add_table(table);
  }
  case artifact::ExternKind::Memory: return store.add_memory(meta.memories[import.index]);
  case artifact::ExternKind::Global: {
    artifact::GlobalMeta global = meta.globals[import.index];
    global.type = runtime::canonical_value(global.type, ids);
    return store.add_global(global, abi::ValRaw{});
  }
  default: break;
  }
  const std::uint32_t type = meta.func_types[import.index];
  return runtime::ExternFunc{
      store.add_host_func(ids[type], give_zeros, reinterpret_cast<void*>(meta.types[type].func.results.size()))};
}

struct TrappingImport {
  runtime::Store* store;
  std::string text;
};
std::uint32_t trap_always(abi::HostFunc* host, abi::ValRaw*) {
  auto* import = static_cast<TrappingImport*>(host->environment);
  import->store->set_pending_trap(abi::Trap::HostError, import->text);
  return 1;
}

template <class Number> std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  if (text.starts_with('+')) text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Integers may be written signed or unsigned.
template <class Signed, class Unsigned> std::optional<Unsigned> parse_integer(std::string_view text) {
  if (auto value = parse_number<Signed>(text)) return static_cast<Unsigned>(*value);
  return parse_number<Unsigned>(text);
}

Result<abi::ValRaw> argument(std::string_view text, ValType type, std::size_t position) {
  abi::ValRaw value{};
  bool good = false;
  auto take = [&](auto parsed, auto& to) {
    good = parsed.has_value();
    if (good) to = *parsed;
  };
  switch (type.kind()) {
  case ValType::Kind::I32: take(parse_integer<std::int32_t, std::uint32_t>(text), value.i32); break;
  case ValType::Kind::I64: take(parse_integer<std::int64_t, std::uint64_t>(text), value.i64); break;
  case ValType::Kind::F32: take(parse_number<float>(text), value.f32); break;
  case ValType::Kind::F64: take(parse_number<double>(text), value.f64); break;
  default:
    return base::fail(
        ErrorCode::InvalidArgument,
        fmt::format("argument {} is of type {}, which cannot be given as text", position + 1, type.to_string()));
  }
  if (!good)
    return base::fail(ErrorCode::InvalidArgument,
                      fmt::format("argument {}: '{}' is not a value of type {}", position + 1, text, type.to_string()));
  return value;
}

std::string result_text(const abi::ValRaw& value, ValType type) {
  switch (type.kind()) {
  case ValType::Kind::I32: return fmt::format("{}", static_cast<std::int32_t>(value.i32));
  case ValType::Kind::I64: return fmt::format("{}", static_cast<std::int64_t>(value.i64));
  case ValType::Kind::F32: return fmt::format("{}", value.f32);
  case ValType::Kind::F64: return fmt::format("{}", value.f64);
  case ValType::Kind::V128: {
    std::string text = "0x";
    for (unsigned i = 16; i-- != 0;) text += fmt::format("{:02x}", value.v128[i]);
    return text;
  }
  default: return value.i64 == 0 ? "null" : fmt::format("<{}>", type.to_string());
  }
}

class CoreCommand {
public:
  CoreCommand(std::shared_ptr<const runtime::Code> code, const CommandOptions& options,
              const std::optional<CoreCall>& call, const wasi::Config& config)
      : code_(std::move(code)), meta_(code_->module(0)), options_(options), call_(call) {
    context_.config = &config;
    context_.stdio = &stdio_;
  }

  Result<CoreOutcome> run() {
    store_ = CUSP_TRY(runtime::Store::create(options_.link.limits));
    if (options_.timeout) {
      context_.deadline = loop::Clock::now() + std::chrono::duration_cast<loop::Clock::duration>(*options_.timeout);
      store_->set_deadline(context_.deadline.time_since_epoch().count());
    }
    wasi::preview1::Program program(context_);
    store_->user = &program;
    imports_ = CUSP_TRY(resolve_imports());
    const artifact::ExportMeta* entry = CUSP_TRY(find_function());
    if (entry) values_ = CUSP_TRY(arguments_of(type_of(*entry)));
    return outcome_of(execute(entry), entry);
  }

private:
  const artifact::FuncTypeMeta& type_of(const artifact::ExportMeta& entry) const {
    return meta_.func_type(entry.index);
  }

  Result<std::vector<runtime::Extern>> resolve_imports() {
    std::vector<runtime::Extern> imports;
    std::string missing;
    for (const artifact::ImportMeta& import : meta_.imports) {
      const bool is_func = import.kind == artifact::ExternKind::Func;
      const runtime::HostModule* wasi = is_func ? wasi::preview1::host_module(import.module) : nullptr;
      if (auto given = wasi ? wasi->bind(*store_, import.name) : std::nullopt) imports.push_back(*given);
      else if (options_.link.default_missing && has_default(meta_, import))
        imports.push_back(CUSP_TRY(default_import(*store_, *code_, import)));
      else if (options_.link.trap_missing && is_func) imports.push_back(trapping_import(import));
      else missing += fmt::format("\n  {}.{}", import.module, import.name);
    }
    if (missing.empty()) return imports;
    return base::fail(ErrorCode::Unlinkable, "nothing provides these imports:" + missing);
  }

  runtime::Extern trapping_import(const artifact::ImportMeta& import) {
    trapping_.push_back(std::make_unique<TrappingImport>(
        store_.get(), fmt::format("unknown import {}.{} was called", import.module, import.name)));
    return runtime::ExternFunc{
        store_->add_host_func(code_->type_ids(0)[meta_.func_types[import.index]], trap_always, trapping_.back().get())};
  }

  const artifact::ExportMeta* exported_function(std::string_view name) const {
    for (const artifact::ExportMeta& entry : meta_.exports)
      if (entry.kind == artifact::ExternKind::Func && entry.name == name) return &entry;
    return nullptr;
  }

  // Null: there is nothing to call.
  Result<const artifact::ExportMeta*> find_function() const {
    const artifact::ExportMeta* found = exported_function(call_ ? call_->function : kStart);
    if (found || !call_) return found;
    std::string names;
    for (const artifact::ExportMeta& entry : meta_.exports)
      if (entry.kind == artifact::ExternKind::Func && names.size() < 1000)
        names += (names.empty() ? "" : ", ") + entry.name;
    return base::fail(ErrorCode::NotFound,
                      names.empty()
                          ? "the module exports no functions"
                          : fmt::format("there is no exported function '{}'; there are {}", call_->function, names));
  }

  Result<std::vector<abi::ValRaw>> arguments_of(const artifact::FuncTypeMeta& type) const {
    static const std::vector<std::string> kNone;
    const std::vector<std::string>& given = call_ ? call_->arguments : kNone;
    if (given.size() != type.params.size())
      return base::fail(ErrorCode::InvalidArgument, fmt::format("the function takes {} arguments, {} were given",
                                                                type.params.size(), given.size()));
    std::vector<abi::ValRaw> values;
    for (std::size_t i = 0; i < given.size(); ++i)
      values.push_back(CUSP_TRY(argument(given[i], ValType::from_raw(type.params[i]), i)));
    values.resize(std::max({values.size(), type.results.size(), std::size_t{1}}));
    return values;
  }

  Result<void> execute(const artifact::ExportMeta* entry) {
    runtime::Instance* instance = CUSP_TRY(store_->instantiate(code_, 0, imports_));
    const artifact::ExportMeta* initialize = exported_function(kStart) ? nullptr : exported_function(kInitialize);
    if (initialize && initialize != entry) {
      const artifact::FuncTypeMeta& type = type_of(*initialize);
      if (!type.params.empty() || !type.results.empty())
        return base::fail(ErrorCode::InvalidArgument,
                          "`_initialize` takes parameters or gives results; a reactor's does not");
      abi::ValRaw none[1];
      CUSP_TRY(store_->call(*instance->func(initialize->index), none));
    }
    return entry ? store_->call(*instance->func(entry->index), values_.data()) : Result<void>();
  }

  Result<CoreOutcome> outcome_of(Result<void> done, const artifact::ExportMeta* entry) const {
    CoreOutcome outcome;
    if (context_.exit_code) {
      outcome.command.exit_code = *context_.exit_code;
      return outcome;
    }
    if (!done && done.error().code != ErrorCode::Trap) return std::unexpected(std::move(done).error());
    if (!done) outcome.command = {kTrapExitCode, store_->last_trap().to_string()};
    else if (entry)
      for (std::size_t i = 0; i < type_of(*entry).results.size(); ++i)
        outcome.results.push_back(result_text(values_[i], ValType::from_raw(type_of(*entry).results[i])));
    return outcome;
  }

  std::shared_ptr<const runtime::Code> code_;
  const artifact::ModuleMeta& meta_;
  const CommandOptions& options_;
  const std::optional<CoreCall>& call_;
  wasi::ProcessStdio stdio_;
  wasi::Context context_;
  std::vector<std::unique_ptr<TrappingImport>> trapping_;
  std::unique_ptr<runtime::Store> store_;
  std::vector<runtime::Extern> imports_;
  std::vector<abi::ValRaw> values_;
};

} // namespace

Result<CoreOutcome> run_core_command(std::shared_ptr<const runtime::Code> code, const CommandOptions& options,
                                     const std::optional<CoreCall>& call) {
  std::signal(SIGPIPE, SIG_IGN);
  CUSP_TRY(runtime::initialize());
  auto config = CUSP_TRY(make_config(options.grants, wasi::IoMode::Direct));
  std::optional<Result<CoreOutcome>> outcome;
  CUSP_TRY(loop::EventLoop::run_one([&] { outcome = CoreCommand(std::move(code), options, call, *config).run(); }));
  return *std::move(outcome);
}

} // namespace cusp::app
