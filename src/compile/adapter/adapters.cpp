#include "compile/adapter/adapters.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "compile/adapter/eligibility.h"
#include "compile/adapter/mover.h"
#include "wasm/reader.h"

namespace cusp::compile {

using base::Result;
using component::Assist;
using component::ComponentInstanceIndex;
using component::CoreArgument;
using component::CoreItem;
using component::LinkedComponent;
using component::LinkPlan;
using component::ResourceIndex;
using component::Trampoline;
using component::TrampolineIndex;
using wasm::Op;

namespace {

CoreSignature assist_signature(Assist::Kind kind) {
  using enum FlatType;
  switch (kind) {
  case Assist::Kind::Fault: return {{I32, I32, I64}, {}};
  case Assist::Kind::Own:
  case Assist::Kind::Borrow: return {{I64}, {I32}};
  case Assist::Kind::Take:
  case Assist::Kind::Lend: return {{I32}, {I64}};
  case Assist::Kind::String: return {{I32, I32}, {I32, I32}};
  }
  return {};
}

// The adapters that one core instance imports.
class ModuleMaker {
public:
  ModuleMaker(LinkedComponent& component, const Eligibility& eligibility, std::vector<TrampolineIndex>& assists)
      : component_(component), plan_(component.plan), eligibility_(eligibility), assists_(assists) {
    // Without a tag there is nothing to throw.
    throws_ = std::ranges::any_of(component.modules, [](const auto& m) { return !m.module.tags.empty(); });
  }

  // The function's place among those that the module defines; nothing: too large.
  std::optional<std::uint32_t> add(TrampolineIndex index, const std::string& name) {
    const Trampoline trampoline = plan_.trampolines[index.value]; // a copy: assists are added to the plan
    if (const auto* lower = std::get_if<component::Lower>(&trampoline.kind))
      return call(index, trampoline.instance, *lower, name);
    if (const auto* made = std::get_if<component::ResourceNew>(&trampoline.kind))
      return resource_new(index, trampoline.instance, made->resource, name);
    if (const auto* rep = std::get_if<component::ResourceRep>(&trampoline.kind))
      return resource_rep(index, trampoline.instance, rep->resource, name);
    return resource_drop(index, trampoline.instance, std::get<component::ResourceDrop>(trampoline.kind).resource, name);
  }
  const AdapterModule& module() const { return module_; }

private:
  const wasm::Module& module_of(const CoreItem& item) const {
    return component_.modules[plan_.core_instances[item.instance.value]].module;
  }
  CoreSignature signature_of(const CoreItem& func) const {
    const wasm::FuncType& type = module_of(func).func_type(wasm::FuncIndex(func.index));
    auto flat = [](const std::vector<wasm::ValType>& types) {
      std::vector<FlatType> out;
      for (wasm::ValType type : types)
        out.push_back(type == wasm::ValType::i32()   ? FlatType::I32
                      : type == wasm::ValType::i64() ? FlatType::I64
                      : type == wasm::ValType::f32() ? FlatType::F32
                                                     : FlatType::F64);
      return out;
    };
    return {flat(type.params), flat(type.results)};
  }
  std::uint32_t import(const component::CoreFunc& func) {
    return module_.func(func, signature_of(std::get<CoreItem>(func)));
  }
  AdapterSide side(ComponentInstanceIndex instance, const component::CanonicalOptions& options) {
    AdapterSide side{.instance = instance, .options = &options};
    if (options.memory) {
      const wasm::MemoryType& type = module_of(*options.memory).memories[options.memory->index];
      side.memory = module_.memory(*options.memory, type);
      side.page_size_log2 = type.page_size_log2;
    }
    if (options.realloc) side.realloc = import(*options.realloc);
    return side;
  }

  std::uint32_t assist(const Assist& assist, ComponentInstanceIndex instance) {
    TrampolineIndex index(static_cast<std::uint32_t>(plan_.trampolines.size()));
    auto same = [&](TrampolineIndex known) {
      const Trampoline& other = plan_.trampolines[known.value];
      const auto& what = std::get<Assist>(other.kind);
      if (what.kind != assist.kind) return false;
      return what.kind == Assist::Kind::Fault ||
             (other.instance == instance && what.resource == assist.resource && what.trampoline == assist.trampoline &&
              what.is_result == assist.is_result);
    };
    auto known = std::ranges::find_if(assists_, same);
    if (known != assists_.end()) index = *known;
    else {
      plan_.trampolines.push_back({instance, assist, {}});
      assists_.push_back(index);
    }
    return module_.func(index, assist_signature(assist.kind));
  }

