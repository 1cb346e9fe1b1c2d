// Entry trampolines and host stubs. Both move values between registers and a ValRaw array, 16 bytes apart.
#include "compile/lower/trampolines.h"

#include "compile/lower/lowering.h"

namespace cusp::compile {

using llvm::Value;

namespace {

llvm::IRBuilder<> begin(Group& group, llvm::Function* function) {
  return llvm::IRBuilder<>(llvm::BasicBlock::Create(group.context, "", function));
}

const llvm::Align kValueAlign{16};

} // namespace

void emit_entry_trampoline(Group& group, wasm::TypeIndex type) {
  const Signature& signature = group.signature(type);
  const IrTypes& types = group.types;
  auto* function_type = llvm::FunctionType::get(types.void_, {types.ptr, types.ptr, types.ptr}, false);
  llvm::Function* function =
      group.make_trampoline(entry_symbol(group.module_number(), type.value), function_type, llvm::CallingConv::C);
  llvm::IRBuilder<> ir = begin(group, function);
  Value *vmctx = function->getArg(0), *code = function->getArg(1), *values = function->getArg(2);

  llvm::SmallVector<Value*, 8> arguments{vmctx};
  for (unsigned i = 1; i < signature.type->getNumParams(); ++i)
    arguments.push_back(
        ir.CreateAlignedLoad(signature.type->getParamType(i), group.field(ir, values, 16 * (i - 1)), kValueAlign));
  llvm::CallInst* call = ir.CreateCall(signature.type, code, arguments);
  call->setCallingConv(group.convention());
  call->setTailCallKind(llvm::CallInst::TCK_NoTail);

  llvm::SmallVector<Value*, 4> results;
  group.unpack_results(ir, signature, call, vmctx, results);
  for (unsigned i = 0; i < results.size(); ++i)
    ir.CreateAlignedStore(results[i], group.field(ir, values, 16 * i), kValueAlign);
  ir.CreateRetVoid();
}

void emit_host_stub(Group& group, wasm::TypeIndex type) {
  const Signature& signature = group.signature(type);
  const IrTypes& types = group.types;
  llvm::Function* function =
      group.make_trampoline(host_stub_symbol(group.module_number(), type.value), signature.type, group.convention());
  llvm::IRBuilder<> ir = begin(group, function);
  Value* host = function->getArg(0);
  const std::size_t params = signature.type->getNumParams() - 1;
  const std::size_t slots = std::max(params, signature.results.size());
  // Never of size 0: the host gets a pointer in any case.
  auto* array = llvm::ArrayType::get(types.i8, 16 * std::max<std::size_t>(slots, 1));
  llvm::AllocaInst* values = ir.CreateAlloca(array);
  values->setAlignment(kValueAlign);
  for (unsigned i = 0; i < params; ++i)
    ir.CreateAlignedStore(function->getArg(i + 1), group.field(ir, values, 16 * i), kValueAlign);

  Value* callee = group.load_invariant(ir, types.ptr, group.field(ir, host, offsetof(abi::HostFunc, function)));
  auto* callee_type = llvm::FunctionType::get(types.i32, {types.ptr, types.ptr}, false);
  Value* status = ir.CreateCall(callee_type, callee, {host, values});
  auto* failed = llvm::BasicBlock::Create(group.context, "", function);
  auto* succeeded = llvm::BasicBlock::Create(group.context, "", function);
  ir.CreateCondBr(ir.CreateIsNotNull(status), failed, succeeded, group.tags.unlikely());

  ir.SetInsertPoint(failed);
  Value* owner = group.load_invariant(ir, types.ptr, group.field(ir, host, offsetof(abi::HostFunc, owner)));
  ir.CreateCall(group.builtin_type(abi::Builtin::raise_pending), group.builtin(ir, host, abi::Builtin::raise_pending),
                {owner})
      ->setDoesNotReturn();
  ir.CreateUnreachable();

  ir.SetInsertPoint(succeeded);
  llvm::SmallVector<Value*, 4> results;
  for (unsigned i = 0; i < signature.results.size(); ++i)
    results.push_back(ir.CreateAlignedLoad(signature.results[i], group.field(ir, values, 16 * i), kValueAlign));
  // REQUIRES: a host function whose results do not fit in registers has an owner, for the results area is found through
  // a VM context.
  Value* vmctx = host;
  if (!signature.in_registers)
    vmctx = group.load_invariant(ir, types.ptr, group.field(ir, host, offsetof(abi::HostFunc, owner)));
  group.return_results(ir, signature, results, vmctx);
}

} // namespace cusp::compile
