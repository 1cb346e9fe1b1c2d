// Tables and references (spec 4.4.6, 4.4.2). A table's elements never move, so that their address is invariant; its
// length is not.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

llvm::Value* FunctionLowering::table_record(wasm::TableIndex index) {
  const std::uint32_t imported = group_.wasm.imported_tables;
  if (index.value >= imported) return group_.field(ir, vmctx_, group_.layout.table_record(index.value - imported));
  const std::uint32_t entry = group_.layout.table_entry(index.value);
  return group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, entry + offsetof(abi::TableEntry, record)));
}

llvm::Value* FunctionLowering::table_element(wasm::TableIndex index, Value* position) {
  Value* length_at = group_.field(ir, table_record(index), offsetof(abi::TableRecord, length));
  llvm::LoadInst* length = ir.CreateAlignedLoad(types.i64, length_at, llvm::Align(8));
  length->setMetadata(llvm::LLVMContext::MD_tbaa, tags.record());
  Value* wide = to_i64(position);
  trap_if(ir.CreateICmpUGE(wide, length), abi::Trap::TableOutOfBounds);
  const std::uint32_t entry = group_.layout.table_entry(index.value);
  Value* elements =
      group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, entry + offsetof(abi::TableEntry, elements)));
  return ir.CreateGEP(types.ptr, elements, wide);
}

llvm::Type* FunctionLowering::table_type(wasm::TableIndex index) {
  return group_.type(group_.wasm.tables[index.value].type.element);
}

llvm::Value* FunctionLowering::table_value(Value* reference) {
  if (reference->getType()->isPointerTy()) return reference;
  return ir.CreateIntToPtr(to_i64(reference), types.ptr);
}

void FunctionLowering::on_TableGet(const wasm::OpContext& op, const wasm::TableImm& imm) {
  locate(op);
  Value* slot = table_element(imm.table, pop());
  llvm::LoadInst* load = ir.CreateAlignedLoad(table_type(imm.table), slot, llvm::Align(8));
  load->setMetadata(llvm::LLVMContext::MD_tbaa, tags.table());
  push(load);
}

void FunctionLowering::on_TableSet(const wasm::OpContext& op, const wasm::TableImm& imm) {
  locate(op);
  Value* value = table_value(pop());
  Value* slot = table_element(imm.table, pop());
  ir.CreateAlignedStore(value, slot, llvm::Align(8))->setMetadata(llvm::LLVMContext::MD_tbaa, tags.table());
}

void FunctionLowering::on_TableSize(const wasm::OpContext&, const wasm::TableImm& imm) {
  Value* length_at = group_.field(ir, table_record(imm.table), offsetof(abi::TableRecord, length));
  llvm::LoadInst* length = ir.CreateAlignedLoad(types.i64, length_at, llvm::Align(8));
  length->setMetadata(llvm::LLVMContext::MD_tbaa, tags.record());
  push(from_i64(length, group_.wasm.tables[imm.table.value].type.table64));
}

void FunctionLowering::on_TableGrow(const wasm::OpContext& op, const wasm::TableImm& imm) {
  locate(op);
  Value* delta = to_i64(pop());
  Value* initial = table_value(pop());
  Value* result = call_builtin(abi::Builtin::table_grow, {ir.getInt32(imm.table.value), delta, initial});
  push(from_i64(result, group_.wasm.tables[imm.table.value].type.table64));
}

void FunctionLowering::on_TableFill(const wasm::OpContext& op, const wasm::TableImm& imm) {
  locate(op);
  Value* count = to_i64(pop());
  Value* value = table_value(pop());
  Value* position = to_i64(pop());
  call_builtin(abi::Builtin::table_fill, {ir.getInt32(imm.table.value), position, value, count});
}

void FunctionLowering::on_TableCopy(const wasm::OpContext& op, const wasm::TableCopyImm& imm) {
  locate(op);
  Value* count = to_i64(pop());
  Value* from = to_i64(pop());
  Value* to = to_i64(pop());
  call_builtin(abi::Builtin::table_copy, {ir.getInt32(imm.to.value), ir.getInt32(imm.from.value), to, from, count});
}

void FunctionLowering::on_TableInit(const wasm::OpContext& op, const wasm::TableInitImm& imm) {
  locate(op);
  Value* count = pop();
  Value* from = pop();
  Value* to = to_i64(pop());
  call_builtin(abi::Builtin::table_init, {ir.getInt32(imm.table.value), ir.getInt32(imm.elem.value), to, from, count});
}

void FunctionLowering::on_ElemDrop(const wasm::OpContext& op, const wasm::ElemImm& imm) {
  locate(op);
  call_builtin(abi::Builtin::elem_drop, {ir.getInt32(imm.elem.value)});
}

llvm::Value* FunctionLowering::function_reference(wasm::FuncIndex func) {
  Value* records = group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, offsetof(abi::VmContext, funcrefs)));
  return group_.field(ir, records, sizeof(abi::FuncRef) * std::uint64_t{func.value});
}

void FunctionLowering::on_RefFunc(const wasm::OpContext&, const wasm::FuncImm& imm) {
  push(function_reference(imm.func));
}

void FunctionLowering::on_RefNull(const wasm::OpContext&, const wasm::HeapTypeImm& imm) {
  push(llvm::Constant::getNullValue(group_.type(imm.type)));
}

void FunctionLowering::on_RefIsNull(const wasm::OpContext&, const wasm::OperandImm&) {
  push(ir.CreateZExt(ir.CreateIsNull(pop()), types.i32));
}

void FunctionLowering::on_RefAsNonNull(const wasm::OpContext& op, const wasm::OperandImm& imm) {
  locate(op);
  trap_if_null(stack_.back(), imm.type.is_nullable());
}

} // namespace cusp::compile
