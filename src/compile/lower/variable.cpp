// Parametric operators, locals, globals and constants (spec 4.4.4, 4.4.5).
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

void FunctionLowering::on_Drop(const wasm::OpContext&, const wasm::OperandImm&) { pop(); }

void FunctionLowering::on_Select(const wasm::OpContext&, const wasm::OperandImm& imm) {
  llvm::Type* type = group_.type(imm.type);
  Value* is_true = condition(pop());
  Value* otherwise = pop(type);
  Value* then = pop(type);
  push(ir.CreateSelect(is_true, then, otherwise));
}

void FunctionLowering::make_locals(const wasm::FunctionValidator& validator) {
  std::span<const wasm::ValType> types = validator.local_types();
  const std::size_t params = validator.function_type().params.size();
  locals_.clear();
  locals_.reserve(types.size());
  for (wasm::ValType type : types) locals_.push_back({ir.CreateAlloca(group_.type(type))});
  for (unsigned i = 0; i < types.size(); ++i)
    set_local(locals_[i], i < params ? static_cast<Value*>(function_->getArg(i + 1))
                                     : llvm::Constant::getNullValue(locals_[i].place->getAllocatedType()));
}

llvm::Value* FunctionLowering::set_local(Local& local, Value* value) {
  local.value = cast(value, local.place->getAllocatedType());
  local.block = ir.GetInsertBlock();
  ir.CreateStore(local.value, local.place);
  return local.value;
}

void FunctionLowering::on_LocalGet(const wasm::OpContext&, const wasm::LocalImm& imm) {
  Local& local = locals_[imm.local.value];
  if (local.block != ir.GetInsertBlock()) {
    local.value = ir.CreateLoad(local.place->getAllocatedType(), local.place);
    local.block = ir.GetInsertBlock();
  }
  push(local.value);
}

void FunctionLowering::on_LocalSet(const wasm::OpContext&, const wasm::LocalImm& imm) {
  set_local(locals_[imm.local.value], pop());
}

void FunctionLowering::on_LocalTee(const wasm::OpContext&, const wasm::LocalImm& imm) {
  stack_.back() = set_local(locals_[imm.local.value], stack_.back());
}

// An immutable global is invariant. So is the pointer to an imported one; two imports may be one global.
llvm::Value* FunctionLowering::global_address(wasm::GlobalIndex index, llvm::MDNode*& tag) {
  const std::uint32_t imported = group_.wasm.imported_globals;
  if (index.value < imported) {
    tag = tags.imported_global();
    return group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, group_.layout.imported_global(index.value)));
  }
  tag = tags.global();
  return group_.field(ir, vmctx_, group_.layout.defined_global(index.value - imported));
}

void FunctionLowering::on_GlobalGet(const wasm::OpContext&, const wasm::GlobalImm& imm) {
  llvm::MDNode* tag = nullptr;
  Value* address = global_address(imm.global, tag);
  llvm::LoadInst* load = ir.CreateAlignedLoad(group_.type(imm.type), address, llvm::Align(16));
  if (group_.wasm.globals[imm.global.value].type.is_mutable) load->setMetadata(llvm::LLVMContext::MD_tbaa, tag);
  else load->setMetadata(llvm::LLVMContext::MD_invariant_load, tags.invariant());
  push(load);
}

void FunctionLowering::on_GlobalSet(const wasm::OpContext&, const wasm::GlobalImm& imm) {
  llvm::MDNode* tag = nullptr;
  Value* address = global_address(imm.global, tag);
  ir.CreateAlignedStore(pop(group_.type(imm.type)), address, llvm::Align(16))
      ->setMetadata(llvm::LLVMContext::MD_tbaa, tag);
}

void FunctionLowering::on_Const(const wasm::OpContext&, const wasm::I32Imm& imm) { push(ir.getInt32(imm.bits)); }

void FunctionLowering::on_Const(const wasm::OpContext&, const wasm::I64Imm& imm) { push(ir.getInt64(imm.bits)); }

void FunctionLowering::on_Const(const wasm::OpContext&, const wasm::F32Imm& imm) {
  push(llvm::ConstantFP::get(group_.context, llvm::APFloat(llvm::APFloat::IEEEsingle(), llvm::APInt(32, imm.bits))));
}

void FunctionLowering::on_Const(const wasm::OpContext&, const wasm::F64Imm& imm) {
  push(llvm::ConstantFP::get(group_.context, llvm::APFloat(llvm::APFloat::IEEEdouble(), llvm::APInt(64, imm.bits))));
}

void FunctionLowering::on_SimdConst(const wasm::OpContext&, const wasm::V128Imm& imm) {
  push(llvm::ConstantDataVector::get(group_.context, llvm::ArrayRef<std::uint8_t>(imm.bytes.data(), imm.bytes.size())));
}

} // namespace cusp::compile
