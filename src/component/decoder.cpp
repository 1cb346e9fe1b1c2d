#include "component/decoder.h"

#include <fmt/format.h>

#include "component/limits.h"
#include "component/section_decoder.h"
#include "wasm/reader.h"

namespace cusp::component {

using base::ErrorCode;
using wasm::Cursor;

base::Result<std::shared_ptr<ast::Component>> SectionDecoder::run() {
  out_ = std::make_shared<ast::Component>();
  out_->offset = in_.offset();
  bool has_preamble = in_.left() >= 8 && in_.fixed32() == 0x6d736100 && in_.fixed32() == 0x0001000d;
  if (!has_preamble) in_.fail_at(ErrorCode::Malformed, out_->offset, "this is not a component");
  while (in_.ok() && !in_.at_end()) {
    std::uint8_t id = in_.u8();
    if (in_.ok()) section(id);
    if (inner_error_) return std::unexpected(std::move(*inner_error_));
    if (std::string item = counts_.describe(id); !in_.ok() && !item.empty())
      return base::with_context(in_.take_error(), item);
  }
  if (!in_.ok()) return std::unexpected(in_.take_error());
  return std::move(out_);
}

void SectionDecoder::section(std::uint8_t id) {
  std::uint32_t size = in_.u32();
  std::uint64_t offset = in_.offset();
  if (in_.ok() && size > in_.left())
    in_.fail(ErrorCode::Malformed, "length out of bounds: the section is longer than the component");
  std::span<const std::uint8_t> body = in_.bytes(size);
  if (!in_.ok()) return;
  Cursor outer = std::exchange(in_, Cursor(body, offset));
  switch (id) {
  case 0: custom(body); break;
  case 1: core_module(body, offset); break;
  case 2: each("core instance", [&] { return core_instance(); }); break;
  case 3: each("core type", [&] { return core_type(); }); break;
  case 4: nested(body, offset); break;
  case 5: each("instance", [&] { return instance(); }); break;
  case 6: each("alias", [&] { return alias(); }); break;
  case 7: each("type", [&] { return type(0); }); break;
  case 8: each("canonical function", [&] { return canon(); }); break;
  case 9: add({offset, start()}); break;
  case 10: each("import", [&] { return import(); }); break;
  case 11: each("export", [&] { return export_(); }); break;
  case 12: each("value", [&] { return value(); }); break;
  default:
    in_.fail_at(ErrorCode::Malformed, offset,
                fmt::format("malformed section id: there is no component section {}", id));
  }
  if (in_.ok() && !in_.at_end()) in_.fail(ErrorCode::Malformed, "section size mismatch: it is longer than its content");
  if (in_.ok()) in_ = outer;
}

void SectionDecoder::add(ast::Definition definition) {
  if (!in_.ok()) return;
  counts_.add(definition);
  out_->definitions.push_back(std::move(definition));
}

template <class Read> void SectionDecoder::each(std::string_view what, Read read) {
  for (std::uint32_t n = in_.count(kMaxItems, what); n != 0 && in_.ok(); --n) {
    std::uint64_t offset = in_.offset();
    add({offset, read()});
  }
}

// Only the component-name section means anything here; one that is broken names nothing.
void SectionDecoder::custom(std::span<const std::uint8_t> body) {
  std::string_view name = in_.name();
  if (!in_.ok()) return;
  Cursor in(body.subspan(body.size() - in_.left()), in_.offset());
  in_.bytes(in_.left());
  if (name != "component-name") return;
  Cursor after = std::exchange(in_, in);
  ast::Names names;
  while (in_.ok() && !in_.at_end()) {
    std::uint8_t kind = in_.u8();
    std::uint32_t size = in_.u32();
    std::uint64_t offset = in_.offset();
    Cursor rest = std::exchange(in_, Cursor(in_.bytes(size), offset));
    if (kind == 0) names.component = in_.name();
    if (kind == 1) {
      ast::SortIndex what = sort();
      for (std::uint32_t n = in_.u32(); n != 0 && in_.ok(); --n) {
        what.index = in_.u32();
        std::string_view text = in_.name();
        if (in_.ok()) names.items.emplace_back(what, text);
      }
    }
    if (in_.ok()) in_ = rest;
  }
  if (in_.ok()) out_->names = std::move(names);
  in_ = after;
}

void SectionDecoder::fail_inside(base::Error error) {
  inner_error_ = std::move(error);
  in_.fail(ErrorCode::Malformed, {});
}

void SectionDecoder::core_module(std::span<const std::uint8_t> body, std::uint64_t offset) {
  auto module = wasm::read_module(body, features_, offset);
  if (!module) return fail_inside(base::with_context(std::move(module).error(), counts_.describe(1)).error());
  in_.bytes(in_.left());
  add({offset, static_cast<std::uint32_t>(modules_.size())});
  modules_.push_back(CoreModule{body, offset, std::move(*module)});
}

void SectionDecoder::nested(std::span<const std::uint8_t> body, std::uint64_t offset) {
  if (nesting_ == kMaxNesting) {
    in_.fail_at(ErrorCode::LimitExceeded, offset, "components are nested too deeply");
    return;
  }
  auto component = SectionDecoder(body, offset, features_, modules_, nesting_ + 1).run();
  if (!component) {
    base::Error error = std::move(component).error();
    error.message = fmt::format("{} > {}", counts_.describe(4), error.message);
    return fail_inside(std::move(error));
  }
  in_.bytes(in_.left());
  add({offset, std::move(*component)});
}

bool SectionDecoder::flag(std::string_view what) {
  std::uint64_t offset = in_.offset();
  std::uint8_t byte = in_.u8();
  if (byte > 1)
    in_.fail_at(ErrorCode::Malformed, offset, fmt::format("invalid leading byte: {} is neither 0 nor 1", what));
  return byte == 1;
}

ast::CoreSort SectionDecoder::core_sort() {
  std::uint64_t offset = in_.offset();
  std::uint8_t byte = in_.u8();
  if (byte > 4 && (byte < 0x10 || byte > 0x12))
    in_.fail_at(ErrorCode::Malformed, offset, fmt::format("invalid leading byte: there is no core sort {:#x}", byte));
  return static_cast<ast::CoreSort>(in_.ok() ? byte : 0);
}

ast::SortIndex SectionDecoder::sort() {
  ast::SortIndex what;
  std::uint64_t offset = in_.offset();
  std::uint8_t byte = in_.u8();
  if (byte > 5)
    in_.fail_at(ErrorCode::Malformed, offset, fmt::format("invalid leading byte: there is no sort {:#x}", byte));
  what.sort = static_cast<ast::Sort>(in_.ok() ? byte : 0);
  if (what.sort == ast::Sort::Core) what.core = core_sort();
  return what;
}

ast::SortIndex SectionDecoder::external_index() {
  std::uint64_t offset = in_.offset();
  ast::SortIndex what = sort();
  if (what.sort == ast::Sort::Core && what.core != ast::CoreSort::Module)
    in_.fail_at(ErrorCode::Malformed, offset, "only modules can be imported, exported or passed as core items");
  what.index = in_.u32();
  return what;
}

ast::Name SectionDecoder::extern_name() {
  ast::Name name;
  std::uint64_t offset = in_.offset();
  std::uint8_t form = in_.u8();
  if (form > 2) in_.fail_at(ErrorCode::Malformed, offset, "invalid leading byte: a name has an unknown form");
  name.text = in_.name();
  if (form != 2) return name;
  for (std::uint32_t n = in_.count(kMaxOptions, "attribute"); n != 0 && in_.ok(); --n) {
    offset = in_.offset();
    std::uint8_t kind = in_.u8();
    if (kind > 2) in_.fail_at(ErrorCode::Malformed, offset, "invalid leading byte: a name has an unknown attribute");
    auto& attribute = kind == 0 ? name.implements : kind == 1 ? name.version_suffix : name.external_id;
    if (attribute) in_.fail_at(ErrorCode::Malformed, offset, "duplicate attribute of a name");
    attribute = in_.name();
  }
  return name;
}

ast::CoreInstance SectionDecoder::core_instance() {
  ast::CoreInstance instance;
  instance.inline_exports = flag("the form of a core instance");
  if (!instance.inline_exports) instance.module = in_.u32();
  for (std::uint32_t n = in_.count(kMaxItems, "core instance item"); n != 0 && in_.ok(); --n) {
    ast::CoreInstance::Item item;
    item.name = in_.name();
    std::uint64_t offset = in_.offset();
    item.sort = core_sort();
    bool is_instance = item.sort == ast::CoreSort::Instance;
    if (!instance.inline_exports && !is_instance)
      in_.fail_at(ErrorCode::Malformed, offset, "invalid leading byte: an argument is not an instance");
    if (instance.inline_exports && item.sort > ast::CoreSort::Tag)
      in_.fail_at(ErrorCode::Malformed, offset,
                  "invalid leading byte: a core instance cannot hold an item of this sort");
    item.index = in_.u32();
    instance.items.push_back(item);
  }
  return instance;
}

ast::Instance SectionDecoder::instance() {
  ast::Instance instance;
  instance.inline_exports = flag("the form of an instance");
  if (!instance.inline_exports) instance.component = in_.u32();
  for (std::uint32_t n = in_.count(kMaxItems, "instance item"); n != 0 && in_.ok(); --n) {
    ast::Instance::Item item;
    if (instance.inline_exports) item.name = extern_name();
    else item.name.text = in_.name();
    item.what = external_index();
    instance.items.push_back(item);
  }
  return instance;
}

ast::Alias SectionDecoder::alias() {
  ast::Alias alias;
  std::uint64_t offset = in_.offset();
  ast::SortIndex what = sort();
  alias.sort = what.sort, alias.core = what.core;
  std::uint8_t kind = in_.u8();
  if (kind > 2) in_.fail(ErrorCode::Malformed, "invalid leading byte: an alias has an unknown target");
  alias.kind = static_cast<ast::Alias::Kind>(kind);
  bool core = what.sort == ast::Sort::Core, type = core && what.core == ast::CoreSort::Type,
       module = core && what.core == ast::CoreSort::Module;
  bool possible = true;
  switch (alias.kind) {
  case ast::Alias::Kind::Export: possible = !core || module; break;
  case ast::Alias::Kind::CoreExport: possible = core && what.core <= ast::CoreSort::Tag; break;
  case ast::Alias::Kind::Outer:
    possible = type || module || what.sort == ast::Sort::Type || what.sort == ast::Sort::Component;
    break;
  }
  if (!possible)
    in_.fail_at(ErrorCode::Malformed, offset,
                fmt::format("invalid leading byte: a {} cannot be aliased in this way", ast::sort_name(what)));
  if (alias.kind == ast::Alias::Kind::Outer) {
    alias.count = in_.u32();
    alias.index = in_.u32();
  } else {
    alias.index = in_.u32();
    alias.name = in_.name();
  }
  return alias;
}

ast::ExternDesc SectionDecoder::extern_desc() {
  ast::ExternDesc desc;
  std::uint64_t offset = in_.offset();
  switch (in_.u8()) {
  case 0:
    if (in_.u8() != 0x11)
      in_.fail_at(ErrorCode::Malformed, offset, "only modules can be imported or exported as core items");
    desc.kind = ast::ExternKind::CoreModule, desc.index = in_.u32();
    break;
  case 1: desc.kind = ast::ExternKind::Func, desc.index = in_.u32(); break;
  case 2: desc.kind = ast::ExternKind::Value, desc.value = val_type(); break;
  case 3:
    if (flag("a type bound")) desc.kind = ast::ExternKind::TypeSub;
    else desc.kind = ast::ExternKind::TypeEq, desc.index = in_.u32();
    break;
  case 4: desc.kind = ast::ExternKind::Component, desc.index = in_.u32(); break;
  case 5: desc.kind = ast::ExternKind::Instance, desc.index = in_.u32(); break;
  default: in_.fail_at(ErrorCode::Malformed, offset, "invalid leading byte: an import or export has an unknown kind");
  }
  return desc;
}

ast::Start SectionDecoder::start() {
  ast::Start start;
  start.func = in_.u32();
  for (std::uint32_t n = in_.count(kMaxParams, "start argument"); n != 0 && in_.ok(); --n)
    start.arguments.push_back(in_.u32());
  start.results = in_.u32();
  return start;
}

ast::Import SectionDecoder::import() {
  ast::Name name = extern_name();
  return {name, extern_desc(), nullptr};
}

ast::Export SectionDecoder::export_() {
  ast::Export entry;
  entry.name = extern_name();
  entry.what = external_index();
  if (flag("the mark of an export's type")) entry.desc = extern_desc();
  return entry;
}

ast::Value SectionDecoder::value() {
  ast::Value value;
  value.type = val_type();
  std::uint32_t size = in_.u32();
  value.offset = in_.offset();
  value.bytes = in_.bytes(size);
  return value;
}

bool is_component(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 8 && bytes[0] == 0 && bytes[1] == 'a' && bytes[2] == 's' && bytes[3] == 'm' &&
         bytes[4] == 0x0d && bytes[6] == 1;
}

base::Result<Decoded> decode_component(std::span<const std::uint8_t> bytes, const wasm::Features& features) {
  Decoded decoded;
  decoded.root = CUSP_TRY(SectionDecoder(bytes, 0, features, decoded.modules, 0).run());
  return decoded;
}

} // namespace cusp::component
