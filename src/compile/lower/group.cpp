// The once-per-group half of the lowering: types, signatures, declarations, and the calling convention of abi/vm.h in
// code.
#include "compile/lower/group.h"

#include <algorithm>

#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/Target/TargetMachine.h>

#include "compile/lower/symbols.h"

namespace cusp::compile {

abi::ModuleShape shape_of(const wasm::Module& module) {
  abi::ModuleShape shape;
  shape.imported_funcs = module.imported_functions;
  shape.imported_memories = module.imported_memories;
  shape.defined_memories = static_cast<std::uint32_t>(module.memories.size()) - module.imported_memories;
  shape.imported_tables = module.imported_tables;
  shape.defined_tables = static_cast<std::uint32_t>(module.tables.size()) - module.imported_tables;
  shape.imported_globals = module.imported_globals;
  shape.defined_globals = static_cast<std::uint32_t>(module.globals.size()) - module.imported_globals;
  shape.imported_tags = module.imported_tags;
  shape.defined_tags = static_cast<std::uint32_t>(module.tags.size()) - module.imported_tags;
  return shape;
}

Group::Group(llvm::Module& to, const llvm::TargetMachine& machine, const wasm::Module& wasm_module,
             const LoweringSettings& lowering_settings)
    : context(to.getContext()), wasm(wasm_module), settings(lowering_settings), module(&to), types(context),
      tags(context), layout(shape_of(wasm_module)), debug(to), target_(*machine.getMCSubtargetInfo()) {
  debug_file_ = debug.createFile("module" + std::to_string(module_number()) + ".wasm", "/");
  debug.createCompileUnit(llvm::DISourceLanguageName(llvm::dwarf::DW_LANG_C11), debug_file_, "cusp",
                          settings.opt_level > 0, "", 0, "", llvm::DICompileUnit::LineTablesOnly);
  debug_type_ = debug.createSubroutineType(debug.getOrCreateTypeArray({}));

  // A VM context is mapped for as long as guest code runs, so that what it holds may be loaded ahead of the branch that
  // needs it.
  llvm::AttrBuilder attributes(context);
  attributes.addAttribute(llvm::Attribute::NonNull).addAttribute(llvm::Attribute::NoUndef);
  attributes.addAlignmentAttr(16).addDereferenceableAttr(layout.size());
  vmctx_attributes_ = llvm::AttributeSet::get(context, attributes);
  hints_ = wasm::read_branch_hints(wasm);
  signatures_.resize(wasm.types.size());
  functions_.resize(wasm.defined_functions());
  imported_.resize(wasm.imported_functions);
}

llvm::Type* Group::type(wasm::ValType type) const {
  switch (type.kind()) {
  case wasm::ValType::Kind::I32: return types.i32;
  case wasm::ValType::Kind::I64: return types.i64;
  case wasm::ValType::Kind::F32: return types.f32;
  case wasm::ValType::Kind::F64: return types.f64;
  case wasm::ValType::Kind::V128: return types.v128;
  case wasm::ValType::Kind::Ref:
    // The any hierarchy's are offsets in the heap (abi/gc.h).
    return wasm.top_of(type.heap()) == wasm::AbstractHeapType::Any ? static_cast<llvm::Type*>(types.i32) : types.ptr;
  case wasm::ValType::Kind::None:
  case wasm::ValType::Kind::Bottom: break;
  }
  llvm_unreachable("not a type that a value has");
}

const Signature& Group::signature(wasm::TypeIndex index) {
  std::unique_ptr<Signature>& slot = signatures_[index.value];
  if (slot) return *slot;
  const wasm::FuncType& func = wasm.func_type(index);
  auto signature = std::make_unique<Signature>();
  std::string kinds;
  for (wasm::ValType result : func.results) {
    signature->results.push_back(type(result));
    const bool is_float = result.is_vector() || result == wasm::ValType::f32() || result == wasm::ValType::f64();
    kinds += is_float ? 'f' : 'i';
  }
  signature->in_registers = abi::returns_in_registers(kinds);
  llvm::Type* result = types.void_;
  if (signature->in_registers && kinds.size() == 1) result = signature->results[0];
  if (signature->in_registers && kinds.size() > 1) result = llvm::StructType::get(context, signature->results);
  llvm::SmallVector<llvm::Type*, 8> params{types.ptr};
  for (wasm::ValType param : func.params) params.push_back(type(param));
  signature->type = llvm::FunctionType::get(result, params, false);
  slot = std::move(signature);
  return *slot;
}

const Signature& Group::signature_of(wasm::FuncIndex func) { return signature(wasm.functions[func.value].type); }

void Group::set_common_attributes(llvm::Function& function) {
  function.setVisibility(llvm::GlobalValue::HiddenVisibility);
  function.setDSOLocal(true);
  function.addFnAttr("frame-pointer", "all");
  function.addFnAttr("probe-stack", "inline-asm");
  function.addFnAttr("min-legal-vector-width", "128");
  function.addFnAttr(llvm::Attribute::NullPointerIsValid);
}

llvm::Function* Group::function(wasm::FuncIndex func) {
  llvm::Function*& slot = functions_[wasm.defined_index(func).value];
  if (slot) return slot;
  slot = declare_guest(signature_of(func).type, function_symbol(module_number(), func.value));
  slot->setAttributes(
      slot->getAttributes().addParamAttributes(context, 0, llvm::AttrBuilder(context, vmctx_attributes_)));
  return slot;
}

llvm::CallingConv::ID Group::convention() const {
  return settings.tail_calls ? llvm::CallingConv::Tail : llvm::CallingConv::C;
}

llvm::Function* Group::declare_guest(llvm::FunctionType* type, const std::string& name) {
  if (llvm::Function* declared = module->getFunction(name)) return declared;
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, *module);
  function->setCallingConv(convention());
  set_common_attributes(*function);
  function->addFnAttr(kGuestAttribute);
  return function;
}

