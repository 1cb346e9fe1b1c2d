#include <fmt/format.h>

#include "component/limits.h"
#include "component/section_decoder.h"

namespace cusp::component {

using base::ErrorCode;

namespace {

std::optional<TypeKind> primitive(std::uint8_t byte) {
  constexpr TypeKind kKinds[] = {TypeKind::String, TypeKind::Char, TypeKind::F64, TypeKind::F32, TypeKind::U64,
                                 TypeKind::S64,    TypeKind::U32,  TypeKind::S32, TypeKind::U16, TypeKind::S16,
                                 TypeKind::U8,     TypeKind::S8,   TypeKind::Bool};
  if (byte >= 0x73 && byte <= 0x7f) return kKinds[byte - 0x73];
  if (byte == 0x64) return TypeKind::ErrorContext;
  return std::nullopt;
}

} // namespace

ast::ValRef SectionDecoder::val_type() {
  std::uint64_t offset = in_.offset();
  std::int64_t value = in_.s33(); // negative: a primitive, as one byte with bit 6 set
  if (value >= 0) return {std::nullopt, static_cast<std::uint32_t>(value)};
  auto kind = value >= -64 ? primitive(static_cast<std::uint8_t>(value + 128)) : std::nullopt;
  if (!kind) in_.fail_at(ErrorCode::Malformed, offset, "a value type is unknown");
  return {kind, 0};
}

std::optional<ast::ValRef> SectionDecoder::optional_val_type() {
  if (!flag("the mark of an optional type")) return std::nullopt;
  return val_type();
}

std::optional<ast::ValRef> SectionDecoder::result_list() {
  if (!flag("the form of a result")) return val_type();
  if (in_.u8() != 0) in_.fail(ErrorCode::Malformed, "invalid leading byte: a function has one result or none");
  return std::nullopt;
}

void SectionDecoder::labels(ast::DefType& def, bool typed) {
  for (std::uint32_t n = in_.count(kMaxLabels, "label"); n != 0 && in_.ok(); --n) {
    ast::LabelRef label{in_.name(), std::nullopt};
    if (typed) label.type = val_type();
    def.labels.push_back(label);
  }
}

void SectionDecoder::cases(ast::DefType& def) {
  for (std::uint32_t n = in_.count(kMaxLabels, "case"); n != 0 && in_.ok(); --n) {
    std::string_view name = in_.name();
    def.labels.push_back({name, optional_val_type()});
    if (in_.u8() != 0) in_.fail(ErrorCode::Malformed, "a case refines another, which is no longer possible");
  }
}

// False: `form` is of another type.
bool SectionDecoder::value_type_definition(std::uint8_t form, ast::DefType& def) {
  switch (form) {
  case 0x72: def.kind = TypeKind::Record, labels(def, true); return true;
  case 0x71: def.kind = TypeKind::Variant, cases(def); return true;
  case 0x70: def.kind = TypeKind::List, def.element = val_type(); return true;
  case 0x67: def.kind = TypeKind::FixedList, def.element = val_type(), def.length = in_.u32(); return true;
  case 0x6f:
    def.kind = TypeKind::Tuple;
    for (std::uint32_t n = in_.count(kMaxLabels, "tuple field"); n != 0 && in_.ok(); --n)
      def.labels.push_back({{}, val_type()});
    return true;
  case 0x6e: def.kind = TypeKind::Flags, labels(def, false); return true;
  case 0x6d: def.kind = TypeKind::Enum, labels(def, false); return true;
  case 0x6b: def.kind = TypeKind::Option, def.element = val_type(); return true;
  case 0x6a:
    def.kind = TypeKind::Result, def.element = optional_val_type(), def.error = optional_val_type();
    return true;
  case 0x69: def.kind = TypeKind::Own, def.resource = in_.u32(); return true;
  case 0x68: def.kind = TypeKind::Borrow, def.resource = in_.u32(); return true;
  case 0x66: def.kind = TypeKind::Stream, def.element = optional_val_type(); return true;
  case 0x65: def.kind = TypeKind::Future, def.element = optional_val_type(); return true;
  case 0x63: def.kind = TypeKind::Map, def.element = val_type(), def.error = val_type(); return true;
  default: return false;
  }
}

ast::FuncTypeRef SectionDecoder::func_type(bool is_async) {
  ast::FuncTypeRef func;
  func.is_async = is_async;
  for (std::uint32_t n = in_.count(kMaxParams, "parameter"); n != 0 && in_.ok(); --n) {
    std::string_view name = in_.name();
    func.params.push_back({name, val_type()});
  }
  func.result = result_list();
  return func;
}

ast::ResourceType SectionDecoder::resource_type() {
  ast::ResourceType resource;
  resource.rep = address_type("a resource's representation");
  if (flag("the mark of a destructor")) resource.destructor = in_.u32();
  return resource;
}

ast::TypeDecl SectionDecoder::type(unsigned depth) {
  if (depth > kMaxNesting) in_.fail(ErrorCode::LimitExceeded, "types are nested too deeply");
  std::uint64_t offset = in_.offset();
  std::uint8_t form = in_.u8();
  if (auto kind = primitive(form)) return {ast::ValRef{kind, 0}};
  switch (form) {
  case 0x3f: return {resource_type()};
  case 0x40:
  case 0x43: return {func_type(form == 0x43)};
  case 0x41:
  case 0x42: return {scope(form == 0x42, depth + 1), form == 0x42};
  default: break;
  }
  ast::DefType def;
  if (!value_type_definition(form, def))
    in_.fail_at(ErrorCode::Malformed, offset,
                fmt::format("invalid leading byte: there is no component type {:#x}", form));
  return {def};
}

std::shared_ptr<ast::Scope> SectionDecoder::scope(bool instance, unsigned depth) {
  auto result = std::make_shared<ast::Scope>();
  for (std::uint32_t n = in_.count(kMaxItems, "declaration"); n != 0 && in_.ok(); --n) {
    std::uint64_t offset = in_.offset();
    ast::Definition definition{offset, ast::Start{}};
    switch (std::uint8_t form = in_.u8()) {
    case 0: definition.what = core_type(); break;
    case 1: definition.what = type(depth); break;
    case 2: definition.what = alias(); break;
    case 3:
      if (instance) in_.fail_at(ErrorCode::Malformed, offset, "invalid leading byte: an instance type has no imports");
      definition.what = import();
      break;
    case 4: {
      ast::Name name = extern_name();
      definition.what = ast::Export{name, {}, extern_desc(), nullptr};
      break;
    }
    default:
      in_.fail_at(ErrorCode::Malformed, offset,
                  fmt::format("invalid leading byte: there is no declaration {:#x}", form));
    }
    if (in_.ok()) result->definitions.push_back(std::move(definition));
  }
  return result;
}

} // namespace cusp::component
