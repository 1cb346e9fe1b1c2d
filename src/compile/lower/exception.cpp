// Exceptions (spec 4.4.8), and the legacy operators. Code that does not throw pays nothing: a call inside a try is an invoke
// whose landing pad the runtime finds by return address (abi/vm.h), and what is thrown inside a try of the same function
// is a branch.
//
// Every try has a search block that takes the exception in a phi, compares tags and branches. What no clause takes goes on
// to the search block of the try around it, or is thrown again. That last throw is a call like any other: when LLVM inlines
// this function into a try, it becomes an invoke, and the search goes on in the caller.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

llvm::BasicBlock* FunctionLowering::landing_pad() {
  const std::uint32_t handler = controls_.back().handler;
  if (handler == 0) return nullptr;
  llvm::BasicBlock*& pad = handlers_[handler - 1].pad;
  if (pad == nullptr) pad = new_block();
  return pad;
}

void FunctionLowering::begin_handler() {
  llvm::BasicBlock* search = new_block();
  handlers_.push_back({nullptr, search, llvm::PHINode::Create(types.ptr, 2, "", search)});
  controls_.back().handler = static_cast<std::uint32_t>(handlers_.size());
}

// The frame's code from here on, a legacy try's arms, belongs to the handler around it.
llvm::Value* FunctionLowering::end_handler() {
  const Handler handler = handlers_.pop_back_val();
  controls_.back().handler = controls_[controls_.size() - 2].handler; // the outermost control is the function
  if (handler.pad != nullptr) {
    // Whose personality it is matters to unwinders alone, and none but ours sees the function.
    function_->setPersonalityFn(llvm::ConstantPointerNull::get(types.ptr));
    place(handler.pad);
    llvm::LandingPadInst* pad = ir.CreateLandingPad(llvm::StructType::get(types.ptr, types.i32), 1);
    pad->addClause(llvm::ConstantPointerNull::get(types.ptr)); // whatever it is
    handler.exception->addIncoming(ir.CreateExtractValue(pad, 0), handler.pad);
    ir.CreateBr(handler.search);
  }
  if (handler.exception->getNumIncomingValues() == 0) {
    delete handler.search;
    return nullptr;
  }
  place(handler.search);
  return handler.exception;
}

// Ends the block.
void FunctionLowering::raise(Value* exception, std::uint32_t handler) {
  if (handler != 0) {
    handlers_[handler - 1].exception->addIncoming(exception, ir.GetInsertBlock());
    ir.CreateBr(handlers_[handler - 1].search);
    return;
  }
  ir.CreateCall(group_.builtin_type(abi::Builtin::throw_exception),
                group_.builtin(ir, vmctx_, abi::Builtin::throw_exception), {vmctx_, exception})
      ->setDoesNotReturn();
  ir.CreateUnreachable();
}

llvm::Value* FunctionLowering::tag_record(wasm::TagIndex index) {
  const std::uint32_t imported = group_.wasm.imported_tags;
  if (index.value >= imported) return group_.field(ir, vmctx_, group_.layout.tag_record(index.value - imported));
  return group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, group_.layout.imported_tag(index.value)));
}

// Goes on where the exception has the tag; returns the block, not placed yet, where it has another.
llvm::BasicBlock* FunctionLowering::match_tag(Value* exception, wasm::TagIndex tag) {
  llvm::LoadInst* actual =
      ir.CreateAlignedLoad(types.ptr, group_.field(ir, exception, offsetof(abi::Exception, tag)), llvm::Align(8));
  actual->setMetadata(llvm::LLVMContext::MD_tbaa, tags.exception());
  llvm::BasicBlock* same = new_block();
  llvm::BasicBlock* other = new_block();
  ir.CreateCondBr(ir.CreateICmpEQ(actual, tag_record(tag)), same, other);
  place(same);
  return other;
}

void FunctionLowering::push_payload(Value* exception, wasm::TagIndex tag) {
  std::uint64_t offset = sizeof(abi::Exception);
  for (wasm::ValType type : group_.wasm.func_type(group_.wasm.tags[tag.value].type).params) {
    llvm::LoadInst* load =
        ir.CreateAlignedLoad(group_.type(type), group_.field(ir, exception, offset), llvm::Align(16));
    load->setMetadata(llvm::LLVMContext::MD_tbaa, tags.exception());
    push(load);
    offset += sizeof(abi::ValRaw);
  }
}

void FunctionLowering::on_Throw(const wasm::OpContext& op, const wasm::TagImm& imm) {
  locate(op);
  const std::vector<wasm::ValType>& params = group_.wasm.func_type(group_.wasm.tags[imm.tag.value].type).params;
  const auto count = static_cast<std::uint32_t>(params.size());
  Value* exception = call_builtin(abi::Builtin::exception_new, {tag_record(imm.tag), ir.getInt32(count)});
  for (std::uint32_t i = count; i-- != 0;)
    ir.CreateAlignedStore(pop(group_.type(params[i])),
                          group_.field(ir, exception, sizeof(abi::Exception) + sizeof(abi::ValRaw) * std::uint64_t{i}),
                          llvm::Align(16))
        ->setMetadata(llvm::LLVMContext::MD_tbaa, tags.exception());
  raise(exception, controls_.back().handler);
}

