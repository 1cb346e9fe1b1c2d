#include "canon/value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <fmt/format.h>

#include "canon/describe.h"
#include "canon/strings.h"

namespace cusp::canon {

using base::ErrorCode;
using component::TypeDef;
using component::TypeTable;
using component::ValType;

namespace {
Value of_kind(TypeKind kind) {
  Value value;
  value.kind = kind;
  return value;
}
Value with_payload(TypeKind kind, std::optional<Value> payload) {
  Value value = of_kind(kind);
  if (payload) value.items.push_back(std::move(*payload));
  return value;
}
} // namespace

Value Value::f32(float value) { return number(TypeKind::F32, std::bit_cast<std::uint32_t>(value)); }
Value Value::f64(double value) { return number(TypeKind::F64, std::bit_cast<std::uint64_t>(value)); }
float Value::as_f32() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits)); }
double Value::as_f64() const { return std::bit_cast<double>(bits); }

Value Value::string(std::string_view text) {
  Value value = of_kind(TypeKind::String);
  value.text = text;
  return value;
}
Value Value::list(std::vector<Value> items) {
  Value value = of_kind(TypeKind::List);
  value.items = std::move(items);
  return value;
}
Value Value::tuple(std::vector<Value> items) {
  Value value = of_kind(TypeKind::Tuple);
  value.items = std::move(items);
  return value;
}
Value Value::record(std::vector<std::pair<std::string, Value>> fields) {
  Value value = of_kind(TypeKind::Record);
  for (auto& [name, field] : fields) value.labels.push_back(std::move(name)), value.items.push_back(std::move(field));
  return value;
}
Value Value::variant(std::string_view which, std::optional<Value> payload) {
  Value value = with_payload(TypeKind::Variant, std::move(payload));
  value.text = which;
  return value;
}
Value Value::enumeration(std::string_view label) {
  Value value = of_kind(TypeKind::Enum);
  value.text = label;
  return value;
}
Value Value::option(std::optional<Value> payload) { return with_payload(TypeKind::Option, std::move(payload)); }
Value Value::result_ok(std::optional<Value> payload) { return with_payload(TypeKind::Result, std::move(payload)); }
Value Value::result_err(std::optional<Value> payload) {
  Value value = with_payload(TypeKind::Result, std::move(payload));
  value.ok = false;
  return value;
}
Value Value::flags(std::vector<std::string> set) {
  Value value = of_kind(TypeKind::Flags);
  value.labels = std::move(set);
  return value;
}
Value Value::own(const ResourceType* type, std::uint64_t rep) {
  Value value = number(TypeKind::Own, rep);
  value.resource = type;
  return value;
}
Value Value::borrow(const ResourceType* type, std::uint64_t rep) {
  Value value = own(type, rep);
  value.kind = TypeKind::Borrow;
  return value;
}

bool Value::operator==(const Value& other) const {
  auto is_list = [](TypeKind k) { return k == TypeKind::List || k == TypeKind::FixedList || k == TypeKind::Map; };
  if (kind != other.kind && !(is_list(kind) && is_list(other.kind))) return false;
  switch (kind) {
  case TypeKind::F32: return bits == other.bits || (std::isnan(as_f32()) && std::isnan(other.as_f32()));
  case TypeKind::F64: return bits == other.bits || (std::isnan(as_f64()) && std::isnan(other.as_f64()));
  case TypeKind::String:
  case TypeKind::Enum: return text == other.text;
  case TypeKind::Variant: return text == other.text && items == other.items;
  case TypeKind::Record: return labels == other.labels && items == other.items;
  case TypeKind::Result: return ok == other.ok && items == other.items;
  case TypeKind::Flags: {
    auto mine = labels, theirs = other.labels;
    std::sort(mine.begin(), mine.end()), std::sort(theirs.begin(), theirs.end());
    return mine == theirs;
  }
  case TypeKind::Own:
  case TypeKind::Borrow: return bits == other.bits && resource == other.resource;
  case TypeKind::Stream:
  case TypeKind::Future: return end == other.end;
  default: return bits == other.bits && items == other.items;
  }
}

namespace {

std::string_view kind_name(TypeKind kind) {
  constexpr std::string_view kNames[] = {"a bool",
                                         "an s8",
                                         "a u8",
                                         "an s16",
                                         "a u16",
                                         "an s32",
                                         "a u32",
                                         "an s64",
                                         "a u64",
                                         "an f32",
                                         "an f64",
                                         "a char",
                                         "a string",
                                         "a list",
                                         "a list",
                                         "a record",
                                         "a tuple",
                                         "a variant",
                                         "an enum",
                                         "an option",
                                         "a result",
                                         "flags",
                                         "a map",
                                         "an owned resource",
                                         "a borrowed resource",
                                         "a stream",
                                         "a future",
                                         "an error context"};
  return kNames[static_cast<unsigned>(kind)];
}

class Conforming {
public:
  explicit Conforming(const TypeTable& types) : types_(types) {}

