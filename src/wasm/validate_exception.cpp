// Exceptions (spec 3.4.9), and the operators of the legacy proposal that compilers still emit.
#include <fmt/format.h>

#include "wasm/function_validator.h"

namespace cusp::wasm {

using base::ErrorCode;

bool FunctionValidator::check_Throw(TagImm& imm) {
  if (!pop(module_.func_type(module_.tags[imm.tag.value].type).params)) return false;
  set_unreachable();
  return true;
}

bool FunctionValidator::check_ThrowRef(NoImm&) {
  if (!pop(ValType::exnref())) return false;
  set_unreachable();
  return true;
}

// What a clause passes on: the tag's parameters, then the exception itself.
bool FunctionValidator::check_clause(const CatchClause& clause) {
  if (!check_depth(clause.depth)) return false;
  std::span<const ValType> label = frame_at(clause.depth).label_types();
  const bool has_tag = clause.kind == CatchKind::Catch || clause.kind == CatchKind::CatchRef;
  const bool has_ref = clause.kind == CatchKind::CatchRef || clause.kind == CatchKind::CatchAllRef;
  std::span<const ValType> passed;
  if (has_tag) passed = module_.func_type(module_.tags[clause.tag.value].type).params;
  if (label.size() != passed.size() + (has_ref ? 1 : 0))
    return invalid(fmt::format("type mismatch: a catch clause passes {} values to a label that takes {}",
                               passed.size() + (has_ref ? 1 : 0), label.size()));
  for (std::size_t i = 0; i < passed.size(); ++i)
    if (!module_.is_subtype(passed[i], label[i])) return type_mismatch(label[i], passed[i]);
  const ValType reference = ValType::ref(false, AbstractHeapType::Exn);
  if (has_ref && !module_.is_subtype(reference, label.back())) return type_mismatch(label.back(), reference);
  return true;
}

bool FunctionValidator::check_TryTable(TryTableImm& imm) {
  if (!pop(imm.type.params())) return false;
  for (const CatchClause& clause : imm.catches)
    if (!check_clause(clause)) return false;
  push_frame(FrameKind::TryTable, imm.type);
  return true;
}

// ---- the legacy form ----

bool FunctionValidator::check_Try(BlockImm& imm) {
  if (!pop(imm.type.params())) return false;
  push_frame(FrameKind::Try, imm.type);
  return true;
}

bool FunctionValidator::next_catch(FrameImm& imm, FrameKind kind) {
  const FrameKind before = control_.back().kind;
  if (before != FrameKind::Try && before != FrameKind::Catch)
    return cursor_.fail_at(ErrorCode::Malformed, op_offset_, fmt::format("{} without try", op_text(op_)));
  if (!next_arm(imm, kind)) return false;
  Frame& frame = control_.back();
  operands_.resize(frame.height); // an arm begins with the exception's values, not with the try's parameters
  frame.entered_reachable = imm.frame.entered_reachable;
  frame.unreachable = !imm.frame.entered_reachable;
  return true;
}

bool FunctionValidator::check_Catch(CatchImm& imm) {
  if (!next_catch(imm, FrameKind::Catch)) return false;
  push(module_.func_type(module_.tags[imm.tag.value].type).params);
  return true;
}

bool FunctionValidator::check_CatchAll(FrameImm& imm) { return next_catch(imm, FrameKind::CatchAll); }

bool FunctionValidator::check_Rethrow(LabelImm& imm) {
  if (!check_depth(imm.depth)) return false;
  const FrameKind kind = frame_at(imm.depth).kind;
  if (kind != FrameKind::Catch && kind != FrameKind::CatchAll)
    return invalid(fmt::format("invalid rethrow label {}: it is not a catch", imm.depth));
  set_unreachable();
  return true;
}

bool FunctionValidator::check_Delegate(DelegateImm& imm) {
  if (control_.back().kind != FrameKind::Try)
    return cursor_.fail_at(ErrorCode::Malformed, op_offset_, "delegate without try");
  if (!pop_frame(imm) || !check_depth(imm.depth)) return false;
  push(imm.frame.type.results());
  return true;
}

} // namespace cusp::wasm
