#include "component/validation.h"

#include "wasm/cursor.h"

namespace cusp::component {

using base::ErrorCode;
using base::Result;

namespace {

// Reads one value of a type, as a value definition holds it. Spec: Binary.md, "Value Definitions".
class ValueReader {
public:
  ValueReader(wasm::Cursor& in, const typing::Types& types) : in_(in), types_(types) {}

  void read(TypeRef type) {
    if (!in_.ok()) return;
    const TypeKind kind = types_.kind_of(type);
    if (kind >= TypeKind::List && kind <= TypeKind::Map) return read_defined(types_.defined(type));
    switch (kind) {
    case TypeKind::Bool: check(in_.u8() <= 1, "a bool is neither 0 nor 1"); break;
    case TypeKind::S8:
    case TypeKind::U8: in_.u8(); break;
    case TypeKind::S16: in_range(in_.s32(), -0x8000, 0x7fff); break;
    case TypeKind::U16: in_range(in_.u32(), 0, 0xffff); break;
    case TypeKind::S32: in_.s32(); break;
    case TypeKind::U32: in_.u32(); break;
    case TypeKind::S64: in_.s64(); break;
    case TypeKind::U64: in_.u64(); break;
    case TypeKind::F32: {
      std::uint32_t bits = in_.fixed32();
      check((bits & 0x7fffffff) <= 0x7f800000 || bits == 0x7fc00000, "a NaN is not the canonical one");
      break;
    }
    case TypeKind::F64: {
      std::uint64_t bits = in_.fixed64();
      check((bits & ~(std::uint64_t{1} << 63)) <= std::uint64_t{0x7ff} << 52 || bits == std::uint64_t{0xfff} << 51,
            "a NaN is not the canonical one");
      break;
    }
    case TypeKind::Char: read_char(); break;
    case TypeKind::String: in_.name(); break;
    default: check(false, fmt::format("there are no values of type `{}`", typing::type_kind_name(kind)));
    }
  }

private:
  void check(bool condition, std::string message) {
    if (!condition) in_.fail(ErrorCode::Malformed, std::move(message));
  }
  void in_range(std::int64_t value, std::int64_t low, std::int64_t high) {
    check(value >= low && value <= high, "an integer is out of range");
  }

  void read_char() {
    std::uint8_t first = in_.peek();
    std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    auto bytes = in_.bytes(size);
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    check(wasm::is_utf8(text), "a char is not one Unicode scalar value");
  }

  void read_defined(const typing::DefinedType& type) {
    switch (type.kind) {
    case TypeKind::List:
    case TypeKind::Map:
      for (std::uint32_t n = in_.u32(); n != 0 && in_.ok(); --n) {
        read(*type.element);
        if (type.error) read(*type.error);
      }
      break;
    case TypeKind::FixedList:
      for (std::uint32_t n = type.length; n != 0 && in_.ok(); --n) read(*type.element);
      break;
    case TypeKind::Record:
    case TypeKind::Tuple:
      for (const auto& label : type.labels) read(*label.type);
      break;
    case TypeKind::Enum:
    case TypeKind::Variant: {
      std::uint32_t which = in_.u32();
      check(which < type.labels.size(), "a case is not one of its type");
      if (in_.ok() && type.labels[which].type) read(*type.labels[which].type);
      break;
    }
    case TypeKind::Flags: in_.bytes((type.labels.size() + 7) / 8); break;
    case TypeKind::Option:
    case TypeKind::Result: {
      std::uint8_t which = in_.u8();
      check(which <= 1, "a case is not one of its type");
      const auto& ok = type.kind == TypeKind::Option ? type.error : type.element; // an option's first case is empty
      const auto& second = type.kind == TypeKind::Option ? type.element : type.error;
      if (const auto& payload = which == 0 ? ok : second) read(*payload);
      break;
    }
    default: break;
    }
  }

  wasm::Cursor& in_;
  const typing::Types& types_;
};

} // namespace

Result<void> Validation::define(const ast::Value& value, const ast::Definition&) {
  CUSP_TRY(need(Feature::Values));
  TypeRef type = CUSP_TRY(value_type(value.type));
  wasm::Cursor in(value.bytes, value.offset);
  ValueReader(in, types_).read(type);
  if (in.ok() && !in.at_end()) in.fail(ErrorCode::Malformed, "a value is longer than its type");
  if (!in.ok()) {
    base::Error error = in.take_error();
    offset_ = *error.byte_offset;
    return placed(std::move(error));
  }
  scope_->values.push_back({type, false});
  return {};
}

Result<void> Validation::define(const ast::Start& start, const ast::Definition&) {
  CUSP_TRY(need(Feature::Values));
  if (scope_->has_start) return invalid("component cannot have more than one start function");
  const typing::FuncType& func = types_.func(CUSP_TRY(at(scope_->funcs, start.func, "function")));
  if (func.params.size() != start.arguments.size())
    return invalid(fmt::format("component start function requires {} arguments but was given {}", func.params.size(),
                               start.arguments.size()));
  if (start.results != (func.result ? 1u : 0u))
    return invalid(
        fmt::format("component start function has a result count of {} but the function type has a result count of {}",
                    start.results, func.result ? 1 : 0));
  for (std::size_t i = 0; i < start.arguments.size(); ++i) {
    TypeRef given = CUSP_TRY(value_at(start.arguments[i]));
    if (auto matched = typing::Subtyping(types_).value(given, func.params[i].second); !matched)
      return placed(std::move(matched).error(),
                    fmt::format("value type mismatch for component start function argument {}", i));
  }
  if (func.result) scope_->values.push_back({*func.result, false});
  scope_->has_start = true;
  return {};
}

} // namespace cusp::component
