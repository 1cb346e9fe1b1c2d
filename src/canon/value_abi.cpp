#include "canon/value_abi.h"

#include <bit>
#include <cmath>

#include "canon/abi.h"
#include "canon/copy.h"
#include "canon/error_context.h"

namespace cusp::canon {

using component::TypeDef;
using component::TypeTable;
using component::ValType;

namespace {
constexpr std::uint64_t kMaxValues = 4'000'000;
}

std::uint32_t case_count(const TypeDef& def) {
  return def.kind == TypeKind::Option || def.kind == TypeKind::Result ? 2
                                                                      : static_cast<std::uint32_t>(def.labels.size());
}

std::optional<ValType> case_payload(const TypeDef& def, std::uint32_t which) {
  if (def.kind == TypeKind::Option) return which ? def.element : std::nullopt;
  if (def.kind == TypeKind::Result) return which ? def.error : def.element;
  return def.labels[which].type;
}

PairLayout pair_layout(const TypeTable& types, const TypeDef& map) {
  PairLayout layout;
  std::uint32_t second_alignment = types.alignment(*map.error);
  layout.alignment = std::max(types.alignment(*map.element), second_alignment);
  layout.second = align_to(types.size(*map.element), second_alignment);
  layout.size = align_to(layout.second + types.size(*map.error), layout.alignment);
  return layout;
}

Value ValueAbi::load(const std::uint8_t* at, ValType type) { return lift({at, nullptr}, type); }
Value ValueAbi::lift_flat(const abi::ValRaw* values, ValType type) { return lift({nullptr, values}, type); }
void ValueAbi::store(std::uint8_t* at, const Value& value, ValType type) { lower(at, nullptr, value, type); }
void ValueAbi::lower_flat(abi::ValRaw* values, const Value& value, ValType type) {
  lower(nullptr, values, value, type);
}

Value ValueAbi::lift(Place from, ValType type) {
  if (++made_ > kMaxValues)
    cx_.trap("the values of this call are too many to be handled one by one", abi::Trap::AllocationTooLarge);
  if (cx_.trapped()) return {};
  auto number = [&]<class T>(T) {
    T value = from.memory ? Abi<T>::load(cx_, from.memory) : Abi<T>::lift_flat(cx_, from.flat);
    if constexpr (std::is_same_v<T, float>) return Value::f32(value);
    else if constexpr (std::is_same_v<T, double>) return Value::f64(value);
    else if constexpr (std::is_signed_v<T>)
      return Value::number(type.kind, static_cast<std::uint64_t>(std::int64_t{value}));
    else return Value::number(type.kind, value);
  };
  auto handle = [&] { return from.memory ? load_raw<std::uint32_t>(from.memory) : from.flat->i32; };
  auto second = [&] { return from.memory ? load_raw<std::uint32_t>(from.memory + 4) : from.flat[1].i32; };
  switch (type.kind) {
  case TypeKind::Bool: return number(bool{});
  case TypeKind::S8: return number(std::int8_t{});
  case TypeKind::U8: return number(std::uint8_t{});
  case TypeKind::S16: return number(std::int16_t{});
  case TypeKind::U16: return number(std::uint16_t{});
  case TypeKind::S32: return number(std::int32_t{});
  case TypeKind::U32: return number(std::uint32_t{});
  case TypeKind::S64: return number(std::int64_t{});
  case TypeKind::U64: return number(std::uint64_t{});
  case TypeKind::F32: return number(float{});
  case TypeKind::F64: return number(double{});
  case TypeKind::Char: return number(char32_t{});
  case TypeKind::String: return Value::string(cx_.lift_string(handle(), second()));
  case TypeKind::Own: return Value::own(resources_[type.index], cx_.lift_own(handle(), *resources_[type.index]));
  case TypeKind::Borrow:
    return Value::borrow(resources_[type.index], cx_.lift_borrow(handle(), *resources_[type.index]));
  case TypeKind::Stream:
  case TypeKind::Future: {
    Value value;
    value.kind = type.kind;
    bool is_future = type.kind == TypeKind::Future;
    value.end = std::make_shared<SharedEnd>(cx_.lift_copy(handle(), is_future, types_.defs[type.index].element));
    return value;
  }
  case TypeKind::ErrorContext: {
    Value value = Value::string({});
    value.kind = TypeKind::ErrorContext;
    if (ErrorContext* context = cx_.lift_error_context(handle())) value.text = context->debug_message;
    return value;
  }
  default: break;
  }
  const TypeDef& def = types_.defs[type.index];
  switch (type.kind) {
  case TypeKind::List: return lift_list(handle(), second(), *def.element, type.kind, def);
  case TypeKind::Map: return lift_list(handle(), second(), {}, type.kind, def);
  case TypeKind::FixedList: {
    Value list = Value::list({});
    list.kind = TypeKind::FixedList;
    std::uint32_t size = types_.size(*def.element), flat = types_.flat_count(*def.element);
    for (std::uint32_t i = 0; i < def.length && !cx_.trapped(); ++i)
      list.items.push_back(
          lift(from.memory ? Place{from.memory + std::size_t{i} * size, nullptr} : Place{nullptr, from.flat + i * flat},
               *def.element));
    return list;
  }
  case TypeKind::Record:
  case TypeKind::Tuple: {
    Value value = Value::tuple({});
    value.kind = type.kind;
    std::uint32_t flat = 0;
    for (std::size_t i = 0; i < def.labels.size() && !cx_.trapped(); ++i) {
      ValType member = *def.labels[i].type;
      value.items.push_back(
          lift(from.memory ? Place{from.memory + def.offsets[i], nullptr} : Place{nullptr, from.flat + flat}, member));
      if (type.kind == TypeKind::Record) value.labels.push_back(def.labels[i].name);
      flat += types_.flat_count(member);
    }
    return value;
  }
  case TypeKind::Flags: {
    Value value = Value::flags({});
    std::uint32_t bits = from.memory ? load_discriminant(from.memory, def.size) : from.flat->i32;
    for (std::size_t i = 0; i < def.labels.size(); ++i)
      if (bits >> i & 1) value.labels.push_back(def.labels[i].name);
    return value;
  }
  default: return lift_cases(from, type, def);
  }
}

Value ValueAbi::lift_list(std::uint32_t pointer, std::uint32_t length, ValType element, TypeKind kind,
                          const TypeDef& def) {
  Value list = Value::list({});
  list.kind = kind;
  PairLayout pair =
      kind == TypeKind::Map ? pair_layout(types_, def) : PairLayout{0, types_.size(element), types_.alignment(element)};
  const std::uint8_t* at = cx_.list_range(pointer, length, pair.size, pair.alignment);
  if (!at) return list;
  for (std::uint32_t i = 0; i < length && !cx_.trapped(); ++i, at += pair.size) {
    if (kind == TypeKind::Map) {
      Value key = load(at, *def.element);
      list.items.push_back(Value::tuple({std::move(key), load(at + pair.second, *def.error)}));
    } else {
      list.items.push_back(load(at, element));
    }
  }
  return list;
}

Value ValueAbi::lift_cases(Place from, ValType type, const TypeDef& def) {
  std::uint32_t which = from.memory ? load_discriminant(from.memory, def.discriminant_size) : from.flat->i32;
  if (which >= case_count(def)) {
    trap_discriminant(cx_);
    return {};
  }
  Value value;
  value.kind = type.kind;
  if (type.kind == TypeKind::Result) value.ok = which == 0;
  else if (type.kind != TypeKind::Option) value.text = def.labels[which].name;
  if (std::optional<ValType> payload = case_payload(def, which))
    value.items.push_back(
        lift(from.memory ? Place{from.memory + def.offsets[0], nullptr} : Place{nullptr, from.flat + 1}, *payload));
  return value;
}

void ValueAbi::lower(std::uint8_t* memory, abi::ValRaw* flat, const Value& value, ValType type) {
  if (cx_.trapped()) return;
  auto put = [&]<class T>(T v) {
    if (memory) Abi<T>::store(cx_, memory, v);
    else Abi<T>::lower_flat(cx_, flat, v);
  };
  auto put_pair = [&](std::uint32_t pointer, std::uint32_t length) {
    if (memory) store_raw(memory, pointer), store_raw(memory + 4, length);
    else flat[0].i64 = pointer, flat[1].i64 = length;
  };
  std::uint32_t pointer = 0, length = 0;
  switch (type.kind) {
  case TypeKind::Bool: return put(value.bits != 0);
  case TypeKind::S8: return put(static_cast<std::int8_t>(value.bits));
  case TypeKind::U8: return put(static_cast<std::uint8_t>(value.bits));
  case TypeKind::S16: return put(static_cast<std::int16_t>(value.bits));
  case TypeKind::U16: return put(static_cast<std::uint16_t>(value.bits));
  case TypeKind::S32:
  case TypeKind::U32: return put(static_cast<std::uint32_t>(value.bits));
  case TypeKind::S64:
  case TypeKind::U64: return put(value.bits);
  case TypeKind::F32: return put(value.as_f32());
  case TypeKind::F64: return put(value.as_f64());
  case TypeKind::Char: return put(static_cast<char32_t>(value.bits));
  case TypeKind::String: cx_.lower_string(value.text, pointer, length); return put_pair(pointer, length);
  case TypeKind::Own:
  case TypeKind::Borrow:
    if (value.resource != resources_[type.index]) return cx_.trap("a resource of another type was given");
    return put(type.kind == TypeKind::Own ? cx_.lower_own(value.bits, *value.resource)
                                          : cx_.lower_borrow(value.bits, *value.resource));
  case TypeKind::Stream:
  case TypeKind::Future:
    if (!value.end || !*value.end) return cx_.trap("a stream or future was given that has been given away already");
    if (!(*value.end)->is_of(types_.defs[type.index].element))
      return cx_.trap("a stream or future of another type was given");
    return put(cx_.lower_copy(std::move(*value.end)));
  case TypeKind::ErrorContext: {
    auto context = std::make_unique<ErrorContext>();
    context->debug_message = value.text;
    std::uint32_t handle = cx_.lower_error_context(*context);
    if (handle) context.release();
    return put(handle);
  }
  default: break;
  }
  const TypeDef& def = types_.defs[type.index];
  switch (type.kind) {
  case TypeKind::List:
  case TypeKind::Map: lower_list(value, def, pointer, length); return put_pair(pointer, length);
  case TypeKind::FixedList: {
    std::uint32_t size = types_.size(*def.element), count = types_.flat_count(*def.element);
    for (std::uint32_t i = 0; i < def.length; ++i)
      lower(memory ? memory + std::size_t{i} * size : nullptr, memory ? nullptr : flat + i * count, value.items[i],
            *def.element);
    return;
  }
  case TypeKind::Record:
  case TypeKind::Tuple: {
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < def.labels.size(); ++i) {
      ValType member = *def.labels[i].type;
      lower(memory ? memory + def.offsets[i] : nullptr, memory ? nullptr : flat + at, value.items[i], member);
      at += types_.flat_count(member);
    }
    return;
  }
  case TypeKind::Flags: {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < def.labels.size(); ++i)
      for (const std::string& set : value.labels) bits |= std::uint32_t{set == def.labels[i].name} << i;
    if (memory) store_discriminant(memory, def.size, bits);
    else flat->i64 = bits;
    return;
  }
  default: return lower_cases(memory, flat, value, type, def);
  }
}

