#include "canon/transfer.h"

#include "canon/abi.h"
#include "canon/copy.h"
#include "canon/store_string.h"
#include "canon/strings.h"
#include "canon/value_abi.h"

namespace cusp::canon {

namespace {
constexpr std::uint64_t kMaxCopied = std::uint64_t{512} << 20;
}

using component::StringEncoding;
using component::TypeDef;
using component::TypeKind;
using component::ValType;

void Transfer::move(Source source, Target target, ValType type) {
  if (stopped()) return;
  auto scalar = [&]<class T>(T) {
    T value = source.memory ? Abi<T>::load(from_, source.memory) : Abi<T>::lift_flat(from_, source.flat);
    if (target.memory) Abi<T>::store(to_, target.memory, value);
    else Abi<T>::lower_flat(to_, target.flat, value);
  };
  auto word = [&](std::uint32_t i) {
    return source.memory ? load_raw<std::uint32_t>(source.memory + 4 * i) : source.flat[i].i32;
  };
  auto put_word = [&](std::uint32_t i, std::uint32_t value) {
    if (target.memory) store_raw(target.memory + 4 * i, value);
    else target.flat[i].i64 = value;
  };
  auto element = [&](std::size_t bytes, std::size_t flats, ValType member) {
    move(source.memory ? Source{source.memory + bytes, nullptr} : Source{nullptr, source.flat + flats},
         target.memory ? Target{target.memory + bytes, nullptr} : Target{nullptr, target.flat + flats}, member);
  };
  std::uint32_t pointer = 0, length = 0;
  switch (type.kind) {
  case TypeKind::Bool: return scalar(bool{});
  case TypeKind::S8: return scalar(std::int8_t{});
  case TypeKind::U8: return scalar(std::uint8_t{});
  case TypeKind::S16: return scalar(std::int16_t{});
  case TypeKind::U16: return scalar(std::uint16_t{});
  case TypeKind::S32:
  case TypeKind::U32: return scalar(std::uint32_t{});
  case TypeKind::S64:
  case TypeKind::U64: return scalar(std::uint64_t{});
  case TypeKind::F32: return scalar(float{});
  case TypeKind::F64: return scalar(double{});
  case TypeKind::Char: return scalar(char32_t{});
  case TypeKind::String: string(word(0), word(1), pointer, length); return put_word(0, pointer), put_word(1, length);
  case TypeKind::List:
  case TypeKind::Map: list(word(0), word(1), type, pointer); return put_word(0, pointer), put_word(1, word(1));
  case TypeKind::Own: {
    std::uint64_t rep = from_.lift_own(word(0), *resources_[type.index]);
    return from_.trapped() ? void() : put_word(0, to_.lower_own(rep, *resources_[type.index]));
  }
  case TypeKind::Borrow: {
    std::uint64_t rep = from_.lift_borrow(word(0), *resources_[type.index]);
    return from_.trapped() ? void() : put_word(0, to_.lower_borrow(rep, *resources_[type.index]));
  }
  case TypeKind::Stream:
  case TypeKind::Future: {
    SharedEnd end = from_.lift_copy(word(0), type.kind == TypeKind::Future, types_.defs[type.index].element);
    return from_.trapped() ? void() : put_word(0, to_.lower_copy(std::move(end)));
  }
  case TypeKind::ErrorContext: {
    ErrorContext* context = from_.lift_error_context(word(0));
    return context ? put_word(0, to_.lower_error_context(*context)) : void();
  }
  default: break;
  }
  const TypeDef& def = types_.defs[type.index];
  switch (type.kind) {
  case TypeKind::FixedList: {
    std::size_t size = types_.size(*def.element), flats = types_.flat_count(*def.element);
    for (std::size_t i = 0; i < def.length && !stopped(); ++i) element(i * size, i * flats, *def.element);
    return;
  }
  case TypeKind::Record:
  case TypeKind::Tuple: {
    std::size_t at = 0;
    for (std::size_t i = 0; i < def.labels.size(); ++i) {
      element(def.offsets[i], at, *def.labels[i].type);
      at += types_.flat_count(*def.labels[i].type);
    }
    return;
  }
  case TypeKind::Flags: {
    std::uint32_t mask = def.labels.size() >= 32 ? ~0u : (1u << def.labels.size()) - 1;
    std::uint32_t bits = (source.memory ? load_discriminant(source.memory, def.size) : source.flat->i32) & mask;
    if (target.memory) store_discriminant(target.memory, def.size, bits);
    else target.flat->i64 = bits;
    return;
  }
  default: return cases(source, target, type, def);
  }
}

bool Transfer::may_copy(std::uint64_t bytes) {
  if ((copied_ += bytes) <= kMaxCopied) return true;
  from_.trap("the strings and lists of this call are too large to be copied", abi::Trap::AllocationTooLarge);
  return false;
}

// UTF-16 on both sides is checked and copied as it is. Otherwise by way of UTF-8.
void Transfer::string(std::uint32_t pointer, std::uint32_t length, std::uint32_t& new_pointer,
                      std::uint32_t& new_length) {
  StringEncoding encoding = from_.options().string_encoding;
  if (encoding == StringEncoding::Utf16 && to_.options().string_encoding == encoding) {
    std::uint64_t bytes = std::uint64_t{length} * 2;
    if (bytes > kMaxStringByteLength) return from_.trap("string content out-of-bounds (the string is too long)");
    const std::uint8_t* at = from_.range(pointer, bytes, 2, "string");
    if (!at) return;
    if (!is_utf16(at, length)) return from_.trap("invalid utf-16: unpaired surrogate found");
    if (!may_copy(bytes)) return;
    std::uint8_t* target = to_.allocate(2, bytes, new_pointer, "string");
    if (target && bytes) std::memcpy(target, at, bytes);
    new_length = length;
    return;
  }
  std::string_view text = from_.lift_string(pointer, length);
  if (!from_.trapped() && may_copy(text.size())) store_string(to_, text, encoding, length, new_pointer, new_length);
}

void Transfer::list(std::uint32_t pointer, std::uint32_t length, ValType type, std::uint32_t& new_pointer) {
  const TypeDef& def = types_.defs[type.index];
  bool map = def.kind == TypeKind::Map;
  PairLayout layout =
      map ? pair_layout(types_, def) : PairLayout{0, types_.size(*def.element), types_.alignment(*def.element)};
  const std::uint8_t* at = from_.list_range(pointer, length, layout.size, layout.alignment);
  if (!at) return;
  std::size_t bytes = std::size_t{length} * layout.size;
  if (!may_copy(bytes)) return;
  std::uint8_t* target = to_.allocate(layout.alignment, bytes, new_pointer);
  if (!target) return;
  bool plain = !map && def.element->kind >= TypeKind::S8 && def.element->kind <= TypeKind::F64;
  if (plain) { // every bit pattern is a value
    if (bytes) std::memcpy(target, at, bytes);
    return;
  }
  for (std::uint32_t i = 0; i < length && !stopped(); ++i, at += layout.size, target += layout.size) {
    memory(at, target, *def.element);
    if (map) memory(at + layout.second, target + layout.second, *def.error);
  }
}

void Transfer::cases(Source source, Target target, ValType type, const TypeDef& def) {
  std::uint32_t which = source.memory ? load_discriminant(source.memory, def.discriminant_size) : source.flat->i32;
  if (which >= case_count(def)) return trap_discriminant(from_);
  if (target.memory) {
    store_discriminant(target.memory, def.discriminant_size, which);
  } else {
    std::uint32_t count = types_.flat_count(type);
    for (std::uint32_t i = 1; i < count; ++i) target.flat[i].i64 = 0;
    target.flat->i64 = which;
  }
  std::optional<ValType> payload = case_payload(def, which);
  if (!payload) return;
  move(source.memory ? Source{source.memory + def.offsets[0], nullptr} : Source{nullptr, source.flat + 1},
       target.memory ? Target{target.memory + def.offsets[0], nullptr} : Target{nullptr, target.flat + 1}, *payload);
}

} // namespace cusp::canon
