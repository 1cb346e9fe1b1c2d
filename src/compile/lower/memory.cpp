// Linear memory (spec 4.4.7). With guard pages an access is the access alone: base + zero-extended index + offset stays
// inside the reservation and its guard, and a fault there becomes a trap. With explicit bounds, and for offsets beyond
// the guard, the end of the access is compared with the current size first. The base is invariant, loaded once per
// function. (Zero-extended: a sign-extended index would leave the sandbox.)
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

FunctionLowering::Memory& FunctionLowering::memory(wasm::MemoryIndex index) {
  Memory& memory = memories_[index.value];
  if (memory.base) return memory;
  llvm::IRBuilder<> entry = at_entry();
  const std::uint32_t imported = group_.wasm.imported_memories;
  const std::uint32_t at = group_.layout.memory_entry(index.value);
  memory.base =
      group_.load_invariant(entry, types.ptr, group_.field(entry, vmctx_, at + offsetof(abi::MemoryEntry, base)));
  if (index.value >= imported) {
    memory.record = group_.field(entry, vmctx_, group_.layout.memory_record(index.value - imported));
    memory.tag = tags.memory(index.value - imported);
  } else {
    memory.record =
        group_.load_invariant(entry, types.ptr, group_.field(entry, vmctx_, at + offsetof(abi::MemoryEntry, record)));
    memory.tag = tags.imported_memory();
  }
  const wasm::MemoryType& type = group_.wasm.memories[index.value];
  memory.is_explicit = memory_bounds(type, group_.settings.bounds) == artifact::BoundsMode::Explicit;
  return memory;
}

// `index` as 64 bits. Traps unless index + offset + size <= the current size, all without wrapping.
void FunctionLowering::check_bounds(const wasm::MemArg& arg, const Memory& memory, Value* index) {
  Value* size_at = group_.field(ir, memory.record, offsetof(abi::MemoryRecord, byte_length));
  llvm::LoadInst* size = ir.CreateAlignedLoad(types.i64, size_at, llvm::Align(8));
  size->setMetadata(llvm::LLVMContext::MD_tbaa, tags.record());
  std::uint64_t extent = 0;
  if (__builtin_add_overflow(arg.offset, std::uint64_t{arg.bytes}, &extent))
    return trap_if(ir.getTrue(), abi::Trap::MemoryOutOfBounds);
  if (!group_.wasm.memories[arg.memory.value].memory64) {
    Value* end = ir.CreateNUWAdd(index, ir.getInt64(extent));
    return trap_if(ir.CreateICmpUGT(end, size), abi::Trap::MemoryOutOfBounds);
  }
  Value* sum = ir.CreateBinaryIntrinsic(llvm::Intrinsic::uadd_with_overflow, index, ir.getInt64(extent));
  Value* beyond = ir.CreateICmpUGT(ir.CreateExtractValue(sum, 0), size);
  trap_if(ir.CreateOr(ir.CreateExtractValue(sum, 1), beyond), abi::Trap::MemoryOutOfBounds);
}

llvm::Value* FunctionLowering::address(const wasm::OpContext& op, const wasm::MemArg& arg, Value* index) {
  locate(op);
  const Memory& in = memory(arg.memory);
  Value* wide = to_i64(index);
  if (in.is_explicit || arg.offset > abi::kMaxUncheckedOffset) check_bounds(arg, in, wide);
  // User addresses have 47 bits: neither sum wraps, which lets LLVM see that an induction in the address does not
  // either.
  const auto no_wrap = llvm::GEPNoWrapFlags::noUnsignedWrap();
  Value* pointer = ir.CreatePtrAdd(in.base, wide, "", no_wrap);
  return arg.offset == 0 ? pointer : ir.CreatePtrAdd(pointer, ir.getInt64(arg.offset), "", no_wrap);
}

// Alignment 1: the immediate is a hint that may lie.
llvm::LoadInst* FunctionLowering::load(llvm::Type* type, Value* pointer, const wasm::MemArg& arg) {
  const Memory& in = memories_[arg.memory.value];
  llvm::LoadInst* load = ir.CreateAlignedLoad(type, pointer, llvm::Align(1));
  load->setMetadata(llvm::LLVMContext::MD_tbaa, in.tag);
  return load;
}

void FunctionLowering::store(Value* value, Value* pointer, const wasm::MemArg& arg) {
  ir.CreateAlignedStore(value, pointer, llvm::Align(1))
      ->setMetadata(llvm::LLVMContext::MD_tbaa, memories_[arg.memory.value].tag);
}

