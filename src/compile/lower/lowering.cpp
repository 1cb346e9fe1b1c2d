// GroupLowering: the room's front for the pipeline.
#include "compile/lower/lowering.h"

#include <algorithm>
#include <iterator>
#include <map>

#include <llvm/Target/TargetMachine.h>

#include "compile/lower/function_lowering.h"
#include "compile/lower/trampolines.h"

namespace cusp::compile {

namespace {

std::unique_ptr<llvm::Module> make_module(llvm::LLVMContext& context, const llvm::TargetMachine& machine) {
  auto module = std::make_unique<llvm::Module>("cusp", context);
  module->setTargetTriple(machine.getTargetTriple());
  module->setDataLayout(machine.createDataLayout());
  module->setPICLevel(llvm::PICLevel::BigPIC);
  module->addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
  module->addModuleFlag(llvm::Module::Max, "Dwarf Version", 5);
  return module;
}

// What is lowered of one wasm::Module.
struct Source {
  Source(llvm::Module& to, const llvm::TargetMachine& machine, const wasm::Module& module,
         const LoweringSettings& settings)
      : group(to, machine, module, settings), functions(group) {}
  Group group;
  FunctionLowering functions;
};

} // namespace

struct GroupLowering::State {
  State(llvm::LLVMContext& context, const llvm::TargetMachine& target, const wasm::Module& module,
        const LoweringSettings& settings)
      : machine(target), ir(make_module(context, target)), own(*ir, target, module, settings) {}
  const llvm::TargetMachine& machine;
  std::unique_ptr<llvm::Module> ir;
  Source own;
  std::map<std::uint32_t, std::unique_ptr<Source>> others; // by module index
};

GroupLowering::GroupLowering(llvm::LLVMContext& context, const llvm::TargetMachine& machine, const wasm::Module& module,
                             const LoweringSettings& settings)
    : state_(std::make_unique<State>(context, machine, module, settings)) {}

GroupLowering::~GroupLowering() = default;

base::Result<void> GroupLowering::lower(wasm::DefinedFuncIndex func) { return state_->own.functions.lower(func); }

base::Result<void> GroupLowering::lower_for_inlining(const wasm::Module& module, const LoweringSettings& settings,
                                                     wasm::DefinedFuncIndex func) {
  std::unique_ptr<Source>& other = state_->others[settings.module_index];
  if (!other) other = std::make_unique<Source>(*state_->ir, state_->machine, module, settings);
  llvm::Function* function = other->group.function(module.func_index(func));
  if (!function->isDeclaration()) return {};
  CUSP_TRY(other->functions.lower(func));
  function->setLinkage(llvm::GlobalValue::AvailableExternallyLinkage);
  return {};
}

std::vector<CallTarget> GroupLowering::take_called_modules() {
  std::vector<CallTarget> called = state_->own.group.take_called_modules();
  for (auto& [module, source] : state_->others)
    std::ranges::copy(source->group.take_called_modules(), std::back_inserter(called));
  return called;
}

wasm::Features GroupLowering::features_used() const { return state_->own.functions.features_used(); }

bool GroupLowering::has_tail_calls() const {
  auto has = [](const Source& source) { return source.functions.features_used().has(wasm::Feature::TailCall); };
  return has(state_->own) || std::ranges::any_of(state_->others, [&](const auto& other) { return has(*other.second); });
}

void GroupLowering::emit_entry(wasm::TypeIndex type) { emit_entry_trampoline(state_->own.group, type); }

void GroupLowering::emit_host_stub(wasm::TypeIndex type) { compile::emit_host_stub(state_->own.group, type); }

std::unique_ptr<llvm::Module> GroupLowering::take() {
  state_->own.group.debug.finalize();
  for (auto& [module, source] : state_->others) source->group.debug.finalize();
  return std::move(state_->ir);
}

abi::GcStorage storage_of(const wasm::Module& module, const wasm::FieldType& field) {
  using enum abi::GcStorage;
  if (field.packed != wasm::Packed::No) return field.packed == wasm::Packed::I8 ? I8 : I16;
  switch (field.type.kind()) {
  case wasm::ValType::Kind::I32: return I32;
  case wasm::ValType::Kind::I64: return I64;
  case wasm::ValType::Kind::F32: return F32;
  case wasm::ValType::Kind::F64: return F64;
  case wasm::ValType::Kind::V128: return V128;
  default: break;
  }
  switch (module.top_of(field.type.heap())) {
  case wasm::AbstractHeapType::Func: return Func;
  case wasm::AbstractHeapType::Extern: return Extern;
  case wasm::AbstractHeapType::Exn: return Exn;
  default: return Any;
  }
}

artifact::BoundsMode memory_bounds(const wasm::MemoryType& type, artifact::BoundsMode wanted) {
  const bool has_guard = !type.memory64 && (std::uint64_t{1} << type.page_size_log2) % abi::kHostPageSize == 0;
  return has_guard ? wanted : artifact::BoundsMode::Explicit;
}

} // namespace cusp::compile
