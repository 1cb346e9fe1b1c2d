// Structures, arrays, i31, casts and conversions between the hierarchies of references. Spec: 3.4.8 - 3.4.12.
#include <fmt/format.h>

#include "wasm/function_validator.h"
#include "wasm/limits.h"

namespace cusp::wasm {

using base::ErrorCode;

namespace {

bool is_reference(const FieldType& field) { return field.type.is_ref(); }

// Storage of one field may be copied to another's.
bool storage_matches(const Module& module, const FieldType& from, const FieldType& to) {
  return from.packed == to.packed && module.is_subtype(from.type, to.type);
}

// What is left of `from` when a cast to `to` has failed.
ValType difference(ValType from, ValType to) { return to.is_nullable() ? from.with_nullable(false) : from; }

} // namespace

const StructType* FunctionValidator::struct_type(TypeIndex type) {
  const StructType* structure = module_.find_struct_type(type);
  if (!structure) invalid(fmt::format("type mismatch: type {} is not a structure type", type.value));
  return structure;
}

const ArrayType* FunctionValidator::array_type(TypeIndex type) {
  const ArrayType* array = module_.find_array_type(type);
  if (!array) invalid(fmt::format("type mismatch: type {} is not an array type", type.value));
  return array;
}

const ArrayType* FunctionValidator::mutable_array(TypeIndex type) {
  const ArrayType* array = array_type(type);
  if (!array || array->element.is_mutable) return array;
  invalid(fmt::format("immutable array: the elements of type {} cannot be set", type.value));
  return nullptr;
}

bool FunctionValidator::pop_object(TypeIndex type, bool& nullable) {
  ValType actual;
  if (!pop_ref(actual)) return false;
  const ValType expected = ValType::ref(true, HeapType(type));
  if (!module_.is_subtype(actual, expected)) return type_mismatch(expected, actual);
  nullable = actual.is_bottom() || actual.is_nullable();
  return true;
}

// ---- structures ----

bool FunctionValidator::check_StructNew(TypeImm& imm) {
  const StructType* type = struct_type(imm.type);
  if (!type) return false;
  for (std::size_t i = type->fields.size(); i-- != 0;)
    if (!pop(type->fields[i].type)) return false;
  push(ValType::ref(false, HeapType(imm.type)));
  return true;
}

bool FunctionValidator::check_StructNewDefault(TypeImm& imm) {
  const StructType* type = struct_type(imm.type);
  if (!type) return false;
  for (const FieldType& field : type->fields)
    if (!field.type.is_defaultable())
      return invalid(fmt::format("type mismatch: a field of type {} has no default value", imm.type.value));
  push(ValType::ref(false, HeapType(imm.type)));
  return true;
}

bool FunctionValidator::check_StructGet(FieldImm& imm) {
  const StructType* type = struct_type(imm.type);
  if (!type) return false;
  if (imm.field >= type->fields.size()) return invalid(fmt::format("unknown field {}", imm.field));
  const FieldType& field = type->fields[imm.field];
  if ((field.packed == Packed::No) != (op_ == Op::StructGet))
    return invalid("type mismatch: a packed field is read by struct.get_s or struct.get_u, any other by struct.get");
  if (!pop_object(imm.type, imm.nullable)) return false;
  push(field.type);
  return true;
}

bool FunctionValidator::check_StructSet(FieldImm& imm) {
  const StructType* type = struct_type(imm.type);
  if (!type) return false;
  if (imm.field >= type->fields.size()) return invalid(fmt::format("unknown field {}", imm.field));
  const FieldType& field = type->fields[imm.field];
  if (!field.is_mutable) return invalid(fmt::format("immutable field {}", imm.field));
  return pop(field.type) && pop_object(imm.type, imm.nullable);
}

// ---- arrays ----

bool FunctionValidator::check_ArrayNew(TypeImm& imm) {
  const ArrayType* type = array_type(imm.type);
  if (!type || !pop(ValType::i32()) || !pop(type->element.type)) return false;
  push(ValType::ref(false, HeapType(imm.type)));
  return true;
}

bool FunctionValidator::check_ArrayNewDefault(TypeImm& imm) {
  const ArrayType* type = array_type(imm.type);
  if (!type) return false;
  if (!type->element.type.is_defaultable())
    return invalid(fmt::format("type mismatch: the elements of type {} have no default value", imm.type.value));
  if (!pop(ValType::i32())) return false;
  push(ValType::ref(false, HeapType(imm.type)));
  return true;
}

bool FunctionValidator::check_ArrayNewFixed(ArrayFixedImm& imm) {
  const ArrayType* type = array_type(imm.type);
  if (!type) return false;
  if (imm.count > kMaxArrayNewFixed)
    return cursor_.fail_at(ErrorCode::LimitExceeded, op_offset_,
                           fmt::format("array.new_fixed takes at most {} elements", kMaxArrayNewFixed));
  for (std::uint32_t i = 0; i < imm.count; ++i)
    if (!pop(type->element.type)) return false;
  push(ValType::ref(false, HeapType(imm.type)));
  return true;
}

bool FunctionValidator::check_data_elements(const ArrayType& array) {
  return !is_reference(array.element) || invalid("type mismatch: references cannot be made of data");
}

bool FunctionValidator::check_elem_elements(const ArrayType& array, ElemIndex elem) {
  const ValType given = module_.elems[elem.value].type;
  return module_.is_subtype(given, array.element.type) || type_mismatch(array.element.type, given);
}

bool FunctionValidator::check_ArrayNewData(ArrayDataImm& imm) {
  const ArrayType* type = array_type(imm.type);
  if (!type || !check_data_elements(*type) || !pop(ValType::i32()) || !pop(ValType::i32())) return false;
  push(ValType::ref(false, HeapType(imm.type)));
  return true;
}

bool FunctionValidator::check_ArrayNewElem(ArrayElemImm& imm) {
  const ArrayType* type = array_type(imm.type);
  if (!type || !check_elem_elements(*type, imm.elem) || !pop(ValType::i32()) || !pop(ValType::i32())) return false;
  push(ValType::ref(false, HeapType(imm.type)));
  return true;
}

bool FunctionValidator::check_ArrayGet(TypeImm& imm) {
  const ArrayType* type = array_type(imm.type);
  if (!type) return false;
  if ((type->element.packed == Packed::No) != (op_ == Op::ArrayGet))
    return invalid("type mismatch: packed elements are read by array.get_s or array.get_u, any other by array.get");
  if (!pop(ValType::i32()) || !pop_object(imm.type, imm.nullable)) return false;
  push(type->element.type);
  return true;
}

bool FunctionValidator::check_ArraySet(TypeImm& imm) {
  const ArrayType* type = mutable_array(imm.type);
  return type && pop(type->element.type) && pop(ValType::i32()) && pop_object(imm.type, imm.nullable);
}

bool FunctionValidator::check_ArrayLen(OperandImm& imm) {
  if (!pop_ref(imm.type)) return false;
  const ValType expected = ValType::ref(true, AbstractHeapType::Array);
  if (!module_.is_subtype(imm.type, expected)) return type_mismatch(expected, imm.type);
  push(ValType::i32());
  return true;
}

bool FunctionValidator::check_ArrayFill(TypeImm& imm) {
  const ArrayType* type = mutable_array(imm.type);
  return type && pop(ValType::i32()) && pop(type->element.type) && pop(ValType::i32()) &&
         pop_object(imm.type, imm.nullable);
}

bool FunctionValidator::check_ArrayCopy(ArrayCopyImm& imm) {
  const ArrayType* to = mutable_array(imm.to);
  const ArrayType* from = to ? array_type(imm.from) : nullptr;
  if (!from) return false;
  if (!storage_matches(module_, from->element, to->element))
    return invalid("type mismatch: array types do not match: elements of one cannot be copied to the other");
  bool nullable = false;
  return pop(ValType::i32()) && pop(ValType::i32()) && pop_object(imm.from, nullable) && pop(ValType::i32()) &&
         pop_object(imm.to, nullable);
}

bool FunctionValidator::check_ArrayInitData(ArrayDataImm& imm) {
  const ArrayType* type = mutable_array(imm.type);
  bool nullable = false;
  return type && check_data_elements(*type) && pop(ValType::i32()) && pop(ValType::i32()) && pop(ValType::i32()) &&
         pop_object(imm.type, nullable);
}

bool FunctionValidator::check_ArrayInitElem(ArrayElemImm& imm) {
  const ArrayType* type = mutable_array(imm.type);
  bool nullable = false;
  return type && check_elem_elements(*type, imm.elem) && pop(ValType::i32()) && pop(ValType::i32()) &&
         pop(ValType::i32()) && pop_object(imm.type, nullable);
}

// ---- comparisons, casts and conversions ----

bool FunctionValidator::check_RefEq(NoImm&) {
  const ValType eqref = ValType::ref(true, AbstractHeapType::Eq);
  if (!pop(eqref) || !pop(eqref)) return false;
  push(ValType::i32());
  return true;
}

bool FunctionValidator::check_RefTest(CastImm& imm) {
  if (!pop_ref_of(module_.top_of(imm.to.heap()), imm.from)) return false;
  push(ValType::i32());
  return true;
}
bool FunctionValidator::check_RefTest(CastNullImm& imm) { return check_RefTest(static_cast<CastImm&>(imm)); }

bool FunctionValidator::check_RefCast(CastImm& imm) {
  if (!pop_ref_of(module_.top_of(imm.to.heap()), imm.from)) return false;
  push(imm.to);
  return true;
}
bool FunctionValidator::check_RefCast(CastNullImm& imm) { return check_RefCast(static_cast<CastImm&>(imm)); }

bool FunctionValidator::check_br_on_cast(const BrOnCastImm& imm, ValType taken, ValType kept) {
  if (!module_.is_subtype(imm.to, imm.from)) return type_mismatch(imm.from, imm.to);
  if (!check_depth(imm.depth) || !pop(imm.from)) return false;
  std::span<const ValType> types = frame_at(imm.depth).label_types();
  if (types.empty() || !module_.is_subtype(taken, types.back()))
    return type_mismatch(types.empty() ? ValType() : types.back(), taken);
  if (!check_top(types.first(types.size() - 1))) return false;
  push(kept);
  return true;
}

bool FunctionValidator::check_BrOnCast(BrOnCastImm& imm) {
  return check_br_on_cast(imm, imm.to, difference(imm.from, imm.to));
}
bool FunctionValidator::check_BrOnCastFail(BrOnCastImm& imm) {
  return check_br_on_cast(imm, difference(imm.from, imm.to), imm.to);
}

bool FunctionValidator::check_AnyConvertExtern(NoImm&) {
  ValType actual;
  if (!pop_ref_of(AbstractHeapType::Extern, actual)) return false;
  push(ValType::ref(!actual.is_bottom() && actual.is_nullable(), AbstractHeapType::Any));
  return true;
}

bool FunctionValidator::check_ExternConvertAny(NoImm&) {
  ValType actual;
  if (!pop_ref_of(AbstractHeapType::Any, actual)) return false;
  push(ValType::ref(!actual.is_bottom() && actual.is_nullable(), AbstractHeapType::Extern));
  return true;
}

bool FunctionValidator::check_RefI31(NoImm&) {
  if (!pop(ValType::i32())) return false;
  push(ValType::ref(false, AbstractHeapType::I31));
  return true;
}

bool FunctionValidator::check_I31Get(OperandImm& imm) {
  if (!pop_ref(imm.type)) return false;
  const ValType expected = ValType::ref(true, AbstractHeapType::I31);
  if (!module_.is_subtype(imm.type, expected)) return type_mismatch(expected, imm.type);
  push(ValType::i32());
  return true;
}

} // namespace cusp::wasm
