#include "wasm/type_reader.h"

#include <fmt/format.h>

namespace cusp::wasm {

using base::ErrorCode;

namespace {

struct AbstractCode {
  std::uint8_t byte;
  AbstractHeapType type;
  Feature feature;
};

// The same byte is the short form of the nullable reference. Spec: 5.3.3.
constexpr AbstractCode kAbstractCodes[] = {
    {0x70, AbstractHeapType::Func, Feature::ReferenceTypes},
    {0x6f, AbstractHeapType::Extern, Feature::ReferenceTypes},
    {0x6e, AbstractHeapType::Any, Feature::Gc},
    {0x6d, AbstractHeapType::Eq, Feature::Gc},
    {0x6c, AbstractHeapType::I31, Feature::Gc},
    {0x6b, AbstractHeapType::Struct, Feature::Gc},
    {0x6a, AbstractHeapType::Array, Feature::Gc},
    {0x69, AbstractHeapType::Exn, Feature::Exceptions},
    {0x71, AbstractHeapType::None, Feature::Gc},
    {0x72, AbstractHeapType::NoExtern, Feature::Gc},
    {0x73, AbstractHeapType::NoFunc, Feature::Gc},
    {0x74, AbstractHeapType::NoExn, Feature::Exceptions},
    // Known so that a module that needs them is told so.
    {0x68, AbstractHeapType::Bottom, Feature::StackSwitching},
    {0x75, AbstractHeapType::Bottom, Feature::StackSwitching},
    {0x65, AbstractHeapType::Bottom, Feature::SharedEverythingThreads},
    {0x62, AbstractHeapType::Bottom, Feature::CustomDescriptors},
};

const AbstractCode* find_abstract(std::uint8_t byte) {
  for (const AbstractCode& code : kAbstractCodes)
    if (code.byte == byte) return &code;
  return nullptr;
}

// One byte that is a negative signed LEB128 number, as everything named in place of a type index is.
bool is_named(std::uint8_t byte) { return (byte & 0xc0) == 0x40; }

} // namespace

bool TypeReader::need(Feature feature) {
  used_.add(feature);
  if (module_.features.has(feature)) [[likely]]
    return true;
  return cursor_.fail(ErrorCode::Unsupported,
                      fmt::format("the {} feature is needed and not enabled", feature_name(feature)));
}

TypeIndex TypeReader::checked(std::uint64_t index, std::uint64_t offset) {
  const std::uint64_t known = module_.types.size();
  if (index >= std::max<std::uint64_t>(known, group_end_)) {
    cursor_.fail_at(ErrorCode::Invalid, offset, fmt::format("unknown type {}", index));
    return TypeIndex(0);
  }
  // Members of the group at hand have no canonical index yet.
  if (index >= known) return TypeIndex(static_cast<std::uint32_t>(index));
  return module_.types[index].canonical;
}

TypeIndex TypeReader::type_index() {
  const std::uint64_t offset = cursor_.offset();
  const std::uint32_t index = cursor_.u32();
  return cursor_.ok() ? checked(index, offset) : TypeIndex(0);
}

TypeIndex TypeReader::func_type_index() {
  const std::uint64_t offset = cursor_.offset();
  const TypeIndex index = type_index();
  if (cursor_.ok() && !module_.find_func_type(index))
    cursor_.fail_at(ErrorCode::Invalid, offset, fmt::format("type {} is not a function type", index.value));
  return index;
}

HeapType TypeReader::heap_type() {
  const std::uint64_t offset = cursor_.offset();
  const std::uint8_t byte = cursor_.peek();
  if (is_named(byte)) {
    const AbstractCode* code = find_abstract(byte);
    if (!code) cursor_.fail(ErrorCode::Malformed, fmt::format("malformed heap type {:#x}", byte));
    if (!code || !need(code->feature)) return AbstractHeapType::Func;
    cursor_.u8();
    return code->type;
  }
  const std::int64_t index = cursor_.s33();
  if (cursor_.ok() && index < 0) cursor_.fail_at(ErrorCode::Malformed, offset, "malformed heap type");
  if (!cursor_.ok() || !need(Feature::FunctionReferences)) return AbstractHeapType::Func;
  return HeapType(checked(static_cast<std::uint64_t>(index), offset));
}

ValType TypeReader::ref_type() {
  const std::uint8_t byte = cursor_.peek();
  if (byte == 0x63 || byte == 0x64) {
    if (!need(Feature::FunctionReferences)) return {};
    cursor_.u8();
    return ValType::ref(byte == 0x63, heap_type());
  }
  const AbstractCode* code = find_abstract(byte);
  if (cursor_.at_end()) {
    cursor_.u8(); // says so
  } else if (!code) {
    cursor_.fail(ErrorCode::Malformed, fmt::format("malformed reference type {:#x}", byte));
  } else if (need(code->feature)) {
    cursor_.u8();
    return ValType::ref(true, code->type);
  }
  return {};
}

ValType TypeReader::val_type() {
  switch (cursor_.peek()) {
  case 0x7f: cursor_.u8(); return ValType::i32();
  case 0x7e: cursor_.u8(); return ValType::i64();
  case 0x7d: cursor_.u8(); return ValType::f32();
  case 0x7c: cursor_.u8(); return ValType::f64();
  case 0x7b:
    if (!need(Feature::Simd)) return {};
    cursor_.u8();
    return ValType::v128();
  default: return ref_type();
  }
}

BlockType TypeReader::block_type() {
  const std::uint64_t offset = cursor_.offset();
  const std::uint8_t byte = cursor_.peek();
  if (byte == 0x40) {
    cursor_.u8();
    return {};
  }
  if (is_named(byte)) return BlockType(val_type());
  const std::int64_t index = cursor_.s33();
  if (cursor_.ok() && index < 0) cursor_.fail_at(ErrorCode::Malformed, offset, "malformed block type");
  if (!cursor_.ok() || !need(Feature::MultiValue)) return {};
  const TypeIndex type = checked(static_cast<std::uint64_t>(index), offset);
  if (!cursor_.ok()) return {};
  const FuncType* func = module_.find_func_type(type);
  if (!func) cursor_.fail_at(ErrorCode::Invalid, offset, fmt::format("type {} is not a function type", index));
  return BlockType(func);
}

} // namespace cusp::wasm
