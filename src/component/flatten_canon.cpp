#include "component/flattening.h"

namespace cusp::component {

using base::ErrorCode;
using base::Result;

// All modules are here, and an item of an instance is in its module's own index space, imports included.
AddressType Flattening::addresses_of_memory(const CoreItem& item) const {
  const wasm::Module& module = decoded_.modules[plan_.core_instances[item.instance.value]].module;
  return module.memories[item.index].memory64 ? AddressType::I64 : AddressType::I32;
}
AddressType Flattening::addresses_of_table(const CoreItem& item) const {
  const wasm::Module& module = decoded_.modules[plan_.core_instances[item.instance.value]].module;
  return module.tables[item.index].type.table64 ? AddressType::I64 : AddressType::I32;
}

Result<CanonicalOptions> Flattening::evaluate(const ast::Options& options) {
  using Kind = ast::Option::Kind;
  CanonicalOptions made;
  for (const ast::Option& option : options.list) {
    auto func = [&] { return at(env_->core_funcs, option.index, "core function"); };
    switch (option.kind) {
    case Kind::Utf8: made.string_encoding = StringEncoding::Utf8; break;
    case Kind::Utf16: made.string_encoding = StringEncoding::Utf16; break;
    case Kind::Latin1Utf16: made.string_encoding = StringEncoding::Latin1Utf16; break;
    case Kind::Memory:
      made.memory = CUSP_TRY(at(env_->core_memories, option.index, "core memory"));
      made.addresses = addresses_of_memory(*made.memory);
      break;
    case Kind::Realloc: made.realloc = CUSP_TRY(func()); break;
    case Kind::PostReturn: made.post_return = CUSP_TRY(func()); break;
    case Kind::Async: made.is_async = true; break;
    case Kind::Callback: made.callback = CUSP_TRY(func()); break;
    case Kind::CoreType:
    case Kind::Gc: return fail(ErrorCode::Unsupported, "the canonical ABI over GC types cannot be run");
    }
  }
  return made;
}

Result<void> Flattening::define(const ast::Canon& canon, Frame&) {
  using Kind = ast::Canon::Kind;
  if (canon.kind == Kind::Lift) return lift(canon);
  Trampoline made{env_->instance, Builtin{}};
  switch (canon.kind) {
  case Kind::Lower: {
    FuncEntity callee = CUSP_TRY(at(env_->funcs, canon.func, "function"));
    made.kind = Lower{callee.func, callee.type, CUSP_TRY(evaluate(canon.options))};
    break;
  }
  case Kind::ResourceNew: made.kind = ResourceNew{CUSP_TRY(resource_at(canon.type))}; break;
  case Kind::ResourceRep: made.kind = ResourceRep{CUSP_TRY(resource_at(canon.type))}; break;
  case Kind::ResourceDrop: made.kind = ResourceDrop{CUSP_TRY(resource_at(canon.type))}; break;
  default: made.kind = CUSP_TRY(evaluate_builtin(canon)); break;
  }
  env_->core_funcs.push_back(TrampolineIndex(static_cast<std::uint32_t>(plan_.trampolines.size())));
  plan_.trampolines.push_back(std::move(made));
  return {};
}

Result<Builtin> Flattening::evaluate_builtin(const ast::Canon& canon) {
  Builtin made{.kind = canon.builtin,
               .type = {},
               .options = CUSP_TRY(evaluate(canon.options)),
               .is_async = canon.is_async,
               .is_cancellable = canon.is_cancellable,
               .is_shared = canon.is_shared,
               .value = canon.value,
               .slot = canon.slot,
               .table = {}};
  std::string_view immediates = builtin_immediates(canon.builtin);
  if (immediates.starts_with('S') || immediates.starts_with('F'))
    made.type = CUSP_TRY(evaluate(ast::ValRef{std::nullopt, canon.type}));
  if (canon.result) made.type = CUSP_TRY(evaluate(*canon.result));
  if (immediates.ends_with('T')) {
    made.table = CUSP_TRY(at(env_->core_tables, canon.table, "core table"));
    made.table_addresses = addresses_of_table(*made.table);
  }
  return made;
}

Result<void> Flattening::lift(const ast::Canon& canon) {
  CoreFunc core = CUSP_TRY(at(env_->core_funcs, canon.func, "core function"));
  std::uint32_t type = CUSP_TRY(func_type_at(canon.type));
  CanonicalOptions options = CUSP_TRY(evaluate(canon.options));
  LiftIndex index(static_cast<std::uint32_t>(plan_.lifts.size()));
  plan_.lifts.push_back({env_->instance, core, type, std::move(options)});
  env_->funcs.push_back({index, type});
  return {};
}

} // namespace cusp::component
