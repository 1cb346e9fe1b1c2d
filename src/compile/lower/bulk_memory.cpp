// memory.init, memory.copy, memory.fill, data.drop (spec 4.4.7). Copies and fills check their bounds here. A short constant
// length becomes plain loads and stores; a short length that only shows at run time goes to a function of the group,
// a few overlapping accesses; what is long goes to the built-in, whose loops are the C library's.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

namespace {

// What LLVM turns into a handful of vector accesses.
constexpr std::uint64_t kInlineBytes = 128;
// What short_copy and short_fill do: two accesses of half of it.
constexpr std::uint64_t kShortBytes = 32;

std::optional<std::uint64_t> constant_of(llvm::Value* value) {
  if (auto* constant = llvm::dyn_cast<llvm::ConstantInt>(value)) return constant->getZExtValue();
  return std::nullopt;
}

// Whether both accesses of `bytes` at the two ends cover a length, from the widest down; a length of 0 does nothing.
constexpr unsigned kSteps[] = {16, 8, 4, 2, 1};

// One function of the group, made on first use: `step` makes the accesses of one width and returns nothing. The
// length is at most kShortBytes.
template <class Step>
llvm::Function* short_function(Group& group, const char* name, llvm::ArrayRef<llvm::Type*> params, Step step) {
  if (llvm::Function* made = group.module->getFunction(name)) return made;
  llvm::Function* function = group.make_helper(name, llvm::FunctionType::get(group.types.void_, params, false));
  llvm::IRBuilder<> ir(group.context);
  llvm::Value* length = function->getArg(static_cast<unsigned>(params.size()) - 1);
  auto* end = llvm::BasicBlock::Create(group.context, "");
  llvm::BasicBlock* at = llvm::BasicBlock::Create(group.context, "", function);
  for (unsigned bytes : kSteps) {
    auto* here = llvm::BasicBlock::Create(group.context, "", function);
    auto* next = llvm::BasicBlock::Create(group.context, "", function);
    ir.SetInsertPoint(at);
    ir.CreateCondBr(ir.CreateICmpUGE(length, ir.getInt64(bytes)), here, next);
    ir.SetInsertPoint(here);
    step(ir, *function, bytes, ir.CreateSub(length, ir.getInt64(bytes)));
    ir.CreateBr(end);
    at = next;
  }
  ir.SetInsertPoint(at);
  ir.CreateBr(end);
  function->insert(function->end(), end);
  ir.SetInsertPoint(end);
  ir.CreateRetVoid();
  return function;
}

llvm::Type* access_type(const IrTypes& types, llvm::IRBuilder<>& ir, unsigned bytes) {
  return bytes == 16 ? static_cast<llvm::Type*>(types.v128) : ir.getIntNTy(8 * bytes);
}

// All loads before the first store: the ranges may overlap.
llvm::Function* short_copy(Group& group) {
  const IrTypes& types = group.types;
  return short_function(group, "cusp_short_copy", {types.ptr, types.ptr, types.i64},
                        [&](llvm::IRBuilder<>& ir, llvm::Function& f, unsigned bytes, llvm::Value* last) {
                          llvm::Type* type = access_type(types, ir, bytes);
                          llvm::Value *to = f.getArg(0), *from = f.getArg(1);
                          llvm::Value* first = ir.CreateAlignedLoad(type, from, llvm::Align(1));
                          llvm::Value* second = ir.CreateAlignedLoad(type, ir.CreatePtrAdd(from, last), llvm::Align(1));
                          ir.CreateAlignedStore(first, to, llvm::Align(1));
                          ir.CreateAlignedStore(second, ir.CreatePtrAdd(to, last), llvm::Align(1));
                        });
}

llvm::Function* short_fill(Group& group) {
  const IrTypes& types = group.types;
  return short_function(group, "cusp_short_fill", {types.ptr, types.i8, types.i64},
                        [&](llvm::IRBuilder<>& ir, llvm::Function& f, unsigned bytes, llvm::Value* last) {
                          llvm::Value* pattern = ir.CreateVectorSplat(bytes, f.getArg(1));
                          ir.CreateAlignedStore(pattern, f.getArg(0), llvm::Align(1));
                          ir.CreateAlignedStore(pattern, ir.CreatePtrAdd(f.getArg(0), last), llvm::Align(1));
                        });
}

} // namespace

