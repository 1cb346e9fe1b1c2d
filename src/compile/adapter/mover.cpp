#include "compile/adapter/mover.h"

#include <algorithm>

namespace cusp::compile {

using component::AdapterFault;
using component::AdapterPlace;
using component::Assist;
using component::TypeDef;
using component::TypeKind;
using component::ValType;

namespace {
constexpr std::uint64_t kMaxByteLength = (1u << 28) - 1; // of a list or string, as canon/ has it
constexpr std::uint32_t kInlineBytes = 64;               // a run up to this is copied by loads and stores
} // namespace

// How a number travels. `narrow`: what makes a flat i32 one of its values.
struct Mover::Scalar {
  FlatType flat{};
  Op load{}, store{};
  enum class Narrow : std::uint8_t { No, Bool, S8, U8, S16, U16 } narrow = Narrow::No;
};

Mover::Scalar Mover::scalar_of(TypeKind kind) {
  using enum FlatType;
  using Narrow = Scalar::Narrow;
  switch (kind) {
  case TypeKind::Bool: return {I32, Op::I32Load8U, Op::I32Store8, Narrow::Bool};
  case TypeKind::S8: return {I32, Op::I32Load8S, Op::I32Store8, Narrow::S8};
  case TypeKind::U8: return {I32, Op::I32Load8U, Op::I32Store8, Narrow::U8};
  case TypeKind::S16: return {I32, Op::I32Load16S, Op::I32Store16, Narrow::S16};
  case TypeKind::U16: return {I32, Op::I32Load16U, Op::I32Store16, Narrow::U16};
  case TypeKind::S64:
  case TypeKind::U64: return {I64, Op::I64Load, Op::I64Store, Narrow::No};
  case TypeKind::F32: return {F32, Op::F32Load, Op::F32Store, Narrow::No};
  case TypeKind::F64: return {F64, Op::F64Load, Op::F64Store, Narrow::No};
  default: return {I32, Op::I32Load, Op::I32Store, Narrow::No};
  }
}

void Mover::move(const Place& from, const Place& to, ValType type) {
  if (code_.is_too_large()) return;
  switch (type.kind) {
  case TypeKind::Char: return character(from, to);
  case TypeKind::String: return string(from, to);
  case TypeKind::List:
  case TypeKind::Map: return list(from, to, type);
  case TypeKind::Own: return own(from, to, type.index);
  case TypeKind::Borrow: return borrow(from, to, type.index);
  default: break;
  }
  if (!component::has_layout(type.kind)) return scalar(from, to, scalar_of(type.kind));
  const TypeDef& def = types_.defs[type.index];
  switch (type.kind) {
  case TypeKind::Record:
  case TypeKind::Tuple: return fields(from, to, def);
  case TypeKind::FixedList: return fixed_list(from, to, def);
  case TypeKind::Flags: return flags(from, to, def);
  default: return cases(from, to, type, def);
  }
}

// --- places

void Mover::convert_from_slot(FlatType slot, FlatType to) {
  if (slot == to) return;
  if (slot == FlatType::I64 && to != FlatType::F64) code_.op(Op::I32WrapI64);
  if (to == FlatType::F32) code_.op(Op::F32ReinterpretI32);
  if (to == FlatType::F64) code_.op(Op::F64ReinterpretI64);
}

void Mover::convert_to_slot(FlatType from, FlatType slot) {
  if (from == slot) return;
  if (from == FlatType::F32) code_.op(Op::I32ReinterpretF32);
  if (from == FlatType::F64) code_.op(Op::I64ReinterpretF64);
  if (slot == FlatType::I64 && from != FlatType::F64) code_.op(Op::I64ExtendI32U);
}

void Mover::load(const Place& from, FlatType type, Op load) {
  if (from.in_memory) {
    code_.get(from.address);
    code_.access(load, from_.memory, from.offset);
  } else {
    code_.get(from.flat[0]);
    convert_from_slot(from.flat[0].type, type);
  }
}

void Mover::begin_store(const Place& to) {
  if (to.in_memory) code_.get(to.address);
}

void Mover::end_store(const Place& to, FlatType type, Op store) {
  if (to.in_memory) return code_.access(store, to_.memory, to.offset);
  convert_to_slot(type, to.flat[0].type);
  code_.set(to.flat[0]);
}

void Mover::get_word(const Place& from, std::uint32_t i) { load(from.part(4 * i, i), FlatType::I32, Op::I32Load); }

void Mover::put_word(const Place& to, std::uint32_t i, Local value) {
  begin_store(to.part(4 * i, i));
  code_.get(value);
  end_store(to.part(4 * i, i), FlatType::I32, Op::I32Store);
}

// --- values of one word

void Mover::scalar(const Place& from, const Place& to, const Scalar& how) {
  using Narrow = Scalar::Narrow;
  begin_store(to);
  load(from, how.flat, how.load);
  // What is loaded is narrow already, and so is what a store keeps.
  const bool is_narrow = from.in_memory || to.in_memory;
  if (how.narrow == Narrow::Bool) {
    code_.i32(0);
    code_.op(Op::I32Ne);
  } else if (!is_narrow) {
    switch (how.narrow) {
    case Narrow::S8: code_.op(Op::I32Extend8S); break;
    case Narrow::S16: code_.op(Op::I32Extend16S); break;
    case Narrow::U8: code_.i32(0xff), code_.op(Op::I32And); break;
    case Narrow::U16: code_.i32(0xffff), code_.op(Op::I32And); break;
    default: break;
    }
  }
  end_store(to, how.flat, how.store);
}

void Mover::character(const Place& from, const Place& to) {
  Local value = code_.local(FlatType::I32);
  load(from, FlatType::I32, Op::I32Load);
  code_.tee(value);
  code_.i32(0xd800), code_.op(Op::I32Sub);
  code_.i32(0x800), code_.op(Op::I32LtU);
  code_.get(value);
  code_.i32(0x110000), code_.op(Op::I32GeU);
  code_.op(Op::I32Or);
  fault_if(AdapterFault::Char);
  put_word(to, 0, value);
  code_.give_back(value);
}

void Mover::flags(const Place& from, const Place& to, const TypeDef& def) {
  const Op loads[] = {Op::I32Load8U, Op::I32Load16U, Op::I32Load},
           stores[] = {Op::I32Store8, Op::I32Store16, Op::I32Store};
  const unsigned width = def.size == 1 ? 0 : def.size == 2 ? 1 : 2;
  begin_store(to);
  load(from, FlatType::I32, loads[width]);
  if (def.labels.size() < 32) {
    code_.i32((1u << def.labels.size()) - 1);
    code_.op(Op::I32And);
  }
  end_store(to, FlatType::I32, stores[width]);
}

// --- values of several

bool Mover::is_plain(ValType type) const {
  if (type.kind >= TypeKind::S8 && type.kind <= TypeKind::F64) return true;
  if (type.kind != TypeKind::Record && type.kind != TypeKind::Tuple && type.kind != TypeKind::FixedList) return false;
  const TypeDef& def = types_.defs[type.index];
  if (type.kind == TypeKind::FixedList) return is_plain(*def.element);
  std::uint32_t end = 0;
  for (std::size_t i = 0; i < def.labels.size(); ++i) {
    if (!is_plain(*def.labels[i].type) || def.offsets[i] != end) return false;
    end += types_.size(*def.labels[i].type);
  }
  return end == def.size;
}

// REQUIRES: both in memory.
void Mover::copy_run(const Place& from, const Place& to, std::uint32_t bytes) {
  if (bytes > kInlineBytes) {
    code_.get(to.address), code_.i32(to.offset), code_.op(Op::I32Add);
    code_.get(from.address), code_.i32(from.offset), code_.op(Op::I32Add);
    code_.i32(bytes);
    return code_.op(Op::MemoryCopy, {to_.memory, from_.memory});
  }
  struct Width {
    std::uint32_t bytes;
    Op load, store;
  };
  constexpr Width kWidths[] = {{16, Op::V128Load, Op::V128Store},
                               {8, Op::I64Load, Op::I64Store},
                               {4, Op::I32Load, Op::I32Store},
                               {2, Op::I32Load16U, Op::I32Store16},
                               {1, Op::I32Load8U, Op::I32Store8}};
  std::uint32_t at = 0;
  for (const Width& width : kWidths)
    for (; bytes - at >= width.bytes; at += width.bytes) {
      code_.get(to.address);
      code_.get(from.address);
      code_.access(width.load, from_.memory, from.offset + at);
      code_.access(width.store, to_.memory, to.offset + at);
    }
}

// In memory, neighbours that need no look are copied in one.
void Mover::fields(const Place& from, const Place& to, const TypeDef& def) {
  std::uint32_t flats = 0;
  for (std::size_t i = 0; i < def.labels.size(); ++i) {
    std::uint32_t begin = def.offsets[i], end = begin;
    while (from.in_memory && to.in_memory && i < def.labels.size() && def.offsets[i] == end &&
           is_plain(*def.labels[i].type))
      end += types_.size(*def.labels[i++].type);
    if (end != begin) {
      copy_run(from.part(begin, 0), to.part(begin, 0), end - begin);
      --i;
      continue;
    }
    ValType type = *def.labels[i].type;
    move(from.part(begin, flats), to.part(begin, flats), type);
    flats += types_.flat_count(type);
  }
}

void Mover::fixed_list(const Place& from, const Place& to, const TypeDef& def) {
  const std::uint32_t size = types_.size(*def.element), flats = types_.flat_count(*def.element);
  if (!from.in_memory || !to.in_memory) { // few, for they are flat on a side
    for (std::uint32_t i = 0; i < def.length; ++i)
      move(from.part(i * size, i * flats), to.part(i * size, i * flats), *def.element);
    return;
  }
  if (is_plain(*def.element)) return copy_run(from, to, def.length * size);
  Local source = code_.local(FlatType::I32), target = code_.local(FlatType::I32), count = code_.local(FlatType::I32);
  code_.get(from.address), code_.i32(from.offset), code_.op(Op::I32Add), code_.set(source);
  code_.get(to.address), code_.i32(to.offset), code_.op(Op::I32Add), code_.set(target);
  code_.i32(def.length), code_.set(count);
  elements(source, target, count, *def.element, nullptr);
  for (Local local : {source, target, count}) code_.give_back(local);
}

void Mover::cases(const Place& from, const Place& to, ValType type, const TypeDef& def) {
  std::vector<std::optional<ValType>> payloads;
  if (type.kind == TypeKind::Option) payloads = {std::nullopt, def.element};
  else if (type.kind == TypeKind::Result) payloads = {def.element, def.error};
  else
    for (const component::Label& label : def.labels) payloads.push_back(label.type);

  const Op loads[] = {Op::I32Load8U, Op::I32Load16U, Op::I32Load},
           stores[] = {Op::I32Store8, Op::I32Store16, Op::I32Store};
  const unsigned width = def.discriminant_size == 1 ? 0 : def.discriminant_size == 2 ? 1 : 2;
  Local which = code_.local(FlatType::I32);
  load(from, FlatType::I32, loads[width]);
  code_.tee(which);
  code_.i32(static_cast<std::uint32_t>(payloads.size()));
  code_.op(Op::I32GeU);
  fault_if(AdapterFault::Discriminant);
  begin_store(to);
  code_.get(which);
  end_store(to, FlatType::I32, stores[width]);
  for (std::uint32_t i = 0; i < payloads.size(); ++i) {
    if (!payloads[i]) continue;
    code_.get(which);
    code_.i32(i);
    code_.op(Op::I32Eq);
    code_.begin(Op::If);
    move(from.part(def.offsets[0], 1), to.part(def.offsets[0], 1), *payloads[i]);
    code_.end();
  }
  code_.give_back(which);
}

// --- handles

// What the handle in `from` stands for: compiled code's own way (`op`), else the assist's, which traps where there is nothing.
void Mover::take_representation(const Place& from, Op op, Assist::Kind otherwise, std::uint32_t resource, Local handle,
                                Local rep) {
  get_word(from, 0);
  code_.tee(handle);
  code_.op(op, {from_.instance.value, resource});
  code_.tee(rep);
  code_.i64(~std::uint64_t{0}), code_.op(Op::I64Eq);
  code_.begin(Op::If);
  code_.get(handle), code_.call(assist_(otherwise, from_.instance, component::ResourceIndex(resource))), code_.set(rep);
  code_.end();
}

// A handle of the receiver's for it, the same two ways.
void Mover::make_handle(Op op, Assist::Kind otherwise, std::uint32_t resource, Local rep, Local handle) {
  code_.op(op, {to_.instance.value, resource});
  code_.tee(handle);
  code_.op(Op::I32Eqz);
  code_.begin(Op::If);
  code_.get(rep), code_.call(assist_(otherwise, to_.instance, component::ResourceIndex(resource))), code_.set(handle);
  code_.end();
}

void Mover::own(const Place& from, const Place& to, std::uint32_t resource) {
  Local handle = code_.local(FlatType::I32), rep = code_.local(FlatType::I64);
  take_representation(from, Op::AdapterTake, Assist::Kind::Take, resource, handle, rep);
  code_.get(rep);
  make_handle(Op::AdapterOwn, Assist::Kind::Own, resource, rep, handle);
  put_word(to, 0, handle);
  code_.give_back(handle), code_.give_back(rep);
}

// A component that implements the resource knows it by its representation. The handle stays in its local until it is given back.
void Mover::borrow(const Place& from, const Place& to, std::uint32_t resource) {
  const component::Resource& definition = plan_.resources[resource];
  Local handle = code_.new_local(FlatType::I32), rep = code_.local(FlatType::I64), word = code_.local(FlatType::I32);
  take_representation(from, Op::AdapterLend, Assist::Kind::Lend, resource, handle, rep);
  lent_.push_back({handle, resource});
  code_.get(rep);
  if (!definition.imported && definition.instance == to_.instance) {
    code_.op(Op::I32WrapI64), code_.set(word);
  } else {
    lowered_borrows_ = true;
    make_handle(Op::AdapterBorrow, Assist::Kind::Borrow, resource, rep, word);
  }
  put_word(to, 0, word);
  code_.give_back(rep), code_.give_back(word);
}

// --- what is an address and a length

void Mover::out_of_bounds(const AdapterSide& side, Local pointer, Local bytes) {
  code_.get(pointer), code_.op(Op::I64ExtendI32U);
  code_.get(bytes), code_.op(Op::I64Add);
  code_.op(Op::MemorySize, {side.memory}), code_.op(Op::I64ExtendI32U);
  code_.i64(side.page_size_log2), code_.op(Op::I64Shl);
  code_.op(Op::I64GtU);
}

void Mover::check_range(const AdapterSide& side, Local pointer, std::uint32_t bytes, std::uint32_t alignment,
                        AdapterPlace place) {
  if (alignment > 1) {
    code_.get(pointer), code_.i32(alignment - 1), code_.op(Op::I32And);
    fault_if(AdapterFault::Unaligned, place, [&] { code_.i64(alignment); });
  }
  Local size = code_.local(FlatType::I64);
  code_.i64(bytes), code_.set(size);
  out_of_bounds(side, pointer, size);
  fault_if(AdapterFault::OutOfBounds, place);
  code_.give_back(size);
}

Local Mover::checked_bytes(Local pointer, Local length, std::uint32_t size, std::uint32_t alignment,
                           AdapterPlace place) {
  Local bytes = code_.local(FlatType::I64);
  code_.get(length), code_.op(Op::I64ExtendI32U);
  if (size != 1) code_.i64(size), code_.op(Op::I64Mul);
  code_.tee(bytes);
  code_.i64(kMaxByteLength), code_.op(Op::I64GtU);
  fault_if(AdapterFault::TooLong, place, [&] { code_.get(bytes); });
  if (alignment > 1) {
    code_.get(pointer), code_.i32(alignment - 1), code_.op(Op::I32And);
    fault_if(AdapterFault::Unaligned, place, [&] { code_.i64(alignment); });
  }
  out_of_bounds(from_, pointer, bytes);
  fault_if(AdapterFault::OutOfBounds, place);
  return bytes;
}

Local Mover::reallocate(Local bytes, std::uint32_t alignment, AdapterPlace place) {
  Local result = code_.local(FlatType::I32);
  code_.op(Op::AdapterForbidLeave, {to_.instance.value});
  code_.begin_guest_call();
  code_.i32(0), code_.i32(0), code_.i32(alignment);
  code_.get(bytes), code_.op(Op::I32WrapI64);
  code_.call(to_.realloc);
  code_.set(result);
  code_.end_guest_call();
  code_.op(Op::AdapterAllowLeave, {to_.instance.value});
  if (alignment > 1) {
    code_.get(result), code_.i32(alignment - 1), code_.op(Op::I32And);
    fault_if(AdapterFault::ReallocResult);
  }
  out_of_bounds(to_, result, bytes);
  fault_if(AdapterFault::ReallocBounds, place);
  return result;
}

Local Mover::allocate(std::uint32_t alignment, std::uint32_t bytes) {
  Local size = code_.local(FlatType::I64);
  code_.i64(bytes), code_.set(size);
  Local result = reallocate(size, alignment, AdapterPlace::List);
  code_.give_back(size);
  return result;
}

void Mover::string(const Place& from, const Place& to) {
  using component::StringEncoding;
  Local pointer = code_.local(FlatType::I32), length = code_.local(FlatType::I32);
  get_word(from, 0), code_.set(pointer);
  get_word(from, 1), code_.set(length);
  const bool is_utf8 =
      from_.options->string_encoding == StringEncoding::Utf8 && to_.options->string_encoding == StringEncoding::Utf8;
  if (!is_utf8) {
    code_.get(pointer), code_.get(length);
    code_.call(assist_(Assist::Kind::String, from_.instance, {}));
    code_.set(length), code_.set(pointer);
    put_word(to, 0, pointer), put_word(to, 1, length);
  } else {
    Local bytes = checked_bytes(pointer, length, 1, 1, AdapterPlace::String);
    Local target = reallocate(bytes, 1, AdapterPlace::String), problem = code_.local(FlatType::I32);
    code_.get(target), code_.get(pointer), code_.get(length);
    code_.op(Op::AdapterUtf8Copy, {to_.memory, from_.memory});
    code_.tee(problem);
    fault_if(AdapterFault::Utf8, AdapterPlace::String, [&] { code_.get(problem), code_.op(Op::I64ExtendI32U); });
    put_word(to, 0, target), put_word(to, 1, length);
    code_.give_back(bytes), code_.give_back(target), code_.give_back(problem);
  }
  code_.give_back(pointer), code_.give_back(length);
}

namespace {
std::uint32_t align_to(std::uint32_t offset, std::uint32_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}
} // namespace

void Mover::list(const Place& from, const Place& to, ValType type) {
  const TypeDef& def = types_.defs[type.index];
  const bool is_map = type.kind == TypeKind::Map;
  std::uint32_t size = types_.size(*def.element), alignment = types_.alignment(*def.element);
  if (is_map) { // of pairs
    alignment = std::max(alignment, types_.alignment(*def.error));
    size = align_to(align_to(size, types_.alignment(*def.error)) + types_.size(*def.error), alignment);
  }
  Local pointer = code_.local(FlatType::I32), length = code_.local(FlatType::I32);
  get_word(from, 0), code_.set(pointer);
  get_word(from, 1), code_.set(length);
  Local bytes = checked_bytes(pointer, length, size, alignment, AdapterPlace::List);
  Local target = reallocate(bytes, alignment, AdapterPlace::List);
  put_word(to, 0, target), put_word(to, 1, length);
  if (!is_map && is_plain(*def.element)) {
    code_.get(target), code_.get(pointer), code_.get(bytes), code_.op(Op::I32WrapI64);
    code_.op(Op::MemoryCopy, {to_.memory, from_.memory});
  } else {
    elements(pointer, target, length, *def.element, is_map ? &*def.error : nullptr);
  }
  for (Local local : {pointer, length, bytes, target}) code_.give_back(local);
}

// Uses the three locals up. With `second`: of pairs.
void Mover::elements(Local source, Local target, Local count, ValType type, const ValType* second) {
  std::uint32_t size = types_.size(type), second_at = 0;
  if (second) {
    second_at = align_to(size, types_.alignment(*second));
    size = align_to(second_at + types_.size(*second), std::max(types_.alignment(type), types_.alignment(*second)));
  }
  code_.get(count);
  code_.begin(Op::If);
  code_.begin(Op::Loop);
  move(Place::at(source), Place::at(target), type);
  if (second) move(Place::at(source, second_at), Place::at(target, second_at), *second);
  code_.get(source), code_.i32(size), code_.op(Op::I32Add), code_.set(source);
  code_.get(target), code_.i32(size), code_.op(Op::I32Add), code_.set(target);
  code_.get(count), code_.i32(1), code_.op(Op::I32Sub), code_.tee(count);
  code_.op(Op::BrIf, {0});
  code_.end();
  code_.end();
}

} // namespace cusp::compile