  void enter(AdapterCode& code, std::span<const std::uint32_t> instances) {
    for (std::uint32_t instance : instances) code.op(Op::AdapterEnter, {instance});
  }
  void leave(AdapterCode& code, std::span<const std::uint32_t> instances) {
    for (std::uint32_t instance : instances) code.op(Op::AdapterLeave, {instance});
  }
  std::optional<std::uint32_t> define(const CoreSignature& signature, AdapterCode& code, const std::string& name) {
    if (code.is_too_large()) return std::nullopt;
    return module_.define(signature, code, name);
  }

  std::optional<std::uint32_t> call(TrampolineIndex index, ComponentInstanceIndex caller_instance,
                                    const component::Lower& lower, const std::string& name);
  std::optional<std::uint32_t> resource_new(TrampolineIndex index, ComponentInstanceIndex instance,
                                            ResourceIndex resource, const std::string& name);
  std::optional<std::uint32_t> resource_rep(TrampolineIndex index, ComponentInstanceIndex instance,
                                            ResourceIndex resource, const std::string& name);
  std::optional<std::uint32_t> resource_drop(TrampolineIndex index, ComponentInstanceIndex instance,
                                             ResourceIndex resource, const std::string& name);

  LinkedComponent& component_;
  LinkPlan& plan_;
  const Eligibility& eligibility_;
  std::vector<TrampolineIndex>& assists_;
  AdapterModule module_;
  bool throws_ = false;
};

// How the values of a function type travel. Spec: flatten_functype.
struct Flattened {
  std::vector<FlatType> params, result;
  std::uint32_t param_count = 0, result_count = 0; // however many
  std::uint32_t size = 0, alignment = 1;           // of the parameters as a tuple
  std::vector<std::uint32_t> offsets;              // of each
  bool params_in_memory() const { return param_count > component::kMaxFlatParams; }
  bool result_in_memory() const { return result_count > component::kMaxFlatResults; }