llvm::Function* Group::imported_function(wasm::FuncIndex func) {
  if (func.value >= settings.import_targets.size() || !settings.import_targets[func.value]) return nullptr;
  const CallTarget& target = *settings.import_targets[func.value];
  llvm::Function*& slot = imported_[func.value];
  if (slot) return slot;
  slot = declare_guest(signature_of(func).type,
                       function_symbol(number_in_group(target.module, settings.group_module), target.func.value));
  called_.push_back(target);
  return slot;
}

llvm::Function* Group::make_trampoline(const std::string& name, llvm::FunctionType* type,
                                       llvm::CallingConv::ID convention) {
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, *module);
  function->setCallingConv(convention);
  set_common_attributes(*function);
  function->setDoesNotThrow(); // as far as LLVM is concerned: what it calls may, but there is no try in it
  return function;
}

llvm::Function* Group::make_helper(const char* name, llvm::FunctionType* type) {
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage, name, *module);
  set_common_attributes(*function);
  function->setVisibility(llvm::GlobalValue::DefaultVisibility); // as internal linkage must have
  return function;
}

std::span<const wasm::BranchHint> Group::hints_of(wasm::FuncIndex func) const {
  auto [first, last] = std::ranges::equal_range(hints_, func.value, {}, &wasm::BranchHint::func);
  return {first, last};
}

bool Group::has_cpu_feature(const char* name) const { return target_.checkFeatures(std::string("+") + name); }

llvm::FunctionCallee Group::trap(abi::Trap trap) {
  llvm::Function*& slot = traps_[static_cast<unsigned>(trap)];
  if (!slot) slot = module->getFunction(trap_symbol(trap));
  if (!slot) {
    auto* type = llvm::FunctionType::get(types.void_, false);
    slot = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, trap_symbol(trap), *module);
    slot->setVisibility(llvm::GlobalValue::HiddenVisibility);
    slot->setDSOLocal(true);
    for (auto attribute :
         {llvm::Attribute::Cold, llvm::Attribute::NoReturn, llvm::Attribute::NoUnwind, llvm::Attribute::NoMerge})
      slot->addFnAttr(attribute);
  }
  return slot;
}

