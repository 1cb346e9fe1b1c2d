// Control operators, calls, parametric and variable operators.
#include <algorithm>

#include <fmt/format.h>

#include "wasm/function_validator.h"

namespace cusp::wasm {

using base::ErrorCode;

bool FunctionValidator::check_Unreachable(NoImm&) {
  set_unreachable();
  return true;
}

bool FunctionValidator::check_Block(BlockImm& imm) {
  if (!pop(imm.type.params())) return false;
  push_frame(FrameKind::Block, imm.type);
  return true;
}

bool FunctionValidator::check_Loop(BlockImm& imm) {
  if (!pop(imm.type.params())) return false;
  push_frame(FrameKind::Loop, imm.type);
  return true;
}

bool FunctionValidator::check_If(BlockImm& imm) {
  if (!pop(ValType::i32()) || !pop(imm.type.params())) return false;
  push_frame(FrameKind::If, imm.type);
  return true;
}

bool FunctionValidator::check_Else(FrameImm& imm) {
  if (control_.back().kind != FrameKind::If)
    return cursor_.fail_at(ErrorCode::Malformed, op_offset_, "else without if");
  if (!next_arm(imm, FrameKind::Else)) return false;
  control_.back().entered_reachable = imm.frame.entered_reachable;
  control_.back().unreachable = !imm.frame.entered_reachable;
  return true;
}

bool FunctionValidator::check_End(FrameImm& imm) {
  if (!pop_frame(imm)) return false;
  std::span<const ValType> params = imm.frame.type.params(), results = imm.frame.type.results();
  auto matches = [&](ValType param, ValType result) { return module_.is_subtype(param, result); };
  if (imm.frame.kind == FrameKind::If &&
      !std::equal(params.begin(), params.end(), results.begin(), results.end(), matches))
    return invalid("type mismatch: an if without else gives what it takes");
  push(results);
  if (control_.empty() && !constant_ && !cursor_.at_end())
    return cursor_.fail(ErrorCode::Malformed, "operators remain after the end of the function");
  return true;
}

bool FunctionValidator::check_Br(LabelImm& imm) {
  if (!check_depth(imm.depth) || !pop(frame_at(imm.depth).label_types())) return false;
  set_unreachable();
  return true;
}

bool FunctionValidator::check_BrIf(LabelImm& imm) {
  return pop(ValType::i32()) && check_depth(imm.depth) && check_top(frame_at(imm.depth).label_types());
}

bool FunctionValidator::check_BrTable(BrTableImm& imm) {
  if (!pop(ValType::i32()) || !check_depth(imm.default_depth)) return false;
  std::size_t arity = frame_at(imm.default_depth).label_types().size();
  std::vector<ValType> kept;
  for (std::uint32_t depth : imm.depths) {
    if (!check_depth(depth)) return false;
    std::span<const ValType> types = frame_at(depth).label_types();
    if (types.size() != arity) return invalid("type mismatch: br_table targets take different numbers of values");
    // Popped and pushed back as they were, for unreachable code may give each label another type.
    kept.clear();
    for (std::size_t i = types.size(); i-- != 0;) {
      ValType actual;
      if (!pop_any(actual)) return false;
      if (!module_.is_subtype(actual, types[i])) return type_mismatch(types[i], actual);
      kept.push_back(actual);
    }
    operands_.insert(operands_.end(), kept.rbegin(), kept.rend());
  }
  if (!pop(frame_at(imm.default_depth).label_types())) return false;
  set_unreachable();
  return true;
}

bool FunctionValidator::check_Return(NoImm&) {
  if (!pop(type_->results)) return false;
  set_unreachable();
  return true;
}

bool FunctionValidator::check_call(const FuncType& type) {
  if (!pop(type.params)) return false;
  push(type.results);
  return true;
}

bool FunctionValidator::check_tail_call(const FuncType& type) {
  if (type.results.size() != type_->results.size())
    return invalid("type mismatch: a tail call gives other results than its function");
  for (std::size_t i = 0; i < type.results.size(); ++i)
    if (!module_.is_subtype(type.results[i], type_->results[i]))
      return type_mismatch(type_->results[i], type.results[i]);
  if (!pop(type.params)) return false;
  set_unreachable();
  return true;
}

bool FunctionValidator::check_Call(FuncImm& imm) { return check_call(module_.func_type(imm.func)); }
bool FunctionValidator::check_ReturnCall(FuncImm& imm) { return check_tail_call(module_.func_type(imm.func)); }

bool FunctionValidator::check_CallIndirect(CallIndirectImm& imm) {
  const TableType& table = module_.tables[imm.table.value].type;
  if (!module_.is_subtype(table.element, ValType::funcref())) return type_mismatch(ValType::funcref(), table.element);
  return pop(table.address_type()) && check_call(module_.func_type(imm.type));
}

bool FunctionValidator::check_ReturnCallIndirect(CallIndirectImm& imm) {
  const TableType& table = module_.tables[imm.table.value].type;
  if (!module_.is_subtype(table.element, ValType::funcref())) return type_mismatch(ValType::funcref(), table.element);
  return pop(table.address_type()) && check_tail_call(module_.func_type(imm.type));
}

bool FunctionValidator::check_CallRef(TypeImm& imm) {
  const FuncType* type = module_.find_func_type(imm.type);
  if (!type) return invalid(fmt::format("type mismatch: type {} is not a function type", imm.type.value));
  return pop_object(imm.type, imm.nullable) && check_call(*type);
}
bool FunctionValidator::check_ReturnCallRef(TypeImm& imm) {
  const FuncType* type = module_.find_func_type(imm.type);
  if (!type) return invalid(fmt::format("type mismatch: type {} is not a function type", imm.type.value));
  return pop_object(imm.type, imm.nullable) && check_tail_call(*type);
}

bool FunctionValidator::check_BrOnNull(RefLabelImm& imm) {
  if (!pop_ref(imm.type) || !check_depth(imm.depth) || !check_top(frame_at(imm.depth).label_types())) return false;
  push(imm.type.is_bottom() ? imm.type : imm.type.with_nullable(false));
  return true;
}

bool FunctionValidator::check_BrOnNonNull(RefLabelImm& imm) {
  if (!pop_ref(imm.type) || !check_depth(imm.depth)) return false;
  std::span<const ValType> types = frame_at(imm.depth).label_types();
  if (types.empty() || !types.back().is_ref())
    return invalid("type mismatch: the label of br_on_non_null takes no reference");
  ValType passed = imm.type.is_bottom() ? imm.type : imm.type.with_nullable(false);
  if (!module_.is_subtype(passed, types.back())) return type_mismatch(types.back(), passed);
  return check_top(types.first(types.size() - 1));
}

bool FunctionValidator::check_Drop(OperandImm& imm) { return pop_any(imm.type); }

bool FunctionValidator::check_Select(OperandImm& imm) {
  ValType first, second;
  if (!pop(ValType::i32()) || !pop_any(second) || !pop_any(first)) return false;
  auto plain = [](ValType type) { return type.is_number() || type.is_vector() || type.is_bottom(); };
  if (!plain(first) || !plain(second))
    return invalid("type mismatch: select without a type takes numbers and vectors only");
  if (first != second && !first.is_bottom() && !second.is_bottom()) return type_mismatch(first, second);
  imm.type = first.is_bottom() ? second : first;
  push(imm.type);
  return true;
}

bool FunctionValidator::check_Select(SelectTypeImm& imm) {
  if (!pop(ValType::i32()) || !pop(imm.type) || !pop(imm.type)) return false;
  push(imm.type);
  return true;
}

bool FunctionValidator::check_LocalGet(LocalImm& imm) {
  if (!initialised_.empty() && !initialised_[imm.local.value])
    return invalid(fmt::format("uninitialized local {}", imm.local.value));
  push(imm.type);
  return true;
}
bool FunctionValidator::check_LocalSet(LocalImm& imm) {
  mark_initialised(imm.local.value);
  return pop(imm.type);
}
bool FunctionValidator::check_LocalTee(LocalImm& imm) {
  mark_initialised(imm.local.value);
  if (!pop(imm.type)) return false;
  push(imm.type);
  return true;
}
bool FunctionValidator::check_GlobalGet(GlobalImm& imm) {
  push(imm.type);
  return true;
}
bool FunctionValidator::check_GlobalSet(GlobalImm& imm) {
  if (!module_.globals[imm.global.value].type.is_mutable)
    return invalid(fmt::format("global {} is immutable", imm.global.value));
  return pop(imm.type);
}

bool FunctionValidator::check_AdapterTrap(TrapImm&) {
  set_unreachable();
  return true;
}

} // namespace cusp::wasm