  Result<void> value(Value& v, ValType type) {
    if (v.kind != type.kind) {
      bool list = v.kind == TypeKind::List && (type.kind == TypeKind::FixedList || type.kind == TypeKind::Map);
      if (!list)
        return base::fail(ErrorCode::InvalidArgument, fmt::format("{}: expected {}, found {}", place(),
                                                                  to_string(types_, type), kind_name(v.kind)));
      v.kind = type.kind;
    }
    if (type.kind <= TypeKind::String) return primitive(v, type);
    if (type.kind >= TypeKind::Own) return {};
    const TypeDef& def = types_.defs[type.index];
    switch (type.kind) {
    case TypeKind::FixedList:
      if (v.items.size() != def.length)
        return base::fail(ErrorCode::InvalidArgument,
                          fmt::format("{}: expected {} elements, found {}", place(), def.length, v.items.size()));
      [[fallthrough]];
    case TypeKind::List:
      for (std::size_t i = 0; i < v.items.size(); ++i)
        CUSP_TRY(member(v.items[i], *def.element, [i] { return fmt::format("[{}]", i); }));
      return {};
    case TypeKind::Map:
      for (std::size_t i = 0; i < v.items.size(); ++i) {
        Value& pair = v.items[i];
        if (pair.kind != TypeKind::Tuple || pair.items.size() != 2)
          return base::fail(ErrorCode::InvalidArgument, fmt::format("{}[{}]: expected a key and a value", place(), i));
        CUSP_TRY(member(pair.items[0], *def.element, [i] { return fmt::format("[{}].key", i); }));
        CUSP_TRY(member(pair.items[1], *def.error, [i] { return fmt::format("[{}].value", i); }));
      }
      return {};
    case TypeKind::Tuple: return tuple(v, def);
    case TypeKind::Record: return record(v, def);
    case TypeKind::Variant: return variant(v, def);
    case TypeKind::Enum: return find_label(v.text, def, "case");
    case TypeKind::Flags: return flags(v, def);
    case TypeKind::Option: return payload(v, v.items.empty() ? std::nullopt : def.element, "some");
    case TypeKind::Result: return payload(v, v.ok ? def.element : def.error, v.ok ? "ok" : "err");
    default: return {};
    }
  }

private:
  std::string place() const { return path_.empty() ? "the value" : path_; }
  template <class Name> Result<void> member(Value& v, ValType type, Name name) {
    std::size_t before = path_.size();
    path_ += name();
    Result<void> done = value(v, type);
    path_.resize(before);
    return done;
  }
  Result<void> primitive(Value& v, ValType type) {
    if (type.kind == TypeKind::Char && (v.bits > 0x10ffff || (v.bits >= 0xd800 && v.bits <= 0xdfff)))
      return base::fail(ErrorCode::InvalidArgument,
                        fmt::format("{}: U+{:04X} is no Unicode scalar value", place(), v.bits));
    if (type.kind == TypeKind::String && !is_utf8(v.text))
      return base::fail(ErrorCode::InvalidArgument, fmt::format("{}: the string is not UTF-8", place()));
    return {};
  }
  Result<void> tuple(Value& v, const TypeDef& def) {
    if (v.items.size() != def.labels.size())
      return base::fail(ErrorCode::InvalidArgument, fmt::format("{}: expected a tuple of {}, found one of {}", place(),
                                                                def.labels.size(), v.items.size()));
    for (std::size_t i = 0; i < v.items.size(); ++i)
      CUSP_TRY(member(v.items[i], *def.labels[i].type, [i] { return fmt::format(".{}", i); }));
    return {};
  }
  Result<void> record(Value& v, const TypeDef& def) {
    std::vector<Value> items;
    std::vector<std::string> labels;
    for (const component::Label& label : def.labels) {
      auto found = std::find(v.labels.begin(), v.labels.end(), label.name);
      if (found == v.labels.end())
        return base::fail(ErrorCode::InvalidArgument,
                          fmt::format("{}: the field `{}` is missing", place(), label.name));
      Value& item = v.items[static_cast<std::size_t>(found - v.labels.begin())];
      CUSP_TRY(member(item, *label.type, [&] { return "." + label.name; }));
      items.push_back(std::move(item));
      labels.push_back(label.name);
    }
    if (items.size() != v.items.size())
      return base::fail(ErrorCode::InvalidArgument,
                        fmt::format("{}: the record has fields that its type has not", place()));
    v.items = std::move(items), v.labels = std::move(labels);
    return {};
  }
  Result<void> find_label(const std::string& text, const TypeDef& def, const char* what) {
    for (const component::Label& label : def.labels)
      if (label.name == text) return {};
    return base::fail(ErrorCode::InvalidArgument, fmt::format("{}: unknown {} `{}`", place(), what, text));
  }
  Result<void> variant(Value& v, const TypeDef& def) {
    CUSP_TRY(find_label(v.text, def, "case"));
    for (const component::Label& label : def.labels)
      if (label.name == v.text) return payload(v, label.type, label.name);
    return {};
  }
  Result<void> flags(Value& v, const TypeDef& def) {
    for (const std::string& set : v.labels) CUSP_TRY(find_label(set, def, "flag"));
    std::vector<std::string> ordered;
    for (const component::Label& label : def.labels)
      if (std::find(v.labels.begin(), v.labels.end(), label.name) != v.labels.end()) ordered.push_back(label.name);
    v.labels = std::move(ordered);
    return {};
  }
  Result<void> payload(Value& v, const std::optional<ValType>& type, std::string_view name) {
    if (v.items.size() != (type ? 1u : 0u))
      return base::fail(ErrorCode::InvalidArgument,
                        fmt::format("{}: `{}` {}", place(), name, type ? "needs a payload" : "takes no payload"));
    return type ? member(v.items[0], *type, [&] { return fmt::format(".{}", name); }) : Result<void>{};
  }

  const TypeTable& types_;
  std::string path_;
};

} // namespace

Result<Value> conform(Value value, const TypeTable& types, ValType type) {
  CUSP_TRY(Conforming(types).value(value, type));
  return value;
}

} // namespace cusp::canon
