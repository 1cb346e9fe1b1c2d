// Core types where a component defines them: recursion groups and module types. Type indices stay as they are written, because they are
// into the core types of the scope, which only the validator knows. Spec: Binary.md, "Type Definitions"; core 5.3.
#include <fmt/format.h>

#include "component/limits.h"
#include "component/section_decoder.h"
#include "wasm/limits.h"

namespace cusp::component {

using base::ErrorCode;
using CoreFeature = wasm::Feature;

namespace {

class CoreTypeDecoder {
public:
  CoreTypeDecoder(wasm::Cursor& in, const wasm::Features& features) : in_(in), features_(features) {}

  ast::CoreRecGroup rec_group() {
    ast::CoreRecGroup group;
    std::uint32_t size = 1;
    if (in_.peek() == 0x4e) {
      if (!need(CoreFeature::Gc)) return group;
      in_.u8();
      size = in_.count(wasm::kMaxTypes, "type");
    }
    while (size-- != 0 && in_.ok()) group.types.push_back(sub_type());
    return group;
  }

  ast::CoreExternType extern_type() {
    ast::CoreExternType type;
    std::uint64_t offset = in_.offset();
    std::uint8_t kind = in_.u8();
    if (kind > 4) in_.fail_at(ErrorCode::Malformed, offset, "a core import or export has an unknown kind");
    if (!in_.ok()) return type;
    type.kind = static_cast<wasm::ExternKind>(kind);
    switch (type.kind) {
    case wasm::ExternKind::Func: type.type = in_.u32(); break;
    case wasm::ExternKind::Table:
      type.table.element = ref_type();
      type.table.limits = limits(type.table.table64, nullptr, nullptr);
      break;
    case wasm::ExternKind::Memory:
      type.memory.limits = limits(type.memory.memory64, &type.memory.shared, &type.memory.page_size_log2);
      break;
    case wasm::ExternKind::Global:
      type.global.type = val_type();
      type.global.is_mutable = mutability();
      break;
    case wasm::ExternKind::Tag:
      need(CoreFeature::Exceptions);
      if (in_.u8() != 0) in_.fail(ErrorCode::Malformed, "malformed attribute of a tag");
      type.type = in_.u32();
      break;
    }
    return type;
  }

private:
  bool need(CoreFeature feature) {
    if (features_.has(feature)) return true;
    return in_.fail(ErrorCode::Unsupported,
                    fmt::format("the {} feature is needed and not enabled", wasm::feature_name(feature)));
  }
  bool mutability() {
    std::uint8_t byte = in_.u8();
    if (byte > 1) in_.fail(ErrorCode::Malformed, "malformed mutability");
    return byte == 1;
  }

  wasm::SubType sub_type() {
    wasm::SubType type;
    std::uint8_t form = in_.peek();
    if (form == 0x50 || form == 0x4f) {
      if (!need(CoreFeature::Gc)) return type;
      in_.u8();
      type.is_final = form == 0x4f;
      std::uint32_t supers = in_.count(wasm::kMaxTypes, "supertype");
      if (supers > 1) in_.fail(ErrorCode::Invalid, "a type has at most one supertype");
      if (supers == 1) type.supertype = wasm::TypeIndex(in_.u32());
    }
    composite(type);
    return type;
  }

  void composite(wasm::SubType& type) {
    std::uint64_t offset = in_.offset();
    switch (std::uint8_t form = in_.u8()) {
    case 0x60: {
      wasm::FuncType func;
      for (std::uint32_t n = in_.count(wasm::kMaxParams, "parameter"); n != 0 && in_.ok(); --n)
        func.params.push_back(val_type());
      for (std::uint32_t n = in_.count(wasm::kMaxResults, "result"); n != 0 && in_.ok(); --n)
        func.results.push_back(val_type());
      type.composite = std::move(func);
      break;
    }
    case 0x5f: {
      need(CoreFeature::Gc);
      wasm::StructType structure;
      for (std::uint32_t n = in_.count(wasm::kMaxStructFields, "field"); n != 0 && in_.ok(); --n)
        structure.fields.push_back(field());
      type.composite = std::move(structure);
      break;
    }
    case 0x5e:
      need(CoreFeature::Gc);
      type.composite = wasm::ArrayType{field()};
      break;
    case 0x5d: need(CoreFeature::StackSwitching); break;
    case 0x4c:
    case 0x4d: need(CoreFeature::CustomDescriptors); break;
    case 0x65: need(CoreFeature::SharedEverythingThreads); break;
    default:
      in_.fail_at(ErrorCode::Malformed, offset, fmt::format("invalid leading byte: there is no core type {:#x}", form));
    }
  }

  wasm::FieldType field() {
    wasm::FieldType field;
    std::uint8_t byte = in_.peek();
    if (byte == 0x78 || byte == 0x77) {
      in_.u8();
      field.packed = byte == 0x78 ? wasm::Packed::I8 : wasm::Packed::I16;
      field.type = wasm::ValType::i32();
    } else {
      field.type = val_type();
    }
    field.is_mutable = mutability();
    return field;
  }

  wasm::ValType val_type() {
    std::uint8_t byte = in_.peek();
    constexpr wasm::ValType kNumbers[] = {wasm::ValType::v128(), wasm::ValType::f64(), wasm::ValType::f32(),
                                          wasm::ValType::i64(), wasm::ValType::i32()};
    if (byte < 0x7b || byte > 0x7f) return ref_type();
    in_.u8();
    return kNumbers[byte - 0x7b];
  }

