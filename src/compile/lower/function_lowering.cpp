// The frame of lowering one body: set-up, the value stack, traps. Operators stand in the family
// files.
#include "compile/lower/function_lowering.h"

#include <llvm/IR/Dominators.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/PromoteMemToReg.h>

#include "compile/lower/function_passes.h"

namespace cusp::compile {

namespace {

constexpr bool is_plain(std::string_view lowering) {
  for (std::string_view plain : {"Test", "Compare", "Unary", "Binary", "Convert", "Wide", "SimdUnary", "SimdBinary",
                                 "SimdTernary", "SimdCompare", "SimdTest", "SimdShift", "SimdSplat"})
    if (lowering == plain) return true;
  return false;
}

} // namespace

FunctionLowering::FunctionLowering(Group& group)
    : group_(group), types(group.types), tags(group.tags), ir(group.context), validator_(group.wasm) {}

void FunctionLowering::lower_plain(const wasm::OpContext& op) {
  using Member = void (FunctionLowering::*)();
  static constexpr Member kMembers[] = {
#define OP(encoding, Name, text, Imm, signature, feature, lowering)                                                    \
  []() -> Member {                                                                                                     \
    if constexpr (is_plain(#lowering)) return &FunctionLowering::lower_op<wasm::Op::Name>;                             \
    else return nullptr;                                                                                               \
  }(),
#include "wasm/operators.def"
  };
  op_ = &op;
  (this->*kMembers[static_cast<unsigned>(op.op)])();
}

void FunctionLowering::unsupported(const wasm::OpContext& op) {
  failed_ = true;
  error_ = base::fail_at(base::ErrorCode::Unsupported, op.offset,
                         "the compiler does not know `" + std::string(wasm::op_text(op.op)) + "` yet")
               .error();
}

base::Result<void> FunctionLowering::lower(wasm::DefinedFuncIndex func) {
  failed_ = false;
  CUSP_TRY(wasm::read_body(validator_, func, *this));
  return {};
}

void FunctionLowering::on_start(const wasm::FunctionValidator& validator) {
  const wasm::FuncIndex func = group_.wasm.func_index(validator.function());
  function_ = group_.function(func);
  signature_ = &group_.signature_of(func);
  body_offset_ = group_.wasm.code[validator.function().value].offset;
  subprogram_ = group_.make_subprogram(func);
  function_->setSubprogram(subprogram_);
  vmctx_ = function_->getArg(0);
  hints_ = group_.hints_of(func);
  stack_.clear();
  controls_.clear();
  phis_.clear();
  saved_params_.clear();
  handlers_.clear();
  clauses_.clear();
  memories_.assign(group_.wasm.memories.size(), {});
  gc_heap_ = nullptr;
  checks_.clear();
  has_dead_blocks_ = false;
  ir.SetCurrentDebugLocation({});

  entry_ = llvm::BasicBlock::Create(group_.context, "entry", function_);
  ir.SetInsertPoint(entry_);
  make_locals(validator);
  llvm::BasicBlock* body_block = new_block();
  ir.CreateBr(body_block);
  place(body_block);
  begin_control(new_block(), 0, validator.function_type().results);
  uncounted_ = 0;
  if (group_.settings.fuel) check_fuel();
}

// Called by the last `end`. The target of the outermost frame is where all returns meet.
void FunctionLowering::end_function(bool reachable) {
  const Control function = controls_.back();
  if (reachable) branch(function);
  if (function.target->use_empty()) {
    delete function.target;
  } else {
    place(function.target);
    llvm::SmallVector<Value*, 4> results(phis_.begin() + function.first_phi, phis_.end());
    group_.return_results(ir, *signature_, results, vmctx_);
  }
  controls_.pop_back();
  if (has_dead_blocks_) llvm::EliminateUnreachableBlocks(*function_);
  if (group_.settings.opt_level > 0) {
    llvm::DominatorTree dominators(*function_);
    llvm::SmallVector<llvm::AllocaInst*, 32> places;
    for (const Local& local : locals_) places.push_back(local.place);
    if (!places.empty()) llvm::PromoteMemToReg(places, dominators);
    drop_implied_checks(dominators);
  }
  llvm::SmallVector<const llvm::MDNode*, 2> guarded;
  for (const Memory& memory : memories_)
    if (memory.base && !memory.is_explicit) guarded.push_back(memory.tag);
  keep_unused_loads(*function_, guarded);
  keep_quiet_nans(*function_);
  if (group_.settings.canonical_nans) canonicalise_nans(*function_);
}

llvm::Value* FunctionLowering::pop(llvm::Type* type) { return cast(pop(), type); }

// Vectors travel in whatever shape they were made; everything else has its type by validation.
llvm::Value* FunctionLowering::cast(Value* value, llvm::Type* type) {
  return value->getType() == type ? value : ir.CreateBitCast(value, type);
}

llvm::Type* FunctionLowering::result_type(const wasm::OpContext& op) const {
  return group_.type(wasm::ValType::from_raw(wasm::op_info(op.op).signature.results[0]));
}

llvm::Value* FunctionLowering::condition(Value* value) {
  if (auto* extended = llvm::dyn_cast<llvm::ZExtInst>(value); extended && extended->getSrcTy() == types.i1)
    return extended->getOperand(0);
  return ir.CreateIsNotNull(value);
}

llvm::BasicBlock* FunctionLowering::new_block() { return llvm::BasicBlock::Create(group_.context); }

void FunctionLowering::place(llvm::BasicBlock* block) {
  function_->insert(function_->end(), block);
  ir.SetInsertPoint(block);
}

// The entry block's end: what is made there is available to the whole body.
llvm::IRBuilder<> FunctionLowering::at_entry() { return llvm::IRBuilder<>(entry_->getTerminator()); }

void FunctionLowering::locate(const wasm::OpContext& op) {
  const auto line = static_cast<unsigned>(op.offset - body_offset_) + 1;
  ir.SetCurrentDebugLocation(llvm::DILocation::get(group_.context, line, 0, subprogram_));
}

void FunctionLowering::trap_if(Value* condition, abi::Trap kind) {
  if (auto* constant = llvm::dyn_cast<llvm::ConstantInt>(condition); constant && constant->isZero()) return;
  llvm::BasicBlock* bad = new_block();
  llvm::BasicBlock* good = new_block();
  ir.CreateCondBr(condition, bad, good, tags.unlikely());
  place(bad);
  trap(kind);
  place(good);
}

void FunctionLowering::trap(abi::Trap kind) {
  llvm::CallInst* call = ir.CreateCall(group_.trap(kind));
  call->setDoesNotReturn();
  call->addFnAttr(llvm::Attribute::NoMerge);
  ir.CreateUnreachable();
}

} // namespace cusp::compile
