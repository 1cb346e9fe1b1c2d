#include "compose/scope_writer.h"

#include <utility>

namespace cusp::compose {

using component::ast::ExternKind;

namespace {

constexpr std::uint8_t kPreamble[] = {0, 'a', 's', 'm', 0x0d, 0, 1, 0};
enum SectionId : std::uint8_t {
  kCustom = 0,
  kCoreModule = 1,
  kCoreInstance = 2,
  kComponent = 4,
  kInstance = 5,
  kAlias = 6,
  kType = 7,
  kCanon = 8,
  kImport = 10,
  kExport = 11,
};
enum Declaration : std::uint8_t { kTypeDecl = 1, kAliasDecl = 2, kImportDecl = 3, kExportDecl = 4 };

void write_sort(Bytes& out, Sort sort) { out.u8(static_cast<std::uint8_t>(sort)); }

void write_label(Bytes& out, const ExternLabel& label) {
  std::uint32_t attributes = (label.implements.empty() ? 0 : 1) + (label.external_id.empty() ? 0 : 1);
  out.u8(attributes == 0 ? 0 : 2).name(label.name);
  if (attributes == 0) return;
  out.u32(attributes);
  if (!label.implements.empty()) out.u8(0).name(label.implements);
  if (!label.external_id.empty()) out.u8(2).name(label.external_id);
}

void write_extern(Bytes& out, ExternType type) {
  switch (type.kind) {
  case ExternKind::CoreModule: out.u8(0).u8(0x11).u32(type.index); break;
  case ExternKind::Func: out.u8(1).u32(type.index); break;
  case ExternKind::Value: out.u8(2).u8(1).u32(type.index); break;
  case ExternKind::TypeEq: out.u8(3).u8(0).u32(type.index); break;
  case ExternKind::TypeSub: out.u8(3).u8(1); break;
  case ExternKind::Component: out.u8(4).u32(type.index); break;
  case ExternKind::Instance: out.u8(5).u32(type.index); break;
  }
}

} // namespace

void ScopeWriter::flush() {
  if (pending_count_ == 0) return;
  Bytes body;
  body.u32(pending_count_).append(pending_);
  pending_count_ = 0;
  pending_ = {};
  out_.u8(pending_section_).sized(body.view());
}

void ScopeWriter::section(std::uint8_t id, std::span<const std::uint8_t> bytes) {
  flush();
  out_.u8(id).sized(bytes);
}

void ScopeWriter::item(std::uint8_t section, std::uint8_t declaration, const Bytes& bytes) {
  if (kind_ != ScopeKind::Component) {
    pending_.u8(declaration).append(bytes);
  } else {
    if (pending_section_ != section) flush();
    pending_section_ = section;
    pending_.append(bytes);
  }
  ++pending_count_;
}

std::uint32_t ScopeWriter::added(Sort sort) { return counts_[static_cast<unsigned>(sort)]++; }

std::uint32_t ScopeWriter::added(ExternType type) {
  switch (type.kind) {
  case ExternKind::CoreModule: return core_counts_[static_cast<unsigned>(CoreSort::Module)]++;
  case ExternKind::Func: return added(Sort::Func);
  case ExternKind::Value: return added(Sort::Value);
  case ExternKind::TypeEq:
  case ExternKind::TypeSub: return added(Sort::Type);
  case ExternKind::Component: return added(Sort::Component);
  case ExternKind::Instance: return added(Sort::Instance);
  }
  std::unreachable();
}

std::uint32_t ScopeWriter::type(const Bytes& definition) {
  item(kType, kTypeDecl, definition);
  return added(Sort::Type);
}

std::uint32_t ScopeWriter::alias_export(Sort sort, std::uint32_t instance, std::string_view name) {
  Bytes bytes;
  write_sort(bytes, sort);
  item(kAlias, kAliasDecl, bytes.u8(0).u32(instance).name(name));
  return added(sort);
}

std::uint32_t ScopeWriter::alias_outer_type(std::uint32_t count, std::uint32_t index) {
  Bytes bytes;
  write_sort(bytes, Sort::Type);
  item(kAlias, kAliasDecl, bytes.u8(2).u32(count).u32(index));
  return added(Sort::Type);
}

std::uint32_t ScopeWriter::import(const ExternLabel& label, ExternType type) {
  Bytes bytes;
  write_label(bytes, label);
  write_extern(bytes, type);
  item(kImport, kImportDecl, bytes);
  return added(type);
}

std::uint32_t ScopeWriter::export_declaration(const ExternLabel& label, ExternType type) {
  Bytes bytes;
  write_label(bytes, label);
  write_extern(bytes, type);
  item(kExport, kExportDecl, bytes);
  return added(type);
}

std::uint32_t ScopeWriter::export_item(const ExternLabel& label, Sort sort, std::uint32_t index,
                                       const ExternType* ascribed) {
  Bytes bytes;
  write_label(bytes, label);
  write_sort(bytes, sort);
  bytes.u32(index).u8(ascribed ? 1 : 0);
  if (ascribed) write_extern(bytes, *ascribed);
  item(kExport, kExportDecl, bytes);
  return added(sort);
}

std::uint32_t ScopeWriter::core_module(std::span<const std::uint8_t> bytes) {
  section(kCoreModule, bytes);
  return core_counts_[static_cast<unsigned>(CoreSort::Module)]++;
}

std::uint32_t ScopeWriter::component(std::span<const std::uint8_t> bytes) {
  section(kComponent, bytes);
  return added(Sort::Component);
}

std::uint32_t ScopeWriter::core_instantiate(std::uint32_t module, const std::vector<CoreNamedIndex>& instances) {
  Bytes bytes{0};
  bytes.u32(module).u32(instances.size());
  for (const CoreNamedIndex& argument : instances)
    bytes.name(argument.name).u8(static_cast<std::uint8_t>(CoreSort::Instance)).u32(argument.index);
  item(kCoreInstance, 0, bytes);
  return core_counts_[static_cast<unsigned>(CoreSort::Instance)]++;
}

std::uint32_t ScopeWriter::core_bundle(const std::vector<CoreNamedIndex>& items) {
  Bytes bytes{1};
  bytes.u32(items.size());
  for (const CoreNamedIndex& entry : items)
    bytes.name(entry.name).u8(static_cast<std::uint8_t>(entry.sort)).u32(entry.index);
  item(kCoreInstance, 0, bytes);
  return core_counts_[static_cast<unsigned>(CoreSort::Instance)]++;
}

std::uint32_t ScopeWriter::instantiate(std::uint32_t component, const std::vector<NamedIndex>& arguments) {
  Bytes bytes{0};
  bytes.u32(component).u32(arguments.size());
  for (const NamedIndex& argument : arguments) {
    bytes.name(argument.name);
    write_sort(bytes, argument.sort);
    bytes.u32(argument.index);
  }
  item(kInstance, 0, bytes);
  return added(Sort::Instance);
}

std::uint32_t ScopeWriter::alias_core_export(CoreSort sort, std::uint32_t instance, std::string_view name) {
  Bytes bytes;
  write_sort(bytes, Sort::Core);
  item(kAlias, kAliasDecl, bytes.u8(static_cast<std::uint8_t>(sort)).u8(1).u32(instance).name(name));
  return core_counts_[static_cast<unsigned>(sort)]++;
}

std::uint32_t ScopeWriter::canon(const Bytes& definition) {
  item(kCanon, 0, definition);
  bool lift = definition.view()[0] == 0;
  return lift ? added(Sort::Func) : core_counts_[static_cast<unsigned>(CoreSort::Func)]++;
}

void ScopeWriter::custom(std::string_view name, std::span<const std::uint8_t> bytes) {
  Bytes body;
  body.name(name).append(bytes);
  section(kCustom, body.view());
}

std::vector<std::uint8_t> ScopeWriter::finish() {
  Bytes result;
  if (kind_ == ScopeKind::Component) {
    flush();
    result.append(std::span(kPreamble)).append(out_);
  } else {
    result.u8(kind_ == ScopeKind::ComponentType ? 0x41 : 0x42).u32(pending_count_).append(pending_);
  }
  return result.take();
}

} // namespace cusp::compose
