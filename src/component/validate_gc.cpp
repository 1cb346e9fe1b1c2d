// The canonical ABI over GC types: every value travels as a core value or a reference of the type that `core-type` (or the lifted function)
// states, and is checked against it. A proposal; nothing here runs it yet.
#include "component/validation.h"

namespace cusp::component {

using base::Result;
using wasm::Packed;
using wasm::TypeIndex;

namespace {

struct Expected {
  wasm::ValType type;
  Packed packed = Packed::No; // inside a structure or array
};

// What a type that travels as a number travels as.
std::optional<Expected> number_of(TypeKind kind) {
  switch (kind) {
  case TypeKind::Bool:
  case TypeKind::S8:
  case TypeKind::U8: return Expected{wasm::ValType::i32(), Packed::I8};
  case TypeKind::S16:
  case TypeKind::U16: return Expected{wasm::ValType::i32(), Packed::I16};
  case TypeKind::S32:
  case TypeKind::U32:
  case TypeKind::Char:
  case TypeKind::Flags:
  case TypeKind::Enum: return Expected{wasm::ValType::i32()};
  case TypeKind::S64:
  case TypeKind::U64: return Expected{wasm::ValType::i64()};
  case TypeKind::F32: return Expected{wasm::ValType::f32()};
  case TypeKind::F64: return Expected{wasm::ValType::f64()};
  default: return std::nullopt;
  }
}

std::string to_string(const wasm::FieldType& field) {
  return field.packed == Packed::No ? field.type.to_string() : field.packed == Packed::I8 ? "i8" : "i16";
}

} // namespace

Result<TypeIndex> Validation::gc_core_type(const typing::FuncType& func, const Options& options) const {
  const wasm::FuncType& core = *types_.core.func(*options.core_type);
  if (core.params.size() != func.params.size())
    return invalid(fmt::format("declared `core-type` has {} parameters, but component function has {} parameters",
                               core.params.size(), func.params.size()));
  for (std::size_t i = 0; i < core.params.size(); ++i)
    CUSP_TRY(check_gc(func.params[i].second, options, {core.params[i]}, false));
  if (core.results.size() != (func.result ? 1u : 0u))
    return invalid(fmt::format("declared `core-type` has {} results, but component function has {} results",
                               core.results.size(), func.result ? 1 : 0));
  if (func.result) CUSP_TRY(check_gc(*func.result, options, {core.results[0]}, false));
  return *options.core_type;
}

Result<void> Validation::check_gc(TypeRef type, const Options& options, const wasm::FieldType& core,
                                  bool in_memory) const {
  const TypeKind kind = types_.kind_of(type);
  auto mismatch = [&](std::string_view expected) {
    return invalid(fmt::format("expected to lower component `{}` type to core `{}` type, but found `{}`",
                               typing::type_kind_name(kind), expected, to_string(core)));
  };
  if (auto number = number_of(kind)) {
    Packed packed = in_memory ? number->packed : Packed::No;
    if (core.packed == packed && core.type == number->type) return {};
    return mismatch(to_string({number->type, packed, false}));
  }
  bool is_ref = core.packed == Packed::No && core.type.is_ref();
  const wasm::SubType* target =
      is_ref && core.type.heap().is_concrete() ? &types_.core.at(core.type.heap().index()) : nullptr;
  const auto* array = target ? std::get_if<wasm::ArrayType>(&target->composite) : nullptr;
  const auto* structure = target ? std::get_if<wasm::StructType>(&target->composite) : nullptr;
  switch (kind) {
  case TypeKind::String: {
    Packed unit = options.encoding == StringEncoding::Utf16 ? Packed::I16 : Packed::I8;
    if (array && array->element.packed == unit) return {};
    return mismatch(unit == Packed::I8 ? "(ref null? (array (mut? i8)))" : "(ref null? (array (mut? i16)))");
  }
  case TypeKind::List:
  case TypeKind::FixedList:
    if (!array) return mismatch("(ref null? (array ...))");
    return check_gc(*types_.defined(type).element, options, array->element, true);
  case TypeKind::Record:
  case TypeKind::Tuple: {
    if (!structure) return mismatch("(ref null? (struct ...))");
    const auto& fields = types_.defined(type).labels;
    if (structure->fields.size() != fields.size())
      return invalid(fmt::format("core `struct` has {} fields, but component `{}` has {} fields",
                                 structure->fields.size(), typing::type_kind_name(kind), fields.size()));
    for (std::size_t i = 0; i < fields.size(); ++i)
      CUSP_TRY(check_gc(*fields[i].type, options, structure->fields[i], true));
    return {};
  }
  case TypeKind::Variant:
  case TypeKind::Option:
  case TypeKind::Result:
    if (structure && structure->fields.empty()) return {};
    return mismatch("(ref null? (struct))");
  case TypeKind::Map: return invalid("GC lowering for component `map` type is not defined");
  default: break;
  }
  bool is_extern =
      is_ref && !core.type.heap().is_concrete() && core.type.heap().abstract() == wasm::AbstractHeapType::Extern;
  if (is_extern) return {};
  return mismatch("(ref null? extern)");
}

} // namespace cusp::component
