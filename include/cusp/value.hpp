// Values whose type is known at run time only: for plug-in systems that read interfaces from configuration, tools, tests. Typed calls
// (component.hpp) never make any.
// Thread-safety: values. One that holds a handle belongs to the thread of the instance that the handle is of.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cusp/type_info.hpp"

namespace cusp {

namespace detail {
struct DynamicResource; // the library's
} // namespace detail

/// A resource type of the host's whose objects are numbers (Interface::dynamic_resource).
class ResourceType {
public:
  ResourceType() = default;

private:
  friend struct detail::ResourceAccess;
  std::shared_ptr<const detail::DynamicResource> type_;
};

/// One interface value; `kind` says which members count:
///   Bool, U8…U64, S8…S64 (sign-extended), F32, F64 (their bits), Char     bits
///   String                     text
///   Enum                       text: the label
///   Flags                      labels: those that are set
///   List, FixedList, Tuple     items
///   Map                        items: tuples of two
///   Record                     labels and items, one each per field
///   Variant                    text: the case; items: its payload, none or one
///   Option                     items: none or one
///   Result                     ok says which; items: its payload, none or one
///   Own, Borrow                handle (a guest's), or bits and type (the host's)
/// Streams, futures and error contexts cannot be given or taken this way.
struct Value {
  TypeKind kind = TypeKind::Bool;
  bool ok = true;
  std::uint64_t bits = 0;
  std::string text;
  std::vector<Value> items;
  std::vector<std::string> labels;
  ResourceType type;
  /// Shared by the copies of the value; giving it to a guest as `own` leaves all of them empty.
  std::shared_ptr<Resource> handle;

  static Value boolean(bool v) { return number(TypeKind::Bool, v); }
  static Value u8(std::uint8_t v) { return number(TypeKind::U8, v); }
  static Value u16(std::uint16_t v) { return number(TypeKind::U16, v); }
  static Value u32(std::uint32_t v) { return number(TypeKind::U32, v); }
  static Value u64(std::uint64_t v) { return number(TypeKind::U64, v); }
  static Value s8(std::int8_t v) { return number(TypeKind::S8, static_cast<std::uint64_t>(std::int64_t{v})); }
  static Value s16(std::int16_t v) { return number(TypeKind::S16, static_cast<std::uint64_t>(std::int64_t{v})); }
  static Value s32(std::int32_t v) { return number(TypeKind::S32, static_cast<std::uint64_t>(std::int64_t{v})); }
  static Value s64(std::int64_t v) { return number(TypeKind::S64, static_cast<std::uint64_t>(v)); }
  static Value f32(float v) { return number(TypeKind::F32, std::bit_cast<std::uint32_t>(v)); }
  static Value f64(double v) { return number(TypeKind::F64, std::bit_cast<std::uint64_t>(v)); }
  static Value character(char32_t v) { return number(TypeKind::Char, v); }
  static Value string(std::string_view text) { return labelled(TypeKind::String, text); }
  static Value list(std::vector<Value> items) { return with_items(TypeKind::List, std::move(items)); }
  static Value tuple(std::vector<Value> items) { return with_items(TypeKind::Tuple, std::move(items)); }
  static Value record(std::vector<std::pair<std::string, Value>> fields) {
    Value value = with_items(TypeKind::Record, {});
    for (auto& [name, field] : fields) value.labels.push_back(std::move(name)), value.items.push_back(std::move(field));
    return value;
  }
  static Value variant(std::string_view which, std::optional<Value> payload = {}) {
    Value value = with_payload(TypeKind::Variant, std::move(payload));
    value.text = which;
    return value;
  }
  static Value enumeration(std::string_view label) { return labelled(TypeKind::Enum, label); }
  static Value option(std::optional<Value> payload = {}) { return with_payload(TypeKind::Option, std::move(payload)); }
  static Value result_ok(std::optional<Value> payload = {}) {
    return with_payload(TypeKind::Result, std::move(payload));
  }
  static Value result_err(std::optional<Value> payload = {}) {
    Value value = with_payload(TypeKind::Result, std::move(payload));
    value.ok = false;
    return value;
  }
  static Value flags(std::vector<std::string> set) {
    Value value = with_items(TypeKind::Flags, {});
    value.labels = std::move(set);
    return value;
  }
  /// An object of the host's, handed over, or lent for one call.
  static Value own(const ResourceType& type, std::uint64_t object) { return of_host(TypeKind::Own, type, object); }
  static Value borrow(const ResourceType& type, std::uint64_t object) {
    return of_host(TypeKind::Borrow, type, object);
  }
  /// A guest's resource, given back, or lent for one call.
  static Value own(std::shared_ptr<Resource> handle) { return of_guest(TypeKind::Own, std::move(handle)); }
  static Value borrow(std::shared_ptr<Resource> handle) { return of_guest(TypeKind::Borrow, std::move(handle)); }

  float as_f32() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits)); }
  double as_f64() const { return std::bit_cast<double>(bits); }
  /// The field of a record; null when there is none of that name.
  const Value* field(std::string_view name) const;

  /// In WAVE, the text form of WIT values: `{name: "a", sizes: [1, 2]}`.
  std::string to_string() const;
  /// Flags compare as sets, floats by their bits, but any NaN equals any NaN.
  bool operator==(const Value& other) const;

private:
  static Value number(TypeKind kind, std::uint64_t bits) {
    Value value = with_items(kind, {});
    value.bits = bits;
    return value;
  }
  static Value labelled(TypeKind kind, std::string_view text) {
    Value value = with_items(kind, {});
    value.text = text;
    return value;
  }
  static Value with_items(TypeKind kind, std::vector<Value> items) {
    Value value;
    value.kind = kind;
    value.items = std::move(items);
    return value;
  }
  static Value with_payload(TypeKind kind, std::optional<Value> payload) {
    Value value = with_items(kind, {});
    if (payload) value.items.push_back(std::move(*payload));
    return value;
  }
  static Value of_host(TypeKind kind, const ResourceType& type, std::uint64_t object) {
    Value value = number(kind, object);
    value.type = type;
    return value;
  }
  static Value of_guest(TypeKind kind, std::shared_ptr<Resource> handle) {
    Value value = with_items(kind, {});
    value.handle = std::move(handle);
    return value;
  }
};

} // namespace cusp