void FunctionLowering::on_ThrowRef(const wasm::OpContext& op, const wasm::NoImm&) {
  locate(op);
  Value* exception = pop();
  trap_if(ir.CreateIsNull(exception), abi::Trap::NullReference);
  raise(exception, controls_.back().handler);
}

void FunctionLowering::on_TryTable(const wasm::OpContext&, const wasm::TryTableImm& imm) {
  begin_control(new_block(), imm.type.params().size(), imm.type.results());
  controls_.back().first_clause = static_cast<std::uint32_t>(clauses_.size());
  clauses_.append(imm.catches.begin(), imm.catches.end());
  begin_handler();
}

// REQUIRES: the try_table's control is gone, for its clauses name the labels around it.
void FunctionLowering::search_clauses(llvm::ArrayRef<wasm::CatchClause> clauses, Value* exception) {
  const std::size_t height = stack_.size();
  for (const wasm::CatchClause& clause : clauses) {
    const bool has_tag = clause.kind == wasm::CatchKind::Catch || clause.kind == wasm::CatchKind::CatchRef;
    const bool has_ref = clause.kind == wasm::CatchKind::CatchRef || clause.kind == wasm::CatchKind::CatchAllRef;
    llvm::BasicBlock* other = has_tag ? match_tag(exception, clause.tag) : nullptr;
    if (has_tag) push_payload(exception, clause.tag);
    if (has_ref) push(exception);
    branch(label(clause.depth));
    stack_.truncate(height);
    if (!has_tag) return;
    place(other);
  }
  raise(exception, controls_.back().handler);
}

// ---- the legacy form ----

void FunctionLowering::on_Try(const wasm::OpContext&, const wasm::BlockImm& imm) {
  begin_control(new_block(), imm.type.params().size(), imm.type.results());
  begin_handler();
}

// Goes on in the code of the next arm, with the exception in the control.
void FunctionLowering::next_catch(const wasm::OpContext& op, const wasm::FrameImm& imm) {
  locate(op);
  Control& control = controls_.back();
  if (imm.reachable) branch(control);
  if (imm.frame.kind == wasm::FrameKind::Try) {
    control.exception = end_handler();
    if (control.exception == nullptr) { // the arms cannot be reached
      has_dead_blocks_ = true;
      place(new_block());
      control.exception = llvm::PoisonValue::get(types.ptr);
    }
  } else {
    place(control.otherwise);
    control.otherwise = nullptr;
  }
  stack_.truncate(control.height);
}

void FunctionLowering::on_Catch(const wasm::OpContext& op, const wasm::CatchImm& imm) {
  next_catch(op, imm);
  Control& control = controls_.back();
  control.otherwise = match_tag(control.exception, imm.tag);
  push_payload(control.exception, imm.tag);
}

void FunctionLowering::on_CatchAll(const wasm::OpContext& op, const wasm::FrameImm& imm) { next_catch(op, imm); }

void FunctionLowering::on_Rethrow(const wasm::OpContext& op, const wasm::LabelImm& imm) {
  locate(op);
  raise(label(imm.depth).exception, controls_.back().handler);
}

void FunctionLowering::on_Delegate(const wasm::OpContext& op, const wasm::DelegateImm& imm) {
  locate(op);
  if (imm.reachable) branch(controls_.back());
  Value* exception = end_handler();
  const Control control = controls_.pop_back_val();
  if (exception != nullptr) raise(exception, label(imm.depth).handler);
  join(control);
}

// The end of any try but a delegated one; values on the stack have been passed on.
void FunctionLowering::end_try(const wasm::OpContext& op, wasm::FrameKind kind) {
  locate(op);
  const bool in_body = kind == wasm::FrameKind::TryTable || kind == wasm::FrameKind::Try;
  Value* exception = in_body ? end_handler() : controls_.back().exception;
  const Control control = controls_.pop_back_val();
  if (kind == wasm::FrameKind::TryTable) {
    llvm::SmallVector<wasm::CatchClause, 8> clauses(clauses_.begin() + control.first_clause, clauses_.end());
    clauses_.truncate(control.first_clause);
    if (exception != nullptr) search_clauses(clauses, exception);
  } else if (kind == wasm::FrameKind::Catch) {
    place(control.otherwise);
    raise(exception, controls_.back().handler);
  } else if (kind == wasm::FrameKind::Try && exception != nullptr) {
    raise(exception, controls_.back().handler);
  }
  join(control);
}

} // namespace cusp::compile
