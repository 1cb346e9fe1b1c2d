#include "wasm/const_expr.h"

#include <cstring>

namespace cusp::wasm {

using base::ErrorCode;

bool ConstExprReader::read(Cursor& cursor, ValType expected, ConstExpr& expr) {
  type_.results.assign(1, expected);
  validator_.begin_constant(cursor, type_);
  while (!validator_.done()) {
    if (!validator_.step() || (!validator_.done() && !note(expr))) break;
  }
  cursor = validator_.cursor_;
  module_.features_used.merge(validator_.features_used());
  return cursor.ok();
}

bool ConstExprReader::note_global(std::uint32_t index) {
  const bool seen = index < module_.imported_globals || module_.features.has(Feature::ExtendedConst) ||
                    module_.features.has(Feature::Gc);
  if (!seen) return validator_.invalid("unknown global: a constant expression names imported ones only");
  return !module_.globals[index].type.is_mutable ||
         validator_.invalid("constant expression required: the global is mutable");
}

// Adds the operator that the validator just read, or refuses it.
bool ConstExprReader::note(ConstExpr& expr) {
  ConstOp op;
  op.op = validator_.op();
  switch (op.op) {
  case Op::I32Const: op.low = validator_.immediate<I32Imm>().bits; break;
  case Op::I64Const: op.low = validator_.immediate<I64Imm>().bits; break;
  case Op::F32Const: op.low = validator_.immediate<F32Imm>().bits; break;
  case Op::F64Const: op.low = validator_.immediate<F64Imm>().bits; break;
  case Op::V128Const:
    std::memcpy(&op.low, validator_.immediate<V128Imm>().bytes.data(), 8);
    std::memcpy(&op.high, validator_.immediate<V128Imm>().bytes.data() + 8, 8);
    break;
  case Op::GlobalGet:
    op.index = validator_.immediate<GlobalImm>().global.value;
    if (!note_global(op.index)) return false;
    break;
  case Op::RefNull: op.type = validator_.immediate<HeapTypeImm>().type; break;
  case Op::RefFunc:
    op.index = validator_.immediate<FuncImm>().func.value;
    module_.declare_func(FuncIndex(op.index));
    break;
  case Op::I32Add:
  case Op::I32Sub:
  case Op::I32Mul:
  case Op::I64Add:
  case Op::I64Sub:
  case Op::I64Mul:
    if (!module_.features.has(Feature::ExtendedConst)) return validator_.unsupported(Feature::ExtendedConst);
    module_.features_used.add(Feature::ExtendedConst);
    break;
  case Op::StructNew:
  case Op::StructNewDefault:
  case Op::ArrayNew:
  case Op::ArrayNewDefault: op.index = validator_.immediate<TypeImm>().type.value; break;
  case Op::ArrayNewFixed:
    op.index = validator_.immediate<ArrayFixedImm>().type.value;
    op.low = validator_.immediate<ArrayFixedImm>().count;
    break;
  case Op::RefI31:
  case Op::AnyConvertExtern:
  case Op::ExternConvertAny: break;
  default: return validator_.invalid("constant expression required");
  }
  expr.push_back(op);
  return true;
}

} // namespace cusp::wasm
