// Threads (the threads proposal, 4.4.7): atomic accesses, fences, wait and notify. Every atomic is sequentially consistent, which LLVM
// moves nothing across. An access that is not naturally aligned traps before it touches memory; where it lies is checked as
// for any other access. Atomics work on memories that are not shared, too.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

namespace {
constexpr auto kOrder = llvm::AtomicOrdering::SequentiallyConsistent;
}

llvm::Value* FunctionLowering::atomic_address(const wasm::OpContext& op, const wasm::MemArg& arg, Value* index) {
  locate(op);
  if (arg.bytes > 1) {
    // Alignment is of the sum: its low bits are those of the sum of the low bits.
    Value* low = ir.CreateAdd(to_i64(index), ir.getInt64(arg.offset));
    trap_if(ir.CreateIsNotNull(ir.CreateAnd(low, arg.bytes - 1u)), abi::Trap::UnalignedAtomic);
  }
  return address(op, arg, index);
}

// The operand of a narrow access is wrapped, its result zero-extended.
llvm::Value* FunctionLowering::narrowed(Value* value, const wasm::MemArg& arg) {
  return ir.CreateTrunc(value, ir.getIntNTy(8u * arg.bytes));
}

void FunctionLowering::on_AtomicLoad(const wasm::OpContext& op, const wasm::MemArg& arg) {
  llvm::LoadInst* load =
      ir.CreateAlignedLoad(ir.getIntNTy(8u * arg.bytes), atomic_address(op, arg, pop()), llvm::Align(arg.bytes));
  load->setAtomic(kOrder);
  push(ir.CreateZExt(load, result_type(op)));
}

void FunctionLowering::on_AtomicStore(const wasm::OpContext& op, const wasm::MemArg& arg) {
  Value* value = narrowed(pop(), arg);
  ir.CreateAlignedStore(value, atomic_address(op, arg, pop()), llvm::Align(arg.bytes))->setAtomic(kOrder);
}

void FunctionLowering::on_AtomicRmw(const wasm::OpContext& op, const wasm::MemArg& arg) {
  using wasm::Op;
  auto operation = llvm::AtomicRMWInst::BAD_BINOP;
  switch (op.op) {
#define RMW(name, text)                                                                                                \
  case Op::I32AtomicRmw##name:                                                                                         \
  case Op::I64AtomicRmw##name:                                                                                         \
  case Op::I32AtomicRmw8##name##U:                                                                                     \
  case Op::I32AtomicRmw16##name##U:                                                                                    \
  case Op::I64AtomicRmw8##name##U:                                                                                     \
  case Op::I64AtomicRmw16##name##U:                                                                                    \
  case Op::I64AtomicRmw32##name##U: operation = llvm::AtomicRMWInst::text; break;
    RMW(Add, Add)
    RMW(Sub, Sub)
    RMW(And, And)
    RMW(Or, Or)
    RMW(Xor, Xor)
    RMW(Xchg, Xchg)
#undef RMW
  default: return unsupported(op);
  }
  Value* value = narrowed(pop(), arg);
  Value* pointer = atomic_address(op, arg, pop());
  Value* before = ir.CreateAtomicRMW(operation, pointer, value, llvm::Align(arg.bytes), kOrder);
  push(ir.CreateZExt(before, result_type(op)));
}

void FunctionLowering::on_AtomicCmpxchg(const wasm::OpContext& op, const wasm::MemArg& arg) {
  Value* replacement = narrowed(pop(), arg);
  Value* expected = narrowed(pop(), arg);
  Value* pointer = atomic_address(op, arg, pop());
  Value* pair = ir.CreateAtomicCmpXchg(pointer, expected, replacement, llvm::Align(arg.bytes), kOrder, kOrder);
  push(ir.CreateZExt(ir.CreateExtractValue(pair, 0), result_type(op)));
}

void FunctionLowering::on_AtomicFence(const wasm::OpContext&, const wasm::FenceImm&) { ir.CreateFence(kOrder); }

// The built-in adds the offset itself, where it can see the sum wrap.
void FunctionLowering::on_AtomicWait(const wasm::OpContext& op, const wasm::MemArg& arg) {
  locate(op);
  Value* timeout = pop();
  Value* expected = pop();
  Value* index = to_i64(pop());
  const auto builtin =
      op.op == wasm::Op::MemoryAtomicWait32 ? abi::Builtin::memory_wait32 : abi::Builtin::memory_wait64;
  push(call_builtin(builtin, {ir.getInt32(arg.memory.value), index, ir.getInt64(arg.offset), expected, timeout}));
}

void FunctionLowering::on_AtomicNotify(const wasm::OpContext& op, const wasm::MemArg& arg) {
  locate(op);
  Value* count = pop();
  Value* index = to_i64(pop());
  push(call_builtin(abi::Builtin::memory_notify,
                    {ir.getInt32(arg.memory.value), index, ir.getInt64(arg.offset), count}));
}

} // namespace cusp::compile
