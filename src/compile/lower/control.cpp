// Structured control (spec 4.4.8). Each label is a block whose phis are the values that branches to it carry. The
// validator leaves out code that cannot be reached, so that a frame is always entered from live code; its end may still
// have no way in, and what follows is then lowered into a dead block that end_function removes.
#include <algorithm>

#include "compile/lower/function_lowering.h"

namespace cusp::compile {

void FunctionLowering::begin_control(llvm::BasicBlock* target, std::size_t param_count,
                                     std::span<const wasm::ValType> label_types) {
  const auto height = static_cast<std::uint32_t>(stack_.size() - param_count);
  controls_.push_back({.target = target,
                       .height = height,
                       .first_phi = static_cast<std::uint32_t>(phis_.size()),
                       .phi_count = static_cast<std::uint32_t>(label_types.size()),
                       .first_param = static_cast<std::uint32_t>(saved_params_.size()),
                       .handler = controls_.empty() ? 0 : controls_.back().handler});
  for (wasm::ValType type : label_types) phis_.push_back(llvm::PHINode::Create(group_.type(type), 2, "", target));
}

// One more edge from the current block to the label. The operands stay on the stack.
void FunctionLowering::pass_operands(const Control& control) {
  for (std::uint32_t i = 0; i < control.phi_count; ++i) {
    llvm::PHINode* phi = phis_[control.first_phi + i];
    Value*& operand = stack_[stack_.size() - control.phi_count + i];
    operand = cast(operand, phi->getType());
    phi->addIncoming(operand, ir.GetInsertBlock());
  }
}

void FunctionLowering::branch(const Control& control) {
  pass_operands(control);
  ir.CreateBr(control.target);
}

// Goes on at the end of a frame with its results on the stack.
void FunctionLowering::join(const Control& control) {
  stack_.truncate(control.height);
  const bool dead = control.target->use_empty();
  has_dead_blocks_ |= dead;
  place(control.target);
  for (std::uint32_t i = 0; i < control.phi_count; ++i) {
    llvm::PHINode* phi = phis_[control.first_phi + i];
    push(dead ? static_cast<Value*>(llvm::PoisonValue::get(phi->getType())) : phi);
    if (dead) phi->eraseFromParent();
  }
  phis_.truncate(control.first_phi);
}

void FunctionLowering::on_Unreachable(const wasm::OpContext& op, const wasm::NoImm&) {
  locate(op);
  trap(abi::Trap::Unreachable);
}

void FunctionLowering::on_AdapterTrap(const wasm::OpContext& op, const wasm::TrapImm& imm) {
  locate(op);
  trap(static_cast<abi::Trap>(imm.trap));
}

void FunctionLowering::on_Nop(const wasm::OpContext&, const wasm::NoImm&) {}

void FunctionLowering::on_Block(const wasm::OpContext&, const wasm::BlockImm& imm) {
  begin_control(new_block(), imm.type.params().size(), imm.type.results());
}

void FunctionLowering::on_Loop(const wasm::OpContext& op, const wasm::BlockImm& imm) {
  llvm::BasicBlock* header = new_block();
  begin_control(header, imm.type.params().size(), imm.type.params());
  const Control& control = controls_.back();
  branch(control);
  place(header);
  stack_.truncate(control.height);
  for (std::uint32_t i = 0; i < control.phi_count; ++i) push(phis_[control.first_phi + i]);
  if (!group_.settings.fuel) return;
  locate(op);
  check_fuel();
}

llvm::MDNode* FunctionLowering::hint(const wasm::OpContext& op) const {
  auto found = std::ranges::lower_bound(hints_, op.offset - body_offset_, {}, &wasm::BranchHint::offset);
  if (found == hints_.end() || found->offset != op.offset - body_offset_) return nullptr;
  return found->taken ? tags.likely() : tags.unlikely();
}

void FunctionLowering::on_If(const wasm::OpContext& op, const wasm::BlockImm& imm) {
  Value* is_true = condition(pop());
  const std::size_t params = imm.type.params().size();
  begin_control(new_block(), params, imm.type.results());
  Control& control = controls_.back();
  control.otherwise = new_block();
  saved_params_.append(stack_.end() - params, stack_.end());
  llvm::BasicBlock* then = new_block();
  ir.CreateCondBr(is_true, then, control.otherwise, hint(op));
  place(then);
}

void FunctionLowering::on_Else(const wasm::OpContext&, const wasm::FrameImm& imm) {
  Control& control = controls_.back();
  if (imm.reachable) branch(control);
  place(control.otherwise);
  control.otherwise = nullptr;
  stack_.truncate(control.height);
  stack_.append(saved_params_.begin() + control.first_param, saved_params_.end());
}

void FunctionLowering::on_End(const wasm::OpContext& op, const wasm::FrameImm& imm) {
  if (controls_.size() == 1) return end_function(imm.reachable);
  const Control control = controls_.back();
  if (imm.frame.kind == wasm::FrameKind::Loop) {
    // Nothing branches to a loop's end. Its phis stand in the header already.
    phis_.truncate(control.first_phi);
    controls_.pop_back();
    if (imm.reachable) return;
    llvm::BasicBlock* dead = new_block();
    has_dead_blocks_ = true;
    place(dead);
    stack_.truncate(control.height);
    for (wasm::ValType type : imm.frame.type.results()) push(llvm::PoisonValue::get(group_.type(type)));
    return;
  }
  if (imm.reachable) branch(control);
  if (imm.frame.kind >= wasm::FrameKind::TryTable) return end_try(op, imm.frame.kind);
  if (control.otherwise) { // an `if` without `else`: its parameters are its results
    place(control.otherwise);
    stack_.truncate(control.height);
    stack_.append(saved_params_.begin() + control.first_param, saved_params_.end());
    branch(control);
  }
  saved_params_.truncate(control.first_param);
  controls_.pop_back();
  join(control);
}

void FunctionLowering::on_Br(const wasm::OpContext&, const wasm::LabelImm& imm) { branch(label(imm.depth)); }

void FunctionLowering::on_Return(const wasm::OpContext&, const wasm::NoImm&) { branch(controls_.front()); }

void FunctionLowering::branch_if(Value* condition, std::uint32_t depth, llvm::MDNode* weights) {
  const Control& control = label(depth);
  pass_operands(control);
  llvm::BasicBlock* next = new_block();
  ir.CreateCondBr(condition, control.target, next, weights);
  place(next);
}

void FunctionLowering::on_BrIf(const wasm::OpContext& op, const wasm::LabelImm& imm) {
  branch_if(condition(pop()), imm.depth, hint(op));
}

// LLVM wants one phi entry per edge, also for edges of one switch. Cases that go where the default goes are left out.
void FunctionLowering::on_BrTable(const wasm::OpContext&, const wasm::BrTableImm& imm) {
  Value* index = pop();
  const Control& fallback = label(imm.default_depth);
  pass_operands(fallback);
  llvm::SwitchInst* table = ir.CreateSwitch(index, fallback.target, static_cast<unsigned>(imm.depths.size()));
  // Casts of operands must come before the switch.
  ir.SetInsertPoint(table);
  for (std::size_t i = 0; i < imm.depths.size(); ++i) {
    const Control& control = label(imm.depths[i]);
    if (control.target == fallback.target) continue;
    pass_operands(control);
    table->addCase(llvm::ConstantInt::get(types.i32, i), control.target);
  }
}

void FunctionLowering::on_BrOnNull(const wasm::OpContext&, const wasm::RefLabelImm& imm) {
  Value* reference = pop();
  branch_if(ir.CreateIsNull(reference), imm.depth);
  push(reference);
}

void FunctionLowering::on_BrOnNonNull(const wasm::OpContext&, const wasm::RefLabelImm& imm) {
  branch_if(ir.CreateIsNotNull(stack_.back()), imm.depth);
  pop();
}

} // namespace cusp::compile
