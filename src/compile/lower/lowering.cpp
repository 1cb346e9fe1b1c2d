// GroupLowering: the room's front for the pipeline.
#include "compile/lower/lowering.h"

#include "compile/lower/function_lowering.h"
#include "compile/lower/trampolines.h"

namespace cusp::compile {

struct GroupLowering::State {
  State(llvm::LLVMContext& context, const llvm::TargetMachine& machine, const wasm::Module& module,
        const LoweringSettings& settings)
      : group(context, machine, module, settings), functions(group) {}
  Group group;
  FunctionLowering functions;
};

GroupLowering::GroupLowering(llvm::LLVMContext& context, const llvm::TargetMachine& machine, const wasm::Module& module,
                             const LoweringSettings& settings)
    : state_(std::make_unique<State>(context, machine, module, settings)) {}

GroupLowering::~GroupLowering() = default;

base::Result<void> GroupLowering::lower(wasm::DefinedFuncIndex func) { return state_->functions.lower(func); }

wasm::Features GroupLowering::features_used() const { return state_->functions.features_used(); }

void GroupLowering::emit_entry(wasm::TypeIndex type) { emit_entry_trampoline(state_->group, type); }

void GroupLowering::emit_host_stub(wasm::TypeIndex type) { compile::emit_host_stub(state_->group, type); }

std::unique_ptr<llvm::Module> GroupLowering::take() {
  state_->group.debug.finalize();
  return std::move(state_->group.module);
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