// Base + start, where start + length is within the current size; traps otherwise. Both have 64 bits.
llvm::Value* FunctionLowering::checked_range(wasm::MemoryIndex index, Value* start, Value* length) {
  const Memory& in = memory(index);
  if (auto bytes = constant_of(length)) {
    check_bounds(index, *bytes, start);
  } else {
    Value* size = memory_size(index);
    Value* outside = nullptr;
    if (group_.wasm.memories[index.value].memory64)
      outside = ir.CreateOr(ir.CreateICmpUGT(length, size), ir.CreateICmpUGT(start, ir.CreateSub(size, length)));
    else outside = ir.CreateICmpUGT(ir.CreateNUWAdd(start, length), size);
    trap_if(outside, abi::Trap::MemoryOutOfBounds);
  }
  return ir.CreatePtrAdd(in.base, start, "", llvm::GEPNoWrapFlags::noUnsignedWrap());
}

// `inlined` for at most kShortBytes, otherwise `long_way`.
template <class Short, class Long> void FunctionLowering::by_length(Value* length, Short inlined, Long long_way) {
  llvm::BasicBlock* short_block = new_block();
  llvm::BasicBlock* long_block = new_block();
  llvm::BasicBlock* after = new_block();
  ir.CreateCondBr(ir.CreateICmpULE(length, ir.getInt64(kShortBytes)), short_block, long_block);
  place(short_block);
  inlined();
  ir.CreateBr(after);
  place(long_block);
  long_way();
  ir.CreateBr(after);
  place(after);
}

void FunctionLowering::on_MemoryCopy(const wasm::OpContext& op, const wasm::MemoryCopyImm& imm) {
  locate(op);
  Value* length = to_i64(pop());
  Value* from = to_i64(pop());
  Value* to = to_i64(pop());
  auto constant = constant_of(length);
  auto built_in = [&] {
    call_builtin(abi::Builtin::memory_copy, {ir.getInt32(imm.to.value), ir.getInt32(imm.from.value), to, from, length});
  };
  if (constant.value_or(0) > kInlineBytes) return built_in();
  Value* source = checked_range(imm.from, from, length);
  Value* target = checked_range(imm.to, to, length);
  // Between two memories there is no one tag.
  llvm::MDNode* tag = imm.to == imm.from ? memory(imm.to).tag : nullptr;
  if (constant)
    return ir.CreateMemMove(target, llvm::Align(1), source, llvm::Align(1), length)
        ->setMetadata(llvm::LLVMContext::MD_tbaa, tag);
  auto inlined = [&] {
    ir.CreateCall(short_copy(group_), {target, source, length})->setMetadata(llvm::LLVMContext::MD_tbaa, tag);
  };
  by_length(length, inlined, built_in);
}

void FunctionLowering::on_MemoryFill(const wasm::OpContext& op, const wasm::MemoryImm& imm) {
  locate(op);
  Value* length = to_i64(pop());
  Value* byte = pop();
  Value* to = to_i64(pop());
  auto constant = constant_of(length);
  auto built_in = [&] { call_builtin(abi::Builtin::memory_fill, {ir.getInt32(imm.memory.value), to, byte, length}); };
  if (constant.value_or(0) > kInlineBytes) return built_in();
  Value* target = checked_range(imm.memory, to, length);
  Value* pattern = ir.CreateTrunc(byte, types.i8);
  llvm::MDNode* tag = memory(imm.memory).tag;
  if (constant)
    return ir.CreateMemSet(target, pattern, length, llvm::Align(1))->setMetadata(llvm::LLVMContext::MD_tbaa, tag);
  auto inlined = [&] {
    ir.CreateCall(short_fill(group_), {target, pattern, length})->setMetadata(llvm::LLVMContext::MD_tbaa, tag);
  };
  by_length(length, inlined, built_in);
}

void FunctionLowering::on_MemoryInit(const wasm::OpContext& op, const wasm::MemoryInitImm& imm) {
  locate(op);
  Value* count = pop();
  Value* from = pop();
  Value* to = to_i64(pop());
  call_builtin(abi::Builtin::memory_init,
               {ir.getInt32(imm.memory.value), ir.getInt32(imm.data.value), to, from, count});
}

void FunctionLowering::on_DataDrop(const wasm::OpContext& op, const wasm::DataImm& imm) {
  locate(op);
  call_builtin(abi::Builtin::data_drop, {ir.getInt32(imm.data.value)});
}

} // namespace cusp::compile
