// A component-level value whose type is known at run time only: for `cusp wast`, --invoke and embedders. Never on a hot
// path. Spec: CanonicalABI.md; the text form is WAVE (wave.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "canon/resource.h"
#include "component/types.h"

namespace cusp::canon {

using base::Result;
using component::TypeKind;
class SharedEnd;

// One flat struct: `kind` says which members count.
//   Bool, U8…U64, S8…S64 (sign-extended), F32, F64 (their bits), Char: bits
//   String: text    Enum: text is the label    Flags: labels are those that are set
//   List, FixedList, Tuple: items    Map: items are tuples of two
//   Record: labels and items, one each per field
//   Variant: text is the case, items its payload (none or one)
//   Option: items (none or one)     Result: ok says which, items its payload (none or one)
//   Own, Borrow: bits is the rep, resource its type
//   Stream, Future: end is the readable end; giving it to a guest leaves it empty. ErrorContext: text is its message
struct Value {
  TypeKind kind = TypeKind::Bool;
  bool ok = true;
  std::uint64_t bits = 0;
  std::string text;
  std::vector<Value> items;
  std::vector<std::string> labels;
  const ResourceType* resource = nullptr;
  std::shared_ptr<SharedEnd> end;

  static Value boolean(bool value) { return number(TypeKind::Bool, value); }
  static Value u8(std::uint8_t v) { return number(TypeKind::U8, v); }
  static Value u16(std::uint16_t v) { return number(TypeKind::U16, v); }
  static Value u32(std::uint32_t v) { return number(TypeKind::U32, v); }
  static Value u64(std::uint64_t v) { return number(TypeKind::U64, v); }
  static Value s8(std::int8_t v) { return number(TypeKind::S8, static_cast<std::uint64_t>(std::int64_t{v})); }
  static Value s16(std::int16_t v) { return number(TypeKind::S16, static_cast<std::uint64_t>(std::int64_t{v})); }
  static Value s32(std::int32_t v) { return number(TypeKind::S32, static_cast<std::uint64_t>(std::int64_t{v})); }
  static Value s64(std::int64_t v) { return number(TypeKind::S64, static_cast<std::uint64_t>(v)); }
  static Value f32_bits(std::uint32_t bits) { return number(TypeKind::F32, bits); }
  static Value f64_bits(std::uint64_t bits) { return number(TypeKind::F64, bits); }
  static Value f32(float value);
  static Value f64(double value);
  static Value character(char32_t v) { return number(TypeKind::Char, v); }
  static Value string(std::string_view text);
  static Value list(std::vector<Value> items);
  static Value tuple(std::vector<Value> items);
  static Value record(std::vector<std::pair<std::string, Value>> fields);
  static Value variant(std::string_view which, std::optional<Value> payload = {});
  static Value enumeration(std::string_view label);
  static Value option(std::optional<Value> payload = {});
  static Value result_ok(std::optional<Value> payload = {});
  static Value result_err(std::optional<Value> payload = {});
  static Value flags(std::vector<std::string> set);
  static Value own(const ResourceType* type, std::uint64_t rep);
  static Value borrow(const ResourceType* type, std::uint64_t rep);
  static Value number(TypeKind kind, std::uint64_t bits) {
    Value value;
    value.kind = kind, value.bits = bits;
    return value;
  }

  float as_f32() const;
  double as_f64() const;

  // Flags compare as sets; a List equals a FixedList or Map with the same items; floats by their bits, but any NaN
  // equals any NaN.
  bool operator==(const Value& other) const;
};

// Does the value have the structure of the type? Error: InvalidArgument that says where and what was expected. A List
// is taken where a FixedList (of the same length) or Map is asked for. What comes back is the same value with fields
// and flags in the order of the type.
Result<Value> conform(Value value, const component::TypeTable& types, component::ValType type);

} // namespace cusp::canon
