// Linear memory (spec 4.4.7). With guard pages an access is the access alone: base + zero-extended index + offset stays
// inside the reservation and its guard, and a fault there becomes a trap. With explicit bounds, and for offsets beyond
// the guard, one comparison with the current size comes first. The base is invariant, loaded once per
// function. (Zero-extended: a sign-extended index would leave the sandbox.)
//
// A shared memory is written by other threads: what LLVM calls a race. Its size is read atomically, and every value loaded from it is
// frozen, so that a value once seen stays what it was, whatever is checked about it.
#include <algorithm>

#include <llvm/ADT/DenseMap.h>
#include <llvm/IR/Dominators.h>

#include "compile/lower/function_lowering.h"

namespace cusp::compile {

namespace {

// No memory is as large as this, by any definition of pages.
constexpr std::uint64_t kMoreThanMemory = std::uint64_t{1} << 63;

// What the memory has at least, always: no memory shrinks.
std::uint64_t minimum_bytes(const wasm::MemoryType& type) {
  return type.limits.min >= kMoreThanMemory >> type.page_size_log2 ? kMoreThanMemory - 1
                                                                   : type.limits.min << type.page_size_log2;
}

} // namespace

FunctionLowering::Memory& FunctionLowering::memory(wasm::MemoryIndex index) {
  Memory& memory = memories_[index.value];
  if (memory.base) return memory;
  llvm::IRBuilder<> entry = at_entry();
  const wasm::MemoryType& type = group_.wasm.memories[index.value];
  const std::uint32_t imported = group_.wasm.imported_memories;
  const std::uint32_t at = group_.layout.memory_entry(index.value);
  memory.base =
      group_.load_invariant(entry, types.ptr, group_.field(entry, vmctx_, at + offsetof(abi::MemoryEntry, base)));
  memory.is_shared = type.shared;
  memory.tag = index.value >= imported ? tags.memory(index.value - imported) : tags.imported_memory();
  if (index.value >= imported && !type.shared)
    memory.record = group_.field(entry, vmctx_, group_.layout.memory_record(index.value - imported));
  else
    memory.record =
        group_.load_invariant(entry, types.ptr, group_.field(entry, vmctx_, at + offsetof(abi::MemoryEntry, record)));
  memory.is_explicit = memory_bounds(type, group_.settings.bounds) == artifact::BoundsMode::Explicit;
  return memory;
}

// The current size in bytes.
llvm::Value* FunctionLowering::memory_size(wasm::MemoryIndex index) {
  const Memory& in = memory(index);
  Value* size_at = group_.field(ir, in.record, offsetof(abi::MemoryRecord, byte_length));
  llvm::LoadInst* size = ir.CreateAlignedLoad(types.i64, size_at, llvm::Align(8));
  size->setMetadata(llvm::LLVMContext::MD_tbaa, tags.record());
  size->setMetadata(llvm::LLVMContext::MD_range,
                    tags.range(minimum_bytes(group_.wasm.memories[index.value]), kMoreThanMemory));
  if (in.is_shared) size->setAtomic(llvm::AtomicOrdering::Unordered);
  return size;
}

// `index` as 64 bits. Traps unless index + extent <= the current size, without wrapping. One comparison in every case: of a 32-bit index
// the sum cannot wrap; of a 64-bit one the extent is taken from the size, which does not wrap where the memory can never be
// smaller, and saturates otherwise. Both sides' constants fold, and the size's part leaves loops.
void FunctionLowering::check_bounds(wasm::MemoryIndex memory, std::uint64_t extent, Value* index) {
  const wasm::MemoryType& type = group_.wasm.memories[memory.value];
  Value* size = memory_size(memory);
  if (extent >= kMoreThanMemory) return trap_if(ir.getTrue(), abi::Trap::MemoryOutOfBounds);
  Value* by = ir.getInt64(extent);
  Value* outside = nullptr;
  if (!type.memory64) outside = ir.CreateICmpUGT(ir.CreateAdd(index, by, "", true, true), size);
  else if (extent <= minimum_bytes(type)) outside = ir.CreateICmpUGT(index, ir.CreateSub(size, by, "", true, true));
  else {
    Value* first_bad = ir.CreateBinaryIntrinsic(llvm::Intrinsic::usub_sat, ir.CreateNUWAdd(size, ir.getInt64(1)), by);
    outside = ir.CreateICmpUGE(index, first_bad);
  }
  llvm::BasicBlock* here = ir.GetInsertBlock();
  trap_if(outside, abi::Trap::MemoryOutOfBounds);
  if (auto* branch = llvm::dyn_cast_or_null<llvm::BranchInst>(here->getTerminator()))
    checks_.push_back({branch, index, memory, extent});
}

// A check says the same of the same index wherever it leads, for no memory shrinks: what comes after one that reaches as far needs
// none, calls and growth between them or not. LLVM cannot know that.
void FunctionLowering::drop_implied_checks(const llvm::DominatorTree& dominators) {
  constexpr std::size_t kLookBack = 8;
  using Key = std::pair<const Value*, std::uint32_t>;
  llvm::DenseMap<Key, llvm::SmallVector<const BoundsCheck*, 4>> kept;
  for (const BoundsCheck& check : checks_) { // in the order of the code: what dominates comes first
    if (!check.index || !dominators.isReachableFromEntry(check.branch->getParent())) continue;
    const Value* index = check.index;
    if (const auto* extended = llvm::dyn_cast<llvm::ZExtInst>(index)) index = extended->getOperand(0);
    auto& earlier = kept[{index, check.memory.value}];
    auto implies = [&](const BoundsCheck* other) {
      const llvm::BasicBlockEdge passed(other->branch->getParent(), other->branch->getSuccessor(1));
      return other->extent >= check.extent && dominators.dominates(passed, check.branch->getParent());
    };
    const std::size_t recent = std::min(earlier.size(), kLookBack);
    if (std::any_of(earlier.end() - static_cast<std::ptrdiff_t>(recent), earlier.end(), implies))
      check.branch->setCondition(ir.getFalse());
    else earlier.push_back(&check);
  }
}

llvm::Value* FunctionLowering::address(const wasm::OpContext& op, const wasm::MemArg& arg, Value* index) {
  locate(op);
  const Memory& in = memory(arg.memory);
  Value* wide = to_i64(index);
  std::uint64_t extent = 0;
  if (__builtin_add_overflow(arg.offset, std::uint64_t{arg.bytes}, &extent)) extent = kMoreThanMemory;
  if (in.is_explicit || arg.offset > abi::kMaxUncheckedOffset) check_bounds(arg.memory, extent, wide);
  // User addresses have 47 bits: neither sum wraps, which lets LLVM see that an induction in the address does not
  // either.
  const auto no_wrap = llvm::GEPNoWrapFlags::noUnsignedWrap();
  Value* pointer = ir.CreatePtrAdd(in.base, wide, "", no_wrap);
  return arg.offset == 0 ? pointer : ir.CreatePtrAdd(pointer, ir.getInt64(arg.offset), "", no_wrap);
}

// Alignment 1: the immediate is a hint that may lie.
llvm::Value* FunctionLowering::load(llvm::Type* type, Value* pointer, const wasm::MemArg& arg) {
  const Memory& in = memories_[arg.memory.value];
  llvm::LoadInst* load = ir.CreateAlignedLoad(type, pointer, llvm::Align(1));
  load->setMetadata(llvm::LLVMContext::MD_tbaa, in.tag);
  return in.is_shared ? ir.CreateFreeze(load) : load;
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
  push(from_i64(ir.CreateLShr(memory_size(imm.memory), type.page_size_log2), type.memory64));
}

void FunctionLowering::on_MemoryGrow(const wasm::OpContext& op, const wasm::MemoryImm& imm) {
  locate(op);
  Value* delta = to_i64(pop());
  Value* result = call_builtin(abi::Builtin::memory_grow, {ir.getInt32(imm.memory.value), delta});
  push(from_i64(result, group_.wasm.memories[imm.memory.value].memory64));
}

} // namespace cusp::compile