  wasm::ValType ref_type() {
    std::uint8_t byte = in_.peek();
    if (byte != 0x63 && byte != 0x64) return wasm::ValType::ref(true, heap_type());
    need(CoreFeature::FunctionReferences);
    in_.u8();
    return wasm::ValType::ref(byte == 0x63, heap_type());
  }

  wasm::HeapType heap_type() {
    using enum wasm::AbstractHeapType;
    constexpr wasm::AbstractHeapType kAbstract[] = {Exn,    Array, Struct, I31,      Eq,     Any,
                                                    Extern, Func,  None,   NoExtern, NoFunc, NoExn};
    std::uint64_t offset = in_.offset();
    std::int64_t value = in_.s33();
    if (value >= 0) return wasm::HeapType(wasm::TypeIndex(static_cast<std::uint32_t>(value)));
    if (value < -0x17 || value > -0x0c) {
      in_.fail_at(ErrorCode::Malformed, offset, "malformed heap type");
      return Func;
    }
    wasm::AbstractHeapType type = kAbstract[value + 0x17];
    if (type == Exn || type == NoExn) need(CoreFeature::Exceptions);
    else if (type != Func && type != Extern) need(CoreFeature::Gc);
    return type;
  }

  // Of a memory, or of a table: then `shared` and `page_size_log2` are null.
  wasm::Limits limits(bool& is_64, bool* shared, std::uint8_t* page_size_log2) {
    wasm::Limits limits;
    std::uint64_t offset = in_.offset();
    std::uint8_t flags = in_.u8();
    if (flags > (shared ? 15 : 7) || (!shared && (flags & 2))) {
      in_.fail_at(ErrorCode::Malformed, offset, "malformed limits flags");
      return limits;
    }
    if (flags & 2 && need(CoreFeature::Threads)) *shared = true;
    if (flags & 4) need(CoreFeature::Memory64), is_64 = true;
    limits.min = is_64 ? in_.u64() : in_.u32();
    if (flags & 1) limits.max = is_64 ? in_.u64() : in_.u32();
    unsigned log2 = 16;
    if (flags & 8 && need(CoreFeature::CustomPageSizes)) {
      log2 = in_.u32();
      if (log2 != 0 && log2 != 16) in_.fail_at(ErrorCode::Invalid, offset, "invalid custom page size");
      *page_size_log2 = static_cast<std::uint8_t>(log2);
    }
    if (limits.max && *limits.max < limits.min)
      in_.fail_at(ErrorCode::Invalid, offset, "size minimum must not be greater than maximum");
    if (!shared) return limits;
    std::uint64_t most = is_64 ? wasm::kMaxMemory64Pages : wasm::kMaxMemory32Pages;
    if (log2 == 0) most = is_64 ? ~std::uint64_t{0} : 0xffffffff;
    if (limits.min > most || limits.max.value_or(0) > most)
      in_.fail_at(ErrorCode::Invalid, offset, "memory size must be at most 65536 pages (4 GiB)");
    if (*shared && !limits.max) in_.fail_at(ErrorCode::Invalid, offset, "shared memory must have maximum");
    return limits;
  }

  wasm::Cursor& in_;
  const wasm::Features& features_;
};

} // namespace

ast::CoreTypeDecl SectionDecoder::core_type() {
  // 0x50 is a module type here; a type that is not final has 0x00 before it.
  std::uint8_t form = in_.peek();
  if (form == 0x50) {
    in_.u8();
    return module_type();
  }
  if (form == 0x00) {
    in_.u8();
    if (in_.peek() != 0x50) in_.fail(ErrorCode::Malformed, "invalid leading byte: a non-final sub type was expected");
  }
  return rec_group();
}

ast::CoreRecGroup SectionDecoder::rec_group() { return CoreTypeDecoder(in_, features_).rec_group(); }
ast::CoreExternType SectionDecoder::core_extern_type() { return CoreTypeDecoder(in_, features_).extern_type(); }

ast::CoreModuleType SectionDecoder::module_type() {
  ast::CoreModuleType type;
  for (std::uint32_t n = in_.count(kMaxItems, "module declaration"); n != 0 && in_.ok(); --n) {
    std::uint64_t offset = in_.offset();
    switch (in_.u8()) {
    case 0: {
      std::string_view module = in_.name(), name = in_.name();
      type.declarations.push_back(ast::CoreImport{module, name, core_extern_type()});
      break;
    }
    case 1: type.declarations.push_back(rec_group()); break;
    case 2: {
      if (in_.u8() != 0x10 || in_.u8() != 0x01)
        in_.fail(ErrorCode::Malformed, "invalid leading byte: a module type aliases types from outside only");
      std::uint32_t count = in_.u32();
      type.declarations.push_back(ast::CoreOuterAlias{count, in_.u32()});
      break;
    }
    case 3: {
      std::string_view name = in_.name();
      type.declarations.push_back(ast::CoreExport{name, core_extern_type()});
      break;
    }
    default:
      in_.fail_at(ErrorCode::Malformed, offset, "invalid leading byte: a module type has an unknown declaration");
    }
  }
  return type;
}

} // namespace cusp::component
