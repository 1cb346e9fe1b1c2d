#include "embed/transfer.h"

#include "canon/abi.h"
#include "embed/instance.h"

namespace cusp::embed {

using canon::Abi;
using canon::LiftLowerContext;
using canon::load_raw;
using canon::store_raw;
using component::TypeKind;
using detail::HandleSlot;

namespace {

From inside(From from, const Part& part) {
  return from.memory ? From{from.memory + part.abi_offset, nullptr} : From{nullptr, from.flat + part.flat_offset};
}
To inside(To to, const Part& part) {
  return to.memory ? To{to.memory + part.abi_offset, nullptr} : To{nullptr, to.flat + part.flat_offset};
}
void* at(void* object, std::uint32_t offset) { return static_cast<std::uint8_t*>(object) + offset; }

// Calls f with a value of the C++ type that a scalar kind is.
template <class F> void with_scalar(TypeKind kind, F f) {
  switch (kind) {
  case TypeKind::Bool: return f(bool{});
  case TypeKind::S8: return f(std::int8_t{});
  case TypeKind::U8: return f(std::uint8_t{});
  case TypeKind::S16: return f(std::int16_t{});
  case TypeKind::U16: return f(std::uint16_t{});
  case TypeKind::S32: return f(std::int32_t{});
  case TypeKind::U32: return f(std::uint32_t{});
  case TypeKind::S64: return f(std::int64_t{});
  case TypeKind::U64: return f(std::uint64_t{});
  case TypeKind::F32: return f(float{});
  case TypeKind::F64: return f(double{});
  default: return f(char32_t{});
  }
}

std::uint32_t first_word(From from) { return from.memory ? load_raw<std::uint32_t>(from.memory) : from.flat->i32; }
std::uint32_t second_word(From from) {
  return from.memory ? load_raw<std::uint32_t>(from.memory + 4) : from.flat[1].i32;
}
void put_pair(To to, std::uint32_t pointer, std::uint32_t length) {
  if (to.memory) store_raw(to.memory, pointer), store_raw(to.memory + 4, length);
  else to.flat[0].i64 = pointer, to.flat[1].i64 = length;
}
void put_word(To to, std::uint32_t word) {
  if (to.memory) store_raw(to.memory, word);
  else to.flat->i64 = word;
}
// An enum's or flags' number, as wide as the C++ type has it.
std::uint32_t get_number(const void* object, std::uint32_t size) {
  std::uint32_t number = 0;
  std::memcpy(&number, object, std::min<std::size_t>(size, sizeof number));
  return number;
}
void put_number(void* object, std::uint32_t size, std::uint32_t number) {
  std::uint64_t wide = number;
  std::memcpy(object, &wide, size);
}

// --- from the guest

void lift_string(LiftLowerContext& cx, const Node& node, From from, void* object) {
  std::string_view text = cx.lift_string(first_word(from), second_word(from));
  const detail::ListOps& ops = *node.info->list;
  if (ops.point) return ops.point(object, text.data(), text.size());
  void* data = ops.resize(object, text.size());
  if (!text.empty()) std::memcpy(data, text.data(), text.size());
}

void lift_list(LiftLowerContext& cx, const Node& node, From from, void* object) {
  const Node& element = *node.parts[0].node;
  const detail::ListOps& ops = *node.info->list;
  std::uint32_t length = second_word(from);
  const std::uint8_t* source = cx.list_range(first_word(from), length, element.size, element.alignment);
  if (!source) return;
  if (ops.pack) return ops.pack(object, source, length);
  if (ops.point) {
    if (!element.is_plain)
      return cx.trap("the host takes a list as std::span whose elements are no integers: it must take std::vector");
    return ops.point(object, source, length);
  }
  auto* data = static_cast<std::uint8_t*>(ops.resize(object, length));
  if (element.is_plain) {
    if (length) std::memcpy(data, source, std::size_t{length} * element.size);
    return;
  }
  for (std::uint32_t i = 0; i < length && !cx.trapped(); ++i, data += element.info->size, source += element.size)
    lift(cx, element, {source, nullptr}, data);
}

void lift_cases(LiftLowerContext& cx, const Node& node, From from, void* object) {
  std::uint32_t which = from.memory ? canon::load_discriminant(from.memory, node.discriminant_size) : from.flat->i32;
  std::size_t count = node.kind == TypeKind::Enum ? node.info->labels.size() : node.parts.size();
  if (which >= count) return canon::trap_discriminant(cx);
  if (node.kind == TypeKind::Enum) return put_number(object, node.info->size, which);
  void* payload = node.info->cases->emplace(object, which);
  if (const Part& part = node.parts[which]; part.node) lift(cx, *part.node, inside(from, part), payload);
}

void lift_flags(const Node& node, From from, void* object) {
  std::uint32_t bits = from.memory ? canon::load_discriminant(from.memory, node.size) : from.flat->i32;
  std::size_t count = node.info->labels.size();
  put_number(object, node.info->size, count == 32 ? bits : bits & ((std::uint32_t{1} << count) - 1));
}

void lift_handle(LiftLowerContext& cx, const Node& node, From from, void* object) {
  bool own = node.kind == TypeKind::Own;
  std::uint32_t handle = first_word(from);
  std::uint64_t rep = own ? cx.lift_own(handle, *node.resource) : cx.lift_borrow(handle, *node.resource);
  if (cx.trapped()) return;
  if (node.info->resource)
    static_cast<HandleSlot*>(object)->object = reinterpret_cast<void*>(static_cast<std::uintptr_t>(rep));
  else if (own) *static_cast<Resource*>(object) = detail::ResourceAccess::make(cx.component(), *node.resource, rep);
  else cx.trap("a borrowed resource of a guest's cannot be taken by the host");
}

// --- into the guest

void lower_string(LiftLowerContext& cx, const Node& node, To to, const void* object) {
  const detail::ListOps& ops = *node.info->list;
  std::uint32_t pointer = 0, length = 0;
  cx.lower_string({static_cast<const char*>(ops.data(object)), ops.size(object)}, pointer, length);
  put_pair(to, pointer, length);
}

void lower_list(LiftLowerContext& cx, const Node& node, To to, void* object) {
  const Node& element = *node.parts[0].node;
  const detail::ListOps& ops = *node.info->list;
  std::size_t count = ops.size(object);
  std::uint32_t pointer = 0;
  std::uint8_t* target = cx.allocate(element.alignment, std::uint64_t{count} * element.size, pointer);
  if (!target) return;
  put_pair(to, pointer, static_cast<std::uint32_t>(count));
  if (count == 0) return;
  if (ops.unpack) return ops.unpack(object, target);
  // Lowering moves handles out of what it is given, so even a view's elements are reached as if they could be changed; those of a
  // span<const Own> cannot, and there are none that compile.
  auto* data = static_cast<std::uint8_t*>(const_cast<void*>(ops.data(object)));
  if (element.is_plain) {
    std::memcpy(target, data, count * element.size);
    return;
  }
  for (std::size_t i = 0; i < count && !cx.trapped(); ++i, data += element.info->size, target += element.size)
    lower(cx, element, {target, nullptr}, data);
}

void lower_cases(LiftLowerContext& cx, const Node& node, To to, void* object) {
  bool is_enum = node.kind == TypeKind::Enum;
  std::uint32_t which = is_enum ? get_number(object, node.info->size) : node.info->cases->which(object);
  if (which >= (is_enum ? node.info->labels.size() : node.parts.size()))
    return cx.trap("the host gave a value that is no case of its type");
  if (to.memory) {
    canon::store_discriminant(to.memory, node.discriminant_size, which);
  } else {
    for (std::uint32_t i = 1; i < node.flat_count; ++i) to.flat[i].i64 = 0; // the shorter payloads' rest
    to.flat->i64 = which;
  }
  if (is_enum) return;
  if (const Part& part = node.parts[which]; part.node)
    lower(cx, *part.node, inside(to, part), node.info->cases->payload(object));
}

void lower_handle(LiftLowerContext& cx, const Node& node, To to, void* object) {
  bool own = node.kind == TypeKind::Own;
  std::uint64_t rep = 0;
  detail::GuestHandle* guest = nullptr;
  if (node.info->resource) {
    rep = reinterpret_cast<std::uintptr_t>(static_cast<HandleSlot*>(object)->object);
    if (!rep) return cx.trap("the host gave an empty Own or Borrow");
  } else {
    guest = own ? detail::ResourceAccess::handle(*static_cast<Resource*>(object))
                : detail::ResourceAccess::handle(*static_cast<ResourceRef*>(object));
    if (const char* wrong = detail::ResourceAccess::misfit(guest, cx.component(), *node.resource))
      return cx.trap(wrong);
    rep = guest->rep;
  }
  std::uint32_t handle = own ? cx.lower_own(rep, *node.resource) : cx.lower_borrow(rep, *node.resource);
  if (cx.trapped()) return;
  if (own && guest) guest->release();
  else if (own) static_cast<HandleSlot*>(object)->object = nullptr;
  put_word(to, handle);
}

} // namespace

void lift(LiftLowerContext& cx, const Node& node, From from, void* object) {
  if (cx.trapped()) return;
  switch (node.kind) {
  case TypeKind::String: return lift_string(cx, node, from, object);
  case TypeKind::List: return lift_list(cx, node, from, object);
  case TypeKind::Record:
  case TypeKind::Tuple:
    for (const Part& part : node.parts) lift(cx, *part.node, inside(from, part), at(object, part.cpp_offset));
    return;
  case TypeKind::Variant:
  case TypeKind::Option:
  case TypeKind::Result:
  case TypeKind::Enum: return lift_cases(cx, node, from, object);
  case TypeKind::Flags: return lift_flags(node, from, object);
  case TypeKind::Own:
  case TypeKind::Borrow: return lift_handle(cx, node, from, object);
  default:
    with_scalar(node.kind, [&]<class T>(T) {
      *static_cast<T*>(object) = from.memory ? Abi<T>::load(cx, from.memory) : Abi<T>::lift_flat(cx, from.flat);
    });
  }
}

void lower(LiftLowerContext& cx, const Node& node, To to, void* object) {
  if (cx.trapped()) return;
  switch (node.kind) {
  case TypeKind::String: return lower_string(cx, node, to, object);
  case TypeKind::List: return lower_list(cx, node, to, object);
  case TypeKind::Record:
  case TypeKind::Tuple:
    for (const Part& part : node.parts) lower(cx, *part.node, inside(to, part), at(object, part.cpp_offset));
    return;
  case TypeKind::Variant:
  case TypeKind::Option:
  case TypeKind::Result:
  case TypeKind::Enum: return lower_cases(cx, node, to, object);
  case TypeKind::Flags: {
    std::uint32_t bits = get_number(object, node.info->size);
    if (to.memory) canon::store_discriminant(to.memory, node.size, bits);
    else to.flat->i64 = bits;
    return;
  }
  case TypeKind::Own:
  case TypeKind::Borrow: return lower_handle(cx, node, to, object);
  default:
    with_scalar(node.kind, [&]<class T>(T) {
      if (to.memory) Abi<T>::store(cx, to.memory, *static_cast<const T*>(object));
      else Abi<T>::lower_flat(cx, to.flat, *static_cast<const T*>(object));
    });
  }
}

void lift_params(LiftLowerContext& cx, const Node& params, From from, void* const* objects) {
  for (const Part& part : params.parts) lift(cx, *part.node, inside(from, part), *objects++);
}

void lower_params(LiftLowerContext& cx, const Node& params, To to, void* const* objects) {
  for (const Part& part : params.parts) lower(cx, *part.node, inside(to, part), *objects++);
}

} // namespace cusp::embed