void FunctionLowering::on_Load(const wasm::OpContext& op, const wasm::MemArg& arg) {
  using wasm::Op;
  Value* pointer = address(op, arg, pop());
  auto widened = [&](llvm::Type* narrow, llvm::Type* to, bool is_signed) {
    push(ir.CreateIntCast(load(narrow, pointer, arg), to, is_signed));
  };
  switch (op.op) {
  case Op::I32Load: return push(load(types.i32, pointer, arg));
  case Op::I64Load: return push(load(types.i64, pointer, arg));
  case Op::F32Load: return push(load(types.f32, pointer, arg));
  case Op::F64Load: return push(load(types.f64, pointer, arg));
  case Op::V128Load: return push(load(types.v128, pointer, arg));
  case Op::I32Load8S: return widened(types.i8, types.i32, true);
  case Op::I32Load8U: return widened(types.i8, types.i32, false);
  case Op::I32Load16S: return widened(types.i16, types.i32, true);
  case Op::I32Load16U: return widened(types.i16, types.i32, false);
  case Op::I64Load8S: return widened(types.i8, types.i64, true);
  case Op::I64Load8U: return widened(types.i8, types.i64, false);
  case Op::I64Load16S: return widened(types.i16, types.i64, true);
  case Op::I64Load16U: return widened(types.i16, types.i64, false);
  case Op::I64Load32S: return widened(types.i32, types.i64, true);
  case Op::I64Load32U: return widened(types.i32, types.i64, false);
  default: unsupported(op);
  }
}

// Narrow stores keep the low bytes; all others store the value as it is.
void FunctionLowering::on_Store(const wasm::OpContext& op, const wasm::MemArg& arg) {
  Value* value = pop();
  Value* pointer = address(op, arg, pop());
  llvm::Type* type = value->getType();
  if (type->isIntegerTy() && type->getIntegerBitWidth() > 8u * arg.bytes)
    value = ir.CreateTrunc(value, ir.getIntNTy(8u * arg.bytes));
  store(value, pointer, arg);
}

void FunctionLowering::on_MemorySize(const wasm::OpContext&, const wasm::MemoryImm& imm) {
  const wasm::MemoryType& type = group_.wasm.memories[imm.memory.value];
  Value* size_at = group_.field(ir, memory(imm.memory).record, offsetof(abi::MemoryRecord, byte_length));
  llvm::LoadInst* size = ir.CreateAlignedLoad(types.i64, size_at, llvm::Align(8));
  size->setMetadata(llvm::LLVMContext::MD_tbaa, tags.record());
  push(from_i64(ir.CreateLShr(size, type.page_size_log2), type.memory64));
}

void FunctionLowering::on_MemoryGrow(const wasm::OpContext& op, const wasm::MemoryImm& imm) {
  locate(op);
  Value* delta = to_i64(pop());
  Value* result = call_builtin(abi::Builtin::memory_grow, {ir.getInt32(imm.memory.value), delta});
  push(from_i64(result, group_.wasm.memories[imm.memory.value].memory64));
}

void FunctionLowering::on_MemoryInit(const wasm::OpContext& op, const wasm::MemoryInitImm& imm) {
  locate(op);
  Value* count = pop();
  Value* from = pop();
  Value* to = to_i64(pop());
  call_builtin(abi::Builtin::memory_init,
               {ir.getInt32(imm.memory.value), ir.getInt32(imm.data.value), to, from, count});
}

void FunctionLowering::on_MemoryCopy(const wasm::OpContext& op, const wasm::MemoryCopyImm& imm) {
  locate(op);
  Value* count = to_i64(pop());
  Value* from = to_i64(pop());
  Value* to = to_i64(pop());
  call_builtin(abi::Builtin::memory_copy, {ir.getInt32(imm.to.value), ir.getInt32(imm.from.value), to, from, count});
}

void FunctionLowering::on_MemoryFill(const wasm::OpContext& op, const wasm::MemoryImm& imm) {
  locate(op);
  Value* count = to_i64(pop());
  Value* byte = pop();
  Value* to = to_i64(pop());
  call_builtin(abi::Builtin::memory_fill, {ir.getInt32(imm.memory.value), to, byte, count});
}

void FunctionLowering::on_DataDrop(const wasm::OpContext& op, const wasm::DataImm& imm) {
  locate(op);
  call_builtin(abi::Builtin::data_drop, {ir.getInt32(imm.data.value)});
}

} // namespace cusp::compile
