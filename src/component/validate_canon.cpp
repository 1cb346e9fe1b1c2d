#include "component/validation.h"

namespace cusp::component {

using base::ErrorCode;
using base::Result;
using CoreFuncType = wasm::FuncType;
using wasm::TypeIndex;
using OptionKind = ast::Option::Kind;

namespace {

wasm::ValType core_type(AddressType addresses) {
  return addresses == AddressType::I32 ? wasm::ValType::i32() : wasm::ValType::i64();
}
wasm::ValType core_type(FlatType type) {
  switch (type) {
  case FlatType::I32: return wasm::ValType::i32();
  case FlatType::I64: return wasm::ValType::i64();
  case FlatType::F32: return wasm::ValType::f32();
  case FlatType::F64: break;
  }
  return wasm::ValType::f64();
}

std::string_view option_name(OptionKind kind) {
  constexpr std::string_view kNames[] = {"string-encoding=utf8",
                                         "string-encoding=utf16",
                                         "string-encoding=latin1+utf16",
                                         "memory",
                                         "realloc",
                                         "post-return",
                                         "async",
                                         "callback",
                                         "core-type",
                                         "gc"};
  return kNames[static_cast<std::size_t>(kind)];
}

} // namespace

Result<void> Validation::define(ast::Canon& canon, const ast::Definition&) {
  using Kind = ast::Canon::Kind;
  switch (canon.kind) {
  case Kind::Lift: return lift(canon);
  case Kind::Lower: scope_->core_funcs.push_back(CUSP_TRY(lower(canon))); return {};
  case Kind::Builtin: scope_->core_funcs.push_back(CUSP_TRY(builtin(canon))); return {};
  default: scope_->core_funcs.push_back(CUSP_TRY(resource_builtin(canon))); return {};
  }
}

// ---- options ----

Result<AddressType> Validation::memory_addresses(std::uint32_t index) const {
  wasm::MemoryType memory = CUSP_TRY(at(scope_->core_memories, index, "core memory"));
  if (memory.shared) return invalid("mismatch in the shared flag for memories: a canonical memory cannot be shared");
  CUSP_TRY(need(Feature::Memory64, memory.memory64));
  return memory.memory64 ? AddressType::I64 : AddressType::I32;
}

Result<void> Validation::option(Options& made, const ast::Option& option, const ast::Options& all) {
  auto is_encoding = [](const ast::Option& other) { return other.kind <= OptionKind::Latin1Utf16; };
  for (const ast::Option& earlier : all.list) {
    if (&earlier == &option) break;
    if (is_encoding(earlier) && is_encoding(option))
      return invalid(fmt::format("canonical encoding option `{}` conflicts with option `{}`", option_name(earlier.kind),
                                 option_name(option.kind)));
    if (earlier.kind == option.kind)
      return invalid(fmt::format("canonical option `{}` is specified more than once", option_name(option.kind)));
  }
  CUSP_TRY(need(Feature::Async, option.kind == OptionKind::Async || option.kind == OptionKind::Callback));
  CUSP_TRY(need(Feature::Gc, option.kind == OptionKind::Gc || option.kind == OptionKind::CoreType));
  switch (option.kind) {
  case OptionKind::Utf8: made.encoding = StringEncoding::Utf8; return {};
  case OptionKind::Utf16: made.encoding = StringEncoding::Utf16; return {};
  case OptionKind::Latin1Utf16: made.encoding = StringEncoding::Latin1Utf16; return {};
  case OptionKind::Memory: made.memory = CUSP_TRY(memory_addresses(option.index)); return {};
  case OptionKind::Realloc: made.realloc = true; return {}; // checked when the memory is known
  case OptionKind::PostReturn:
    made.post_return = CUSP_TRY(at(scope_->core_funcs, option.index, "core function"));
    return {};
  case OptionKind::Async: made.is_async = true; return {};
  case OptionKind::Callback: made.callback = CUSP_TRY(at(scope_->core_funcs, option.index, "core function")); return {};
  case OptionKind::Gc: made.gc = true; return {};
  case OptionKind::CoreType: break;
  }
  Scope::CoreType type = CUSP_TRY(at(scope_->core_types, option.index, "type"));
  if (!type.type || !types_.core.func(*type.type))
    return invalid("canonical option `core type` must reference a core function type");
  made.core_type = type.type;
  return {};
}

Result<Validation::Options> Validation::options(const ast::Options& all) {
  Options made;
  for (const ast::Option& one : all.list) CUSP_TRY(option(made, one, all));
  if (made.callback && !made.is_async) return invalid("cannot specify callback without async");
  if (made.post_return && made.is_async) return invalid("cannot specify post-return function in async");
  if (made.core_type && !made.gc) return invalid("cannot specify `core-type` without `gc`");
  if (!made.realloc) return made;
  if (!made.memory) return invalid("canonical option `realloc` requires `memory` to also be specified");
  TypeIndex type = CUSP_TRY(at(scope_->core_funcs, all.find(OptionKind::Realloc)->index, "core function"));
  wasm::ValType address = core_type(*made.memory);
  if (*types_.core.func(type) != CoreFuncType{{address, address, address, address}, {address}})
    return invalid("canonical option `realloc` uses a core function with an incorrect signature");
  return made;
}

Result<void> Validation::require_memory(const Options& options, bool when) const {
  if (when && !options.memory) return invalid("canonical option `memory` is required");
  return {};
}

Result<void> Validation::require_realloc(const Options& options, bool when) const {
  CUSP_TRY(require_memory(options, when));
  if (when && !options.realloc) return invalid("canonical option `realloc` is required");
  return {};
}

Result<void> Validation::check_lowering(const Options& options) const {
  if (options.post_return) return invalid("canonical option `post-return` cannot be specified for lowerings");
  if (options.callback) return invalid("canonical option `callback` cannot be specified for lowerings");
  if (options.gc && !options.core_type)
    return invalid("cannot specify `gc` without also specifying a `core-type` for lowerings");
  return {};
}

// ---- lift, lower ----

// Spec: flatten_functype, with the options that each side needs ("canonopt Validation").
Result<CoreFuncType> Validation::flatten(const typing::FuncType& func, const Options& options, Abi abi) const {
  const bool lowers = abi == Abi::Lower;
  const std::uint32_t most = lowers && options.is_async ? kMaxFlatAsyncParams : kMaxFlatParams;
  CoreFuncType flat;
  std::vector<FlatType> params;
  std::uint64_t count = 0;
  for (const auto& [name, type] : func.params) {
    bool pointers = types_.needs_memory(type);
    CUSP_TRY(lowers ? require_memory(options, pointers) : require_realloc(options, pointers));
    ValType abi_type = types_.abi(type);
    count += types_.layouts().flat_count(abi_type);
    if (count <= most) types_.layouts().append_flat(abi_type, params, options.addresses());
  }
  if (count <= most) {
    for (FlatType type : params) flat.params.push_back(core_type(type));
  } else {
    CUSP_TRY(lowers ? require_memory(options) : require_realloc(options));
    flat.params.push_back(core_type(options.addresses()));
  }
  CUSP_TRY(flatten_result(func, options, abi, flat));
  return flat;
}

Result<void> Validation::flatten_result(const typing::FuncType& func, const Options& options, Abi abi,
                                        CoreFuncType& flat) const {
  const bool lowers = abi == Abi::Lower;
  if (lowers && options.is_async) flat.results.push_back(wasm::ValType::i32());
  if (!lowers && options.callback) flat.results.push_back(wasm::ValType::i32());
  if (!func.result) return {};
  const bool pointers = types_.needs_memory(*func.result);
  const std::uint32_t count = types_.layouts().flat_count(types_.abi(*func.result));
  if (lowers) CUSP_TRY(require_realloc(options, pointers));
  if (!lowers && options.is_async) // it leaves through task.return
    return require_memory(options, pointers || count > kMaxFlatParams);
  if (!options.is_async && count <= kMaxFlatResults) {
    std::vector<FlatType> results;
    types_.layouts().append_flat(types_.abi(*func.result), results, options.addresses());
    for (FlatType type : results) flat.results.push_back(core_type(type));
    return require_memory(options, pointers);
  }
  CUSP_TRY(require_memory(options));
  (lowers ? flat.params : flat.results).push_back(core_type(options.addresses()));
  return {};
}

Result<TypeIndex> Validation::core_func_of(const typing::FuncType& func, const Options& options, Abi abi) {
  if (options.is_async && !func.is_async)
    return invalid("the `async` canonical option requires an async function type");
  if (options.gc) return gc_core_type(func, options);
  CoreFuncType flat = CUSP_TRY(flatten(func, options, abi));
  return types_.core.add_func(flat);
}

Result<void> Validation::lift(const ast::Canon& canon) {
  TypeRef type = CUSP_TRY(type_at(canon.type, TypeRef::Kind::Func, "a function"));
  TypeIndex core = CUSP_TRY(at(scope_->core_funcs, canon.func, "core function"));
  Options made = CUSP_TRY(options(canon.options));
  const CoreFuncType actual = *types_.core.func(core); // by value: core_func_of adds types
  if (made.post_return) {
    const CoreFuncType& post_return = *types_.core.func(*made.post_return);
    if (post_return.params != actual.results || !post_return.results.empty())
      return invalid("canonical option `post-return` uses a core function with an incorrect signature");
  }
  CUSP_TRY(need(Feature::AsyncStackful, made.is_async && !made.callback));
  const wasm::ValType i32 = wasm::ValType::i32();
  if (made.callback && *types_.core.func(*made.callback) != CoreFuncType{{i32, i32, i32}, {i32}})
    return invalid("canonical option `callback` uses a core function with an incorrect signature");
  if (made.core_type) return invalid("canonical option `core-type` is not allowed in `canon lift`");
  made.core_type = core;
  TypeIndex wanted = CUSP_TRY(core_func_of(types_.func(type), made, Abi::Lift));
  if (wanted != core) {
    const CoreFuncType& expected = *types_.core.func(wanted);
    std::string_view part = expected.params != actual.params ? "parameter" : "result";
    return invalid(fmt::format("lowered {} types of `{}` do not match {} types of core function {}, which is `{}`",
                               part, expected.to_string(), part, canon.func, actual.to_string()));
  }
  scope_->funcs.push_back(type);
  return {};
}

Result<TypeIndex> Validation::lower(const ast::Canon& canon) {
  TypeRef type = CUSP_TRY(at(scope_->funcs, canon.func, "function"));
  Options made = CUSP_TRY(options(canon.options));
  CUSP_TRY(check_lowering(made));
  return core_func_of(types_.func(type), made, Abi::Lower);
}

Result<TypeIndex> Validation::resource_builtin(const ast::Canon& canon) {
  const wasm::ValType i32 = wasm::ValType::i32();
  TypeRef type = CUSP_TRY(type_at(canon.type, TypeRef::Kind::Resource, "a resource"));
  if (canon.kind == ast::Canon::Kind::ResourceDrop) return types_.core.add_func({{i32}, {}});
  std::optional<AddressType> rep;
  for (const Scope::DefinedResource& resource : scope_->defined)
    if (resource.id == type.resource_id()) rep = resource.rep;
  if (!rep) return invalid(fmt::format("type {} is not a local resource", canon.type));
  if (canon.kind == ast::Canon::Kind::ResourceNew) return types_.core.add_func({{core_type(*rep)}, {i32}});
  return types_.core.add_func({{i32}, {core_type(*rep)}});
}

// ---- built-ins ----

Result<TypeIndex> Validation::task_return(const ast::Canon& canon) {
  Options made = CUSP_TRY(options(canon.options));
  if (made.realloc) return invalid("cannot specify `realloc` option on `task.return`");
  if (made.post_return) return invalid("cannot specify `post-return` option on `task.return`");
  CUSP_TRY(check_lowering(made));
  if (made.is_async) return invalid("cannot specify `async` option on `task.return`");
  typing::FuncType func;
  if (canon.result) func.params.emplace_back("v", CUSP_TRY(value_type(*canon.result)));
  return core_func_of(func, made, Abi::Lower);
}

Result<std::optional<TypeRef>> Validation::stream_or_future(const ast::Canon& canon, TypeKind kind) const {
  TypeRef type = CUSP_TRY(defined_type_at(canon.type));
  if (types_.kind_of(type) != kind)
    return invalid(fmt::format("`{}` requires a {} type", builtin_name(canon.builtin), typing::type_kind_name(kind)));
  return types_.defined(type).element;
}

Result<void> Validation::check_builtin_options(const ast::Canon& canon, const Options& made) {
  CUSP_TRY(check_lowering(made));
  std::string_view name = builtin_name(canon.builtin);
  switch (canon.builtin) {
  case BuiltinKind::ErrorContextDebugMessage: CUSP_TRY(require_realloc(made)); [[fallthrough]];
  case BuiltinKind::ErrorContextNew:
    CUSP_TRY(require_memory(made));
    if (made.is_async) return invalid(fmt::format("cannot specify `async` option on `{}`", name));
    return {};
  default: break;
  }
  CUSP_TRY(need(Feature::MoreAsyncBuiltins, !made.is_async));
  bool stream = canon.builtin == BuiltinKind::StreamRead || canon.builtin == BuiltinKind::StreamWrite;
  bool reads = canon.builtin == BuiltinKind::StreamRead || canon.builtin == BuiltinKind::FutureRead;
  std::optional<TypeRef> element = CUSP_TRY(stream_or_future(canon, stream ? TypeKind::Stream : TypeKind::Future));
  CUSP_TRY(require_memory(made, element.has_value()));
  return require_realloc(made, reads && element && types_.needs_memory(*element));
}

Result<void> Validation::check_context(const ast::Canon& canon) {
  std::string_view name = builtin_name(canon.builtin);
  CUSP_TRY(need(Feature::Memory64, canon.value == AddressType::I64));
  CUSP_TRY(need(Feature::Threading, canon.slot != 0));
  if (scope_->context_type.value_or(canon.value) != canon.value)
    return invalid(fmt::format("`{}` type must match previous context type", name));
  scope_->context_type = canon.value;
  if (canon.slot > 1) return invalid(fmt::format("`{}` immediate must be zero or one: {}", name, canon.slot));
  return {};
}

// Gives the type of the start function's parameter.
Result<AddressType> Validation::thread_start(const ast::Canon& canon, TypeIndex& type) const {
  Scope::CoreType core = CUSP_TRY(at(scope_->core_types, canon.type, "type"));
  const CoreFuncType* func = core.type ? types_.core.func(*core.type) : nullptr;
  if (!func) return invalid("start type must be a function");
  bool one =
      func->params.size() == 1 && (func->params[0] == wasm::ValType::i32() || func->params[0] == wasm::ValType::i64());
  if (!one) return invalid("start function must take a single `i32` or `i64` argument");
  if (!func->results.empty()) return invalid("start function must not return any values");
  type = *core.type;
  CUSP_TRY(need(Feature::Memory64, func->params[0] == wasm::ValType::i64()));
  return func->params[0] == wasm::ValType::i32() ? AddressType::I32 : AddressType::I64;
}

Result<AddressType> Validation::thread_table(const ast::Canon& canon) const {
  wasm::TableType table = CUSP_TRY(at(scope_->core_tables, canon.table, "core table"));
  if (table.element != wasm::ValType::funcref())
    return invalid(
        fmt::format("table is not a table of (ref null (func)): expected table element type funcref, found {}",
                    table.element.to_string()));
  CUSP_TRY(need(Feature::Memory64, table.table64));
  return table.table64 ? AddressType::I64 : AddressType::I32;
}

namespace {

Feature feature_of(BuiltinKind builtin) {
  std::string_view name = builtin_name(builtin);
  if (name.starts_with("error-context.")) return Feature::ErrorContext;
  return name.starts_with("thread.") && builtin != BuiltinKind::ThreadYield ? Feature::Threading : Feature::Async;
}

} // namespace

// By the letters of canon_builtins.def.
Result<TypeIndex> Validation::builtin(ast::Canon& canon) {
  CUSP_TRY(need(feature_of(canon.builtin)));
  CUSP_TRY(need(Feature::MoreAsyncBuiltins, canon.is_async));
  if (canon.builtin == BuiltinKind::TaskReturn) return task_return(canon);
  AddressType addresses = AddressType::I32, table = AddressType::I32;
  TypeIndex start;
  std::optional<TypeIndex> declared;
  for (char letter : builtin_immediates(canon.builtin)) {
    switch (letter) {
    case 'S': CUSP_TRY(stream_or_future(canon, TypeKind::Stream)); break;
    case 'F': CUSP_TRY(stream_or_future(canon, TypeKind::Future)); break;
    case 'V': CUSP_TRY(check_context(canon)); break;
    case 'M': addresses = CUSP_TRY(memory_addresses(canon.options.list[0].index)); break;
    case 'Y': canon.value = CUSP_TRY(thread_start(canon, start)); break;
    case 'T': table = CUSP_TRY(thread_table(canon)); break;
    case 's':
      if (canon.is_shared) return fail(ErrorCode::Unsupported, "the shared-everything-threads feature is not enabled");
      break;
    case 'O': {
      Options made = CUSP_TRY(options(canon.options));
      CUSP_TRY(check_builtin_options(canon, made));
      addresses = made.addresses();
      declared = made.core_type;
      break;
    }
    default: break;
    }
  }
  auto value = [&](char letter) {
    switch (letter) {
    case 'l': return wasm::ValType::i64();
    case 'p': return core_type(addresses);
    case 't': return core_type(table);
    case 'v': return core_type(canon.value);
    case 'f': return wasm::ValType::ref(true, wasm::HeapType(start));
    default: return wasm::ValType::i32();
    }
  };
  CoreFuncType type;
  for (char letter : builtin_params(canon.builtin)) type.params.push_back(value(letter));
  for (char letter : builtin_results(canon.builtin)) type.results.push_back(value(letter));
  TypeIndex made = types_.core.add_func(type);
  if (declared && *declared != made)
    return invalid(fmt::format("declared core type is `{}`, but the built-in has type `{}`",
                               types_.core.func(*declared)->to_string(), type.to_string()));
  return made;
}

} // namespace cusp::component
