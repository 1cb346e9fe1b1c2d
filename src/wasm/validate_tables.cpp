// Tables, references and segments.
#include <fmt/format.h>

#include "wasm/function_validator.h"

namespace cusp::wasm {

bool FunctionValidator::check_TableGet(TableImm& imm) {
  const TableType& table = module_.tables[imm.table.value].type;
  if (!pop(table.address_type())) return false;
  push(table.element);
  return true;
}
bool FunctionValidator::check_TableSet(TableImm& imm) {
  const TableType& table = module_.tables[imm.table.value].type;
  return pop(table.element) && pop(table.address_type());
}
bool FunctionValidator::check_TableInit(TableInitImm& imm) {
  const TableType& table = module_.tables[imm.table.value].type;
  const ElemSegment& segment = module_.elems[imm.elem.value];
  if (!module_.is_subtype(segment.type, table.element)) return type_mismatch(table.element, segment.type);
  return pop(ValType::i32()) && pop(ValType::i32()) && pop(table.address_type());
}
bool FunctionValidator::check_ElemDrop(ElemImm&) { return true; }
bool FunctionValidator::check_TableCopy(TableCopyImm& imm) {
  const TableType& to = module_.tables[imm.to.value].type;
  const TableType& from = module_.tables[imm.from.value].type;
  if (!module_.is_subtype(from.element, to.element)) return type_mismatch(to.element, from.element);
  ValType count = to.table64 && from.table64 ? ValType::i64() : ValType::i32();
  return pop(count) && pop(from.address_type()) && pop(to.address_type());
}
bool FunctionValidator::check_TableGrow(TableImm& imm) {
  const TableType& table = module_.tables[imm.table.value].type;
  if (!pop(table.address_type()) || !pop(table.element)) return false;
  push(table.address_type());
  return true;
}
bool FunctionValidator::check_TableSize(TableImm& imm) {
  push(module_.tables[imm.table.value].type.address_type());
  return true;
}
bool FunctionValidator::check_TableFill(TableImm& imm) {
  const TableType& table = module_.tables[imm.table.value].type;
  return pop(table.address_type()) && pop(table.element) && pop(table.address_type());
}

bool FunctionValidator::check_RefNull(HeapTypeImm& imm) {
  push(imm.type);
  return true;
}
bool FunctionValidator::check_RefIsNull(OperandImm& imm) {
  if (!pop_ref(imm.type)) return false;
  push(ValType::i32());
  return true;
}
bool FunctionValidator::check_RefFunc(FuncImm& imm) {
  // A constant expression declares what it names.
  if (!constant_ && !module_.declared_funcs[imm.func.value])
    return invalid(fmt::format("undeclared function reference {}", imm.func.value));
  push(module_.features.has(Feature::FunctionReferences)
           ? ValType::ref(false, HeapType(module_.functions[imm.func.value].type))
           : ValType::funcref());
  return true;
}
bool FunctionValidator::check_RefAsNonNull(OperandImm& imm) {
  if (!pop_ref(imm.type)) return false;
  push(imm.type.is_bottom() ? imm.type : imm.type.with_nullable(false));
  return true;
}

bool FunctionValidator::check_MemoryInit(MemoryInitImm& imm) {
  return pop(ValType::i32()) && pop(ValType::i32()) && pop(module_.memories[imm.memory.value].address_type());
}
bool FunctionValidator::check_DataDrop(DataImm&) { return true; }
bool FunctionValidator::check_MemoryCopy(MemoryCopyImm& imm) {
  const MemoryType& to = module_.memories[imm.to.value];
  const MemoryType& from = module_.memories[imm.from.value];
  ValType count = to.memory64 && from.memory64 ? ValType::i64() : ValType::i32();
  return pop(count) && pop(from.address_type()) && pop(to.address_type());
}

} // namespace cusp::wasm