  Flattened(const component::TypeTable& types, const component::FuncType& type) {
    for (const component::Param& param : type.params) {
      param_count += types.flat_count(param.type);
      if (param_count <= component::kMaxFlatParams) types.append_flat(param.type, params);
      const std::uint32_t own = types.alignment(param.type);
      size = (size + own - 1) / own * own;
      offsets.push_back(size);
      size += types.size(param.type);
      alignment = std::max(alignment, own);
    }
    size = (size + alignment - 1) / alignment * alignment;
    if (params_in_memory()) params = {FlatType::I32};
    if (type.result) {
      result_count = types.flat_count(*type.result);
      if (!result_in_memory()) types.append_flat(*type.result, result);
    }
  }
  CoreSignature lowered() const {
    CoreSignature signature{params, result};
    if (result_in_memory()) signature.params.push_back(FlatType::I32);
    return signature;
  }
};

// Spec: canon_lower of a canon_lift, neither async.
std::optional<std::uint32_t> ModuleMaker::call(TrampolineIndex index, ComponentInstanceIndex caller_instance,
                                               const component::Lower& lower, const std::string& name) {
  const component::Lift& lift = plan_.lifts[std::get<component::LiftIndex>(lower.callee).value];
  const component::FuncType& type = plan_.types.funcs[lift.type];
  const Flattened flattened(plan_.types, type);
  const CoreSignature signature = flattened.lowered();
  AdapterCode code(signature, throws_);
  const AdapterSide caller = side(caller_instance, lower.options), callee = side(lift.instance, lift.options);
  const std::vector<std::uint32_t> entered = eligibility_.entered(lift.instance, caller_instance);
  auto assist_of = [&](bool is_result) {
    return AssistFunc(
        [this, index, is_result](Assist::Kind kind, ComponentInstanceIndex instance, ResourceIndex resource) {
          const bool string = kind == Assist::Kind::String;
          return assist({kind, resource, string ? index.value : 0, string && is_result}, instance);
        });
  };
  const AssistFunc params_assist = assist_of(false), result_assist = assist_of(true);

  code.op(Op::AdapterCheckLeave, {caller_instance.value});
  enter(code, entered);
  std::vector<Local> source, target;
  for (std::uint32_t i = 0; i < signature.params.size(); ++i) source.push_back(code.param(i));
  for (FlatType flat : flattened.params) target.push_back(code.new_local(flat));
  Mover params(code, plan_, caller, callee, params_assist);
  Place from = Place::in(source), to = Place::in(target);
  if (flattened.params_in_memory()) {
    params.check_range(caller, source[0], flattened.size, flattened.alignment, component::AdapterPlace::Parameters);
    Local block = params.allocate(flattened.alignment, flattened.size);
    code.get(block), code.set(target[0]);
    from = Place::at(source[0]), to = Place::at(target[0]);
  }
  std::uint32_t flat = 0;
  for (std::size_t i = 0; i < type.params.size(); ++i) {
    params.move(from.part(flattened.offsets[i], flat), to.part(flattened.offsets[i], flat), type.params[i].type);
    if (!flattened.params_in_memory()) flat += plan_.types.flat_count(type.params[i].type);
  }

  std::vector<Local> returned, given;
  if (flattened.result_in_memory()) returned.push_back(code.new_local(FlatType::I32));
  else
    for (FlatType one : flattened.result) returned.push_back(code.new_local(one));
  code.begin_guest_call();
  for (Local local : target) code.get(local);
  code.call(import(lift.core));
  for (std::size_t i = returned.size(); i-- != 0;) code.set(returned[i]);
  code.end_guest_call();

  Mover result(code, plan_, callee, caller, result_assist);
  if (params.lowered_borrows()) {
    code.op(Op::AdapterBorrows, {lift.instance.value});
    result.fault_if(component::AdapterFault::BorrowsRemain);
  }
  if (flattened.result_in_memory()) {
    const std::uint32_t size = plan_.types.size(*type.result), alignment = plan_.types.alignment(*type.result);
    result.check_range(callee, returned[0], size, alignment, component::AdapterPlace::Result);
    result.check_range(caller, source.back(), size, alignment, component::AdapterPlace::ResultArea);
    result.move(Place::at(returned[0]), Place::at(source.back()), *type.result);
  } else if (type.result) {
    for (FlatType one : flattened.result) given.push_back(code.new_local(one));
    result.move(Place::in(returned), Place::in(given), *type.result);
  }
  if (lift.options.post_return) {
    code.op(Op::AdapterForbidLeave, {lift.instance.value});
    code.begin_guest_call();
    for (Local local : returned) code.get(local);
    code.call(import(*lift.options.post_return));
    code.end_guest_call();
    code.op(Op::AdapterAllowLeave, {lift.instance.value});
  }
  for (const Mover::Lent& lent : params.lent()) {
    code.get(lent.handle);
    code.begin(Op::If);
    code.get(lent.handle);
    code.op(Op::AdapterGiveBack, {caller_instance.value, lent.resource});
    code.end();
  }
  leave(code, entered);
  for (Local local : given) code.get(local);
  return define(signature, code, name);
}

std::optional<std::uint32_t> ModuleMaker::resource_new(TrampolineIndex index, ComponentInstanceIndex instance,
                                                       ResourceIndex resource, const std::string& name) {
  const CoreSignature signature{{FlatType::I32}, {FlatType::I32}};
  AdapterCode code(signature, throws_);
  Local handle = code.local(FlatType::I32);
  code.op(Op::AdapterCheckLeave, {instance.value});
  code.get(code.param(0)), code.op(Op::I64ExtendI32U);
  code.op(Op::AdapterOwn, {instance.value, resource.value});
  code.tee(handle);
  code.op(Op::I32Eqz);
  code.begin(Op::If);
  code.get(code.param(0)), code.call(module_.func(index, signature)), code.set(handle);
  code.end();
  code.get(handle);
  return define(signature, code, name);
}

std::optional<std::uint32_t> ModuleMaker::resource_rep(TrampolineIndex index, ComponentInstanceIndex instance,
                                                       ResourceIndex resource, const std::string& name) {
  const CoreSignature signature{{FlatType::I32}, {FlatType::I32}};
  AdapterCode code(signature, throws_);
  Local rep = code.local(FlatType::I64);
  code.get(code.param(0));
  code.op(Op::AdapterRep, {instance.value, resource.value});
  code.tee(rep);
  code.i64(~std::uint64_t{0}), code.op(Op::I64Eq);
  code.begin(Op::If);
  code.get(code.param(0)), code.call(module_.func(index, signature)), code.op(Op::Return);
  code.end();
  code.get(rep), code.op(Op::I32WrapI64);
  return define(signature, code, name);
}

// Own handles that nobody has borrowed. Spec: canon_resource_drop.
std::optional<std::uint32_t> ModuleMaker::resource_drop(TrampolineIndex index, ComponentInstanceIndex instance,
                                                        ResourceIndex resource, const std::string& name) {
  const component::Resource definition = plan_.resources[resource.value];
  const CoreSignature signature{{FlatType::I32}, {}};
  AdapterCode code(signature, throws_);
  Local rep = code.local(FlatType::I64);
  const std::vector<std::uint32_t> entered = eligibility_.entered(definition.instance, instance);
  code.op(Op::AdapterCheckLeave, {instance.value});
  code.get(code.param(0));
  code.op(Op::AdapterTake, {instance.value, resource.value});
  code.tee(rep);
  code.i64(~std::uint64_t{0}), code.op(Op::I64Eq);
  code.begin(Op::If);
  code.get(code.param(0)), code.call(module_.func(index, signature)), code.op(Op::Return);
  code.end();
  enter(code, entered);
  if (definition.destructor) {
    code.begin_guest_call();
    code.get(rep), code.op(Op::I32WrapI64);
    code.call(import(*definition.destructor));
    code.end_guest_call();
  }
  leave(code, entered);
  return define(signature, code, name);
}

class Adding {
public:
  Adding(LinkedComponent& component, std::deque<std::vector<std::uint8_t>>& bytes)
      : component_(component), plan_(component.plan), bytes_(bytes), eligibility_(plan_, component.modules),
        made_(plan_.core_instances.size()) {}

