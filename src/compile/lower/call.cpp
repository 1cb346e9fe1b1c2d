// Calls (spec 4.4.10). A call of a defined function is direct, and so is that of an imported one where a component's plan
// says which it is; of others it goes through the VM context's import record; of a reference, through its FuncRef. Guest
// calls are marked `notail`: an optimiser that turned a call into a jump would make runaway recursion an endless loop,
// where the specification's suite wants the stack exhausted, and would take frames out of backtraces. Any guest call may
// throw: inside a try it is an invoke (exception.cpp).
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

FunctionLowering::Callee FunctionLowering::callee_of(wasm::FuncIndex func) {
  if (!group_.wasm.is_imported(func)) return {group_.function(func), vmctx_};
  if (llvm::Function* known = group_.imported_function(func)) {
    const std::int64_t delta = group_.settings.import_targets[func.value]->context_delta;
    return {known, ir.CreatePtrAdd(vmctx_, ir.getInt64(static_cast<std::uint64_t>(delta)))};
  }
  const std::uint32_t at = group_.layout.func_import(func.value);
  return {group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, at + offsetof(abi::FuncImport, code))),
          group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, at + offsetof(abi::FuncImport, vmctx)))};
}

// REQUIRES: the reference is not null.
FunctionLowering::Callee FunctionLowering::callee_of(Value* reference) {
  Value* code = group_.load_invariant(ir, types.ptr, group_.field(ir, reference, offsetof(abi::FuncRef, code)));
  Value* delta = group_.load_invariant(ir, types.i64, group_.field(ir, reference, offsetof(abi::FuncRef, vmctx_delta)));
  Value* base = group_.load_invariant(ir, types.i64, group_.field(ir, vmctx_, offsetof(abi::VmContext, store_base)));
  return {code, ir.CreateIntToPtr(ir.CreateAdd(base, delta), types.ptr)};
}

FunctionLowering::Callee FunctionLowering::checked_callee(const wasm::CallIndirectImm& imm, Value* position) {
  const wasm::ValType element = group_.wasm.tables[imm.table.value].type.element;
  Value* slot = table_element(imm.table, position);
  llvm::LoadInst* reference = ir.CreateAlignedLoad(types.ptr, slot, llvm::Align(8));
  reference->setMetadata(llvm::LLVMContext::MD_tbaa, tags.table());
  if (element.is_nullable()) trap_if(ir.CreateIsNull(reference), abi::Trap::IndirectCallToNull);
  // What the table's type says already needs no look.
  if (!group_.wasm.is_heap_subtype(element.heap(), wasm::HeapType(imm.type))) {
    Value* actual = group_.load_invariant(ir, types.i32, group_.field(ir, reference, offsetof(abi::FuncRef, type_id)));
    trap_if(ir.CreateNot(has_subtype(actual, imm.type)), abi::Trap::BadSignature);
  }
  return callee_of(reference);
}

// Takes the arguments from the stack and, but for a tail call, puts the results there.
void FunctionLowering::call(const Signature& signature, Callee callee, bool is_tail) {
  const unsigned params = signature.type->getNumParams() - 1;
  llvm::SmallVector<Value*, 8> arguments{callee.vmctx};
  const std::size_t first = stack_.size() - params;
  for (unsigned i = 0; i < params; ++i)
    arguments.push_back(cast(stack_[first + i], signature.type->getParamType(i + 1)));
  stack_.truncate(first);
  if (llvm::BasicBlock* pad = is_tail ? nullptr : landing_pad()) {
    llvm::BasicBlock* returned = new_block();
    llvm::InvokeInst* invoke = ir.CreateInvoke(signature.type, callee.code, returned, pad, arguments);
    invoke->setCallingConv(group_.convention());
    place(returned);
    return group_.unpack_results(ir, signature, invoke, vmctx_, stack_);
  }
  llvm::CallInst* call = ir.CreateCall(signature.type, callee.code, arguments);
  call->setCallingConv(group_.convention());
  if (!is_tail) {
    call->setTailCallKind(llvm::CallInst::TCK_NoTail);
    return group_.unpack_results(ir, signature, call, vmctx_, stack_);
  }
  call->setTailCallKind(llvm::CallInst::TCK_MustTail);
  if (call->getType()->isVoidTy()) ir.CreateRetVoid();
  else ir.CreateRet(call);
}

void FunctionLowering::on_Call(const wasm::OpContext& op, const wasm::FuncImm& imm) {
  locate(op);
  call(group_.signature_of(imm.func), callee_of(imm.func), false);
}

void FunctionLowering::on_ReturnCall(const wasm::OpContext& op, const wasm::FuncImm& imm) {
  locate(op);
  call(group_.signature_of(imm.func), callee_of(imm.func), true);
}

void FunctionLowering::on_CallIndirect(const wasm::OpContext& op, const wasm::CallIndirectImm& imm) {
  locate(op);
  call(group_.signature(imm.type), checked_callee(imm, pop()), false);
}

void FunctionLowering::on_ReturnCallIndirect(const wasm::OpContext& op, const wasm::CallIndirectImm& imm) {
  locate(op);
  call(group_.signature(imm.type), checked_callee(imm, pop()), true);
}

void FunctionLowering::on_CallRef(const wasm::OpContext& op, const wasm::TypeImm& imm) {
  locate(op);
  Value* reference = pop();
  trap_if_null(reference, imm.nullable);
  call(group_.signature(imm.type), callee_of(reference), false);
}

void FunctionLowering::on_ReturnCallRef(const wasm::OpContext& op, const wasm::TypeImm& imm) {
  locate(op);
  Value* reference = pop();
  trap_if_null(reference, imm.nullable);
  call(group_.signature(imm.type), callee_of(reference), true);
}

// Built-ins may change memories' and tables' sizes and contents; as opaque calls they order everything around them.
llvm::CallInst* FunctionLowering::call_builtin(abi::Builtin builtin, llvm::ArrayRef<Value*> arguments) {
  llvm::SmallVector<Value*, 8> all{vmctx_};
  all.append(arguments.begin(), arguments.end());
  llvm::CallInst* call = ir.CreateCall(group_.builtin_type(builtin), group_.builtin(ir, vmctx_, builtin), all);
  call->setDoesNotThrow();
  return call;
}

} // namespace cusp::compile