llvm::DISubprogram* Group::make_subprogram(wasm::FuncIndex func) {
  const std::string name = function_symbol(module_number(), func.value);
  auto flags = llvm::DISubprogram::SPFlagDefinition;
  if (settings.opt_level > 0) flags |= llvm::DISubprogram::SPFlagOptimized;
  return debug.createFunction(debug_file_, name, "", debug_file_, func.value + 1, debug_type_,
                              /*ScopeLine=*/0, llvm::DINode::FlagZero, flags);
}

llvm::Value* Group::field(llvm::IRBuilder<>& ir, llvm::Value* vmctx, std::uint64_t offset) {
  return ir.CreateConstInBoundsGEP1_64(types.i8, vmctx, offset);
}

llvm::Value* Group::load_invariant(llvm::IRBuilder<>& ir, llvm::Type* type, llvm::Value* pointer) {
  llvm::LoadInst* load = ir.CreateAlignedLoad(type, pointer, llvm::Align(type == types.i32 ? 4 : 8));
  load->setMetadata(llvm::LLVMContext::MD_invariant_load, tags.invariant());
  return load;
}

llvm::Value* Group::results_area(llvm::IRBuilder<>& ir, llvm::Value* vmctx) {
  return load_invariant(ir, types.ptr, field(ir, vmctx, offsetof(abi::VmContext, results)));
}

void Group::unpack_results(llvm::IRBuilder<>& ir, const Signature& signature, llvm::Value* call, llvm::Value* vmctx,
                           llvm::SmallVectorImpl<llvm::Value*>& results) {
  const auto count = static_cast<unsigned>(signature.results.size());
  if (count == 0) return;
  if (signature.in_registers && count == 1) return results.push_back(call);
  if (signature.in_registers) {
    for (unsigned i = 0; i < count; ++i) results.push_back(ir.CreateExtractValue(call, i));
    return;
  }
  llvm::Value* area = results_area(ir, vmctx);
  for (unsigned i = 0; i < count; ++i) {
    llvm::LoadInst* load = ir.CreateAlignedLoad(signature.results[i], field(ir, area, 16 * i), llvm::Align(16));
    load->setMetadata(llvm::LLVMContext::MD_tbaa, tags.results());
    results.push_back(load);
  }
}

void Group::return_results(llvm::IRBuilder<>& ir, const Signature& signature, llvm::ArrayRef<llvm::Value*> results,
                           llvm::Value* vmctx) {
  if (results.empty()) {
    ir.CreateRetVoid();
  } else if (signature.in_registers && results.size() == 1) {
    ir.CreateRet(results[0]);
  } else if (signature.in_registers) {
    ir.CreateAggregateRet(results.data(), static_cast<unsigned>(results.size()));
  } else {
    llvm::Value* area = results_area(ir, vmctx);
    for (unsigned i = 0; i < results.size(); ++i)
      ir.CreateAlignedStore(results[i], field(ir, area, 16 * i), llvm::Align(16))
          ->setMetadata(llvm::LLVMContext::MD_tbaa, tags.results());
    ir.CreateRetVoid();
  }
}

// `context`: a VM context or a HostFunc, which have the table at the same place.
llvm::Value* Group::builtin(llvm::IRBuilder<>& ir, llvm::Value* context, abi::Builtin builtin) {
  llvm::Value* table = load_invariant(ir, types.ptr, field(ir, context, offsetof(abi::VmContext, builtins)));
  return load_invariant(ir, types.ptr, field(ir, table, 8 * static_cast<unsigned>(builtin)));
}

llvm::FunctionType* Group::builtin_type(abi::Builtin builtin) const {
  [[maybe_unused]] llvm::Type *Void = types.void_, *I32 = types.i32, *I64 = types.i64, *Ptr = types.ptr;
  switch (builtin) {
#define BUILTIN(name, result, ...)                                                                                     \
  case abi::Builtin::name: {                                                                                           \
    llvm::Type* params[] = {Ptr __VA_OPT__(, ) __VA_ARGS__};                                                           \
    return llvm::FunctionType::get(result, params, false);                                                             \
  }
#include "abi/builtins.def"
#undef BUILTIN
  }
  llvm_unreachable("every built-in has a row");
}

} // namespace cusp::compile