  Result<void> run() {
    std::vector<component::Step> steps;
    for (component::Step& step : plan_.steps) {
      auto& instantiate = std::get<component::InstantiateCore>(step);
      CUSP_TRY(serve(instantiate, steps));
      made_[instantiate.instance.value] = true;
      steps.push_back(std::move(step));
    }
    plan_.steps = std::move(steps);
    return {};
  }

private:
  // Gives the instance adapters for what it would import from the host.
  Result<void> serve(component::InstantiateCore& consumer, std::vector<component::Step>& steps) {
    ModuleMaker maker(component_, eligibility_, assists_);
    std::map<std::uint32_t, std::uint32_t> made; // defined function by trampoline
    const std::size_t module = consumer.module;
    for (std::size_t i = 0; i < consumer.arguments.size(); ++i) {
      const auto* index = std::get_if<TrampolineIndex>(&consumer.arguments[i]);
      if (!index || plan_.trampolines[index->value].adapter || made.contains(index->value)) continue;
      if (!eligibility_.is_compiled(plan_.trampolines[index->value], made_)) continue;
      const wasm::Import& import = component_.modules[module].module.imports[i];
      if (auto func = maker.add(*index, fmt::format("adapter for {}#{}", import.module, import.name)))
        made[index->value] = *func;
    }
    if (!maker.module().empty()) CUSP_TRY(add_module(maker.module(), made, steps));
    for (CoreArgument& argument : consumer.arguments)
      if (const auto* index = std::get_if<TrampolineIndex>(&argument))
        if (const auto& adapter = plan_.trampolines[index->value].adapter) argument = *adapter;
    return {};
  }

  Result<void> add_module(const AdapterModule& adapters, const std::map<std::uint32_t, std::uint32_t>& made,
                          std::vector<component::Step>& steps) {
    const std::vector<std::uint8_t>& bytes = bytes_.emplace_back(adapters.bytes());
    auto read = wasm::read_module(bytes, wasm::Features().with(wasm::Feature::Adapter));
    if (!read) return base::fail(base::ErrorCode::Internal, "a module of adapters: " + read.error().to_string());
    component::CoreInstanceIndex instance(static_cast<std::uint32_t>(plan_.core_instances.size()));
    const auto module = static_cast<std::uint32_t>(component_.modules.size());
    component_.modules.push_back({bytes, 0, std::move(*read)});
    plan_.core_instances.push_back(module);
    made_.push_back(true);
    steps.push_back(component::InstantiateCore{instance, module, adapters.arguments()});
    for (auto [trampoline, func] : made)
      plan_.trampolines[trampoline].adapter = CoreItem{instance, adapters.imported_functions() + func};
    return {};
  }

  LinkedComponent& component_;
  LinkPlan& plan_;
  std::deque<std::vector<std::uint8_t>>& bytes_;
  Eligibility eligibility_;
  std::vector<bool> made_;               // by core instance
  std::vector<TrampolineIndex> assists_; // in the plan so far
};

} // namespace

Result<void> add_adapters(LinkedComponent& component, std::deque<std::vector<std::uint8_t>>& bytes) {
  return Adding(component, bytes).run();
}

} // namespace cusp::compile