void ValueAbi::lower_list(const Value& value, const TypeDef& def, std::uint32_t& pointer, std::uint32_t& length) {
  bool map = def.kind == TypeKind::Map;
  PairLayout pair =
      map ? pair_layout(types_, def) : PairLayout{0, types_.size(*def.element), types_.alignment(*def.element)};
  std::uint8_t* at = cx_.allocate(pair.alignment, std::uint64_t{value.items.size()} * pair.size, pointer);
  if (!at) return;
  length = static_cast<std::uint32_t>(value.items.size());
  for (const Value& item : value.items) {
    if (map) {
      store(at, item.items[0], *def.element);
      store(at + pair.second, item.items[1], *def.error);
    } else {
      store(at, item, *def.element);
    }
    at += pair.size;
  }
}

void ValueAbi::lower_cases(std::uint8_t* memory, abi::ValRaw* flat, const Value& value, ValType type,
                           const TypeDef& def) {
  std::uint32_t which = 0;
  if (type.kind == TypeKind::Option) which = value.items.empty() ? 0 : 1;
  else if (type.kind == TypeKind::Result) which = value.ok ? 0 : 1;
  else
    while (which < def.labels.size() && def.labels[which].name != value.text) ++which;
  if (memory) {
    store_discriminant(memory, def.discriminant_size, which);
  } else {
    std::uint32_t count = types_.flat_count(type);
    for (std::uint32_t i = 1; i < count; ++i) flat[i].i64 = 0;
    flat->i64 = which;
  }
  if (std::optional<ValType> payload = case_payload(def, which); payload && !value.items.empty())
    lower(memory ? memory + def.offsets[0] : nullptr, memory ? nullptr : flat + 1, value.items[0], *payload);
}

Value default_value(const TypeTable& types, ValType type, std::span<const ResourceType* const> resources) {
  Value value;
  value.kind = type.kind;
  if (type.kind <= TypeKind::String) return value;
  if (type.kind >= TypeKind::Own) {
    if (type.kind <= TypeKind::Borrow) value.resource = resources[type.index];
    return value;
  }
  const TypeDef& def = types.defs[type.index];
  switch (type.kind) {
  case TypeKind::FixedList: value.items.assign(def.length, default_value(types, *def.element, resources)); break;
  case TypeKind::Record:
  case TypeKind::Tuple:
    for (const component::Label& label : def.labels) {
      value.items.push_back(default_value(types, *label.type, resources));
      if (type.kind == TypeKind::Record) value.labels.push_back(label.name);
    }
    break;
  case TypeKind::Enum: value.text = def.labels[0].name; break;
  case TypeKind::Variant:
    value.text = def.labels[0].name;
    if (def.labels[0].type) value.items.push_back(default_value(types, *def.labels[0].type, resources));
    break;
  case TypeKind::Result:
    if (def.element) value.items.push_back(default_value(types, *def.element, resources));
    break;
  default: break;
  }
  return value;
}

} // namespace cusp::canon
