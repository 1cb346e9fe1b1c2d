#include "component/decoder.h"

#include <fmt/format.h>

#include "wasm/cursor.h"
#include "wasm/reader.h"

namespace cusp::component {

using base::ErrorCode;
using wasm::Cursor;

namespace {

constexpr std::uint32_t kMaxCount = 100'000;
constexpr unsigned kMaxNesting = 100;

struct BuiltinRow {
  std::uint8_t opcode;
  BuiltinKind kind;
  std::string_view immediates;
};
constexpr BuiltinRow kBuiltins[] = {
#define BUILTIN(opcode, Name, text, immediates, params, results) {opcode, BuiltinKind::Name, immediates},
#include "component/canon_builtins.def"
};

class Decoder {
public:
  Decoder(std::span<const std::uint8_t> bytes, std::uint64_t offset, const wasm::Features& features,
          std::vector<CoreModule>& modules, unsigned nesting)
      : in_(bytes, offset), features_(features), modules_(modules), nesting_(nesting) {}

  base::Result<std::shared_ptr<ast::Component>> run() {
    auto component = std::make_shared<ast::Component>();
    out_ = &component->definitions;
    if (in_.fixed32() != 0x6d736100 || in_.fixed32() != 0x0001000d)
      in_.fail_at(ErrorCode::Malformed, in_.offset(), "this is not a component");
    while (in_.ok() && !in_.at_end()) section();
    if (nested_error_) return std::unexpected(std::move(*nested_error_));
    if (!in_.ok()) return std::unexpected(in_.take_error());
    return component;
  }

private:
  void section() {
    std::uint8_t id = in_.u8();
    std::uint32_t size = in_.u32();
    std::uint64_t offset = in_.offset();
    std::span<const std::uint8_t> body = in_.bytes(size);
    if (!in_.ok()) return;
    Cursor outer = std::exchange(in_, Cursor(body, offset));
    switch (id) {
    case 0: in_.name(), in_.bytes(in_.left()); break;
    case 1: core_module(body, offset); break;
    case 2: each("core instance", [&] { return core_instance(); }); break;
    case 3: each("core type", [&] { return core_type(); }); break;
    case 4: nested(body, offset); break;
    case 5: each("instance", [&] { return instance(); }); break;
    case 6: each("alias", [&] { return alias(); }); break;
    case 7: each("type", [&] { return type(0); }); break;
    case 8: each("canonical function", [&] { return canon(); }); break;
    case 9: start(); break;
    case 10: each("import", [&] { return import(); }); break;
    case 11: each("export", [&] { return export_(); }); break;
    case 12: in_.fail_at(ErrorCode::Unsupported, offset, "value definitions are not supported"); break;
    default: in_.fail_at(ErrorCode::Malformed, offset, fmt::format("there is no component section {}", id));
    }
    if (in_.ok() && !in_.at_end()) in_.fail(ErrorCode::Malformed, "the section is longer than its content");
    if (!in_.ok()) return; // keep the error
    in_ = outer;
  }

  template <class Read> void each(std::string_view what, Read read) {
    for (std::uint32_t n = in_.count(kMaxCount, what); n != 0 && in_.ok(); --n) {
      std::uint64_t offset = in_.offset();
      ast::Definition definition{offset, read()};
      if (in_.ok()) out_->push_back(std::move(definition));
    }
  }

  void core_module(std::span<const std::uint8_t> body, std::uint64_t offset) {
    auto module = wasm::read_module(body, features_, offset);
    if (!module) {
      nested_error_ = std::move(module).error();
      in_.fail(ErrorCode::Malformed, "");
      return;
    }
    out_->push_back({offset, static_cast<std::uint32_t>(modules_.size())});
    modules_.push_back(CoreModule{body, offset, std::move(*module)});
    in_.bytes(in_.left());
  }

  void nested(std::span<const std::uint8_t> body, std::uint64_t offset) {
    if (nesting_ == kMaxNesting) {
      in_.fail_at(ErrorCode::LimitExceeded, offset, "components are nested too deeply");
      return;
    }
    auto component = Decoder(body, offset, features_, modules_, nesting_ + 1).run();
    if (!component) {
      nested_error_ = std::move(component).error();
      in_.fail(ErrorCode::Malformed, "");
      return;
    }
    out_->push_back({offset, std::move(*component)});
    in_.bytes(in_.left());
  }

  ast::CoreSort core_sort() {
    std::uint8_t byte = in_.u8();
    if (byte > 4 && (byte < 0x10 || byte > 0x12))
      in_.fail(ErrorCode::Malformed, fmt::format("there is no core sort {:#x}", byte));
    return static_cast<ast::CoreSort>(byte);
  }
  void sort(ast::Sort& sort, ast::CoreSort& core) {
    std::uint8_t byte = in_.u8();
    if (byte > 5) in_.fail(ErrorCode::Malformed, fmt::format("there is no sort {:#x}", byte));
    sort = static_cast<ast::Sort>(byte);
    if (sort == ast::Sort::Core) core = core_sort();
  }
  ast::SortIndex sort_index() {
    ast::SortIndex what;
    sort(what.sort, what.core);
    what.index = in_.u32();
    return what;
  }
  bool flag(std::string_view what) {
    std::uint8_t byte = in_.u8();
    if (byte > 1) in_.fail(ErrorCode::Malformed, fmt::format("{} is neither 0 nor 1", what));
    return byte == 1;
  }
  std::string_view extern_name() {
    std::uint8_t form = in_.u8();
    if (form > 2) in_.fail(ErrorCode::Malformed, "a name has an unknown form");
    std::string_view name = in_.name();
    if (form == 2)
      for (std::uint32_t n = in_.count(100, "attribute"); n != 0 && in_.ok(); --n) {
        if (in_.u8() > 2) in_.fail(ErrorCode::Malformed, "a name has an unknown attribute");
        in_.name();
      }
    return name;
  }

  ast::CoreInstance core_instance() {
    ast::CoreInstance instance;
    instance.inline_exports = flag("the form of a core instance");
    if (!instance.inline_exports) instance.module = in_.u32();
    for (std::uint32_t n = in_.count(kMaxCount, "core instance item"); n != 0 && in_.ok(); --n) {
      ast::CoreInstance::Item item;
      item.name = in_.name();
      item.sort = core_sort();
      if (!instance.inline_exports && item.sort != ast::CoreSort::Instance)
        in_.fail(ErrorCode::Malformed, "an argument is not an instance");
      item.index = in_.u32();
      instance.items.push_back(item);
    }
    return instance;
  }

  ast::Instance instance() {
    ast::Instance instance;
    instance.inline_exports = flag("the form of an instance");
    if (!instance.inline_exports) instance.component = in_.u32();
    for (std::uint32_t n = in_.count(kMaxCount, "instance item"); n != 0 && in_.ok(); --n) {
      std::string_view name = instance.inline_exports ? extern_name() : in_.name();
      instance.items.push_back({name, sort_index()});
    }
    return instance;
  }

  ast::Alias alias() {
    ast::Alias alias;
    sort(alias.sort, alias.core);
    std::uint8_t kind = in_.u8();
    if (kind > 2) in_.fail(ErrorCode::Malformed, "an alias has an unknown target");
    alias.kind = static_cast<ast::Alias::Kind>(kind);
    if (alias.kind == ast::Alias::Kind::Outer) {
      alias.count = in_.u32();
      alias.index = in_.u32();
    } else {
      alias.index = in_.u32();
      alias.name = in_.name();
    }
    return alias;
  }

  // Core types matter to run time only as module types, which bound imports; their content is read over.
  ast::CoreTypeDecl core_type() {
    std::uint8_t form = in_.u8();
    if (form == 0x50) {
      for (std::uint32_t n = in_.count(kMaxCount, "module declaration"); n != 0 && in_.ok(); --n) module_declaration();
      return {true};
    }
    if (form == 0x60) {
      for (int list = 0; list < 2; ++list)
        for (std::uint32_t n = in_.count(1000, "core value type"); n != 0 && in_.ok(); --n) core_value_type();
      return {false};
    }
    in_.fail(ErrorCode::Unsupported, fmt::format("core type {:#x} inside a component is not supported", form));
    return {};
  }
  void core_value_type() {
    std::uint8_t byte = in_.u8();
    if (byte == 0x63 || byte == 0x64) in_.s33();
  }
  void limits() {
    std::uint8_t flags = in_.u8();
    in_.u64();
    if (flags & 1) in_.u64();
    if (flags & 8) in_.u32();
  }
  void core_extern_type() {
    switch (in_.u8()) {
    case 0: in_.u32(); break;
    case 1: core_value_type(), limits(); break;
    case 2: limits(); break;
    case 3: core_value_type(), in_.u8(); break;
    case 4: in_.u8(), in_.u32(); break;
    default: in_.fail(ErrorCode::Malformed, "a core import or export has an unknown kind");
    }
  }
  void module_declaration() {
    switch (in_.u8()) {
    case 0: in_.name(), in_.name(), core_extern_type(); break;
    case 1: core_type(); break;
    case 2: in_.u8(), in_.u8(), in_.u32(), in_.u32(); break;
    case 3: in_.name(), core_extern_type(); break;
    default: in_.fail(ErrorCode::Malformed, "a module type has an unknown declaration");
    }
  }

  static std::optional<TypeKind> primitive(std::uint8_t byte) {
    constexpr TypeKind kKinds[] = {TypeKind::String, TypeKind::Char, TypeKind::F64, TypeKind::F32, TypeKind::U64,
                                   TypeKind::S64,    TypeKind::U32,  TypeKind::S32, TypeKind::U16, TypeKind::S16,
                                   TypeKind::U8,     TypeKind::S8,   TypeKind::Bool};
    if (byte >= 0x73 && byte <= 0x7f) return kKinds[byte - 0x73];
    if (byte == 0x64) return TypeKind::ErrorContext;
    return std::nullopt;
  }
  ast::ValRef val_type() {
    std::int64_t value = in_.s33(); // negative: a primitive, as one byte with bit 6 set
    if (value >= 0) return {std::nullopt, static_cast<std::uint32_t>(value)};
    auto kind = value >= -64 ? primitive(static_cast<std::uint8_t>(value + 128)) : std::nullopt;
    if (!kind) in_.fail(ErrorCode::Malformed, "a value type is unknown");
    return {kind, 0};
  }
  std::optional<ast::ValRef> optional_val_type() {
    if (!flag("the mark of an optional type")) return std::nullopt;
    return val_type();
  }
  std::optional<ast::ValRef> result_list() {
    if (!flag("the form of a result")) return val_type();
    if (in_.u8() != 0) in_.fail(ErrorCode::Malformed, "named results are not supported");
    return std::nullopt;
  }

  ast::TypeDecl type(unsigned depth) {
    if (depth > kMaxNesting) in_.fail(ErrorCode::LimitExceeded, "types are nested too deeply");
    std::uint8_t form = in_.u8();
    if (auto kind = primitive(form)) return {ast::ValRef{kind, 0}};
    ast::DefType def;
    auto labels = [&](bool typed) {
      for (std::uint32_t n = in_.count(kMaxCount, "label"); n != 0 && in_.ok(); --n) {
        ast::LabelRef label{in_.name(), std::nullopt};
        if (typed) label.type = val_type();
        def.labels.push_back(label);
      }
      if (def.labels.empty() && in_.ok()) in_.fail(ErrorCode::Malformed, "a type has no fields, cases or labels");
    };
    switch (form) {
    case 0x72: def.kind = TypeKind::Record, labels(true); return {def};
    case 0x71:
      def.kind = TypeKind::Variant;
      for (std::uint32_t n = in_.count(kMaxCount, "case"); n != 0 && in_.ok(); --n) {
        ast::LabelRef label{in_.name(), optional_val_type()};
        if (in_.u8() != 0) in_.fail(ErrorCode::Malformed, "a case refines another, which is no longer possible");
        def.labels.push_back(label);
      }
      if (def.labels.empty() && in_.ok()) in_.fail(ErrorCode::Malformed, "a variant has no cases");
      return {def};
    case 0x70: def.kind = TypeKind::List, def.element = val_type(); return {def};
    case 0x67: def.kind = TypeKind::FixedList, def.element = val_type(), def.length = in_.u32(); return {def};
    case 0x6f:
      def.kind = TypeKind::Tuple;
      for (std::uint32_t n = in_.count(kMaxCount, "tuple field"); n != 0 && in_.ok(); --n)
        def.labels.push_back({{}, val_type()});
      if (def.labels.empty() && in_.ok()) in_.fail(ErrorCode::Malformed, "a tuple has no fields");
      return {def};
    case 0x6e:
      def.kind = TypeKind::Flags, labels(false);
      if (def.labels.size() > 32) in_.fail(ErrorCode::Invalid, "flags have more than 32 labels");
      return {def};
    case 0x6d: def.kind = TypeKind::Enum, labels(false); return {def};
    case 0x6b: def.kind = TypeKind::Option, def.element = val_type(); return {def};
    case 0x6a:
      def.kind = TypeKind::Result, def.element = optional_val_type(), def.error = optional_val_type();
      return {def};
    case 0x69: def.kind = TypeKind::Own, def.resource = in_.u32(); return {def};
    case 0x68: def.kind = TypeKind::Borrow, def.resource = in_.u32(); return {def};
    case 0x66: def.kind = TypeKind::Stream, def.element = optional_val_type(); return {def};
    case 0x65: def.kind = TypeKind::Future, def.element = optional_val_type(); return {def};
    case 0x63: def.kind = TypeKind::Map, def.element = val_type(), def.error = val_type(); return {def};
    case 0x40:
    case 0x43: {
      ast::FuncTypeRef func;
      func.is_async = form == 0x43;
      for (std::uint32_t n = in_.count(1000, "parameter"); n != 0 && in_.ok(); --n) {
        std::string_view name = in_.name();
        func.params.push_back({name, val_type()});
      }
      func.result = result_list();
      return {func};
    }
    case 0x41:
    case 0x42: return {scope(form == 0x42, depth + 1), form == 0x42};
    case 0x3f: {
      ast::ResourceType resource;
      if (in_.u8() != 0x7f) in_.fail(ErrorCode::Unsupported, "a resource's representation is not i32");
      if (flag("the mark of a destructor")) resource.destructor = in_.u32();
      return {resource};
    }
    default: in_.fail(ErrorCode::Malformed, fmt::format("there is no component type {:#x}", form)); return {};
    }
  }

  std::shared_ptr<ast::Scope> scope(bool instance, unsigned depth) {
    auto result = std::make_shared<ast::Scope>();
    for (std::uint32_t n = in_.count(kMaxCount, "declaration"); n != 0 && in_.ok(); --n) {
      std::uint64_t offset = in_.offset();
      ast::Definition definition{offset, ast::Start{}};
      switch (std::uint8_t form = in_.u8()) {
      case 0: definition.what = core_type(); break;
      case 1: definition.what = type(depth); break;
      case 2: definition.what = alias(); break;
      case 3:
        if (instance) in_.fail(ErrorCode::Malformed, "an instance type has no imports");
        definition.what = import();
        break;
      case 4: {
        std::string_view name = extern_name();
        definition.what = ast::Export{name, {}, extern_desc()};
        break;
      }
      default: in_.fail(ErrorCode::Malformed, fmt::format("there is no declaration {:#x}", form));
      }
      if (in_.ok()) result->definitions.push_back(std::move(definition));
    }
    return result;
  }

  ast::ExternDesc extern_desc() {
    ast::ExternDesc desc;
    switch (in_.u8()) {
    case 0:
      if (in_.u8() != 0x11) in_.fail(ErrorCode::Malformed, "only modules can be imported or exported as core items");
      desc.kind = ast::ExternKind::CoreModule, desc.index = in_.u32();
      break;
    case 1: desc.kind = ast::ExternKind::Func, desc.index = in_.u32(); break;
    case 2: in_.fail(ErrorCode::Unsupported, "values are not supported"); break;
    case 3:
      if (flag("a type bound")) desc.kind = ast::ExternKind::TypeSub;
      else desc.kind = ast::ExternKind::TypeEq, desc.index = in_.u32();
      break;
    case 4: desc.kind = ast::ExternKind::Component, desc.index = in_.u32(); break;
    case 5: desc.kind = ast::ExternKind::Instance, desc.index = in_.u32(); break;
    default: in_.fail(ErrorCode::Malformed, "an import or export has an unknown kind");
    }
    return desc;
  }

  ast::Options options() {
    ast::Options options;
    for (std::uint32_t n = in_.count(100, "canonical option"); n != 0 && in_.ok(); --n) {
      switch (std::uint8_t form = in_.u8()) {
      case 0: options.encoding = StringEncoding::Utf8; break;
      case 1: options.encoding = StringEncoding::Utf16; break;
      case 2: options.encoding = StringEncoding::Latin1Utf16; break;
      case 3: options.memory = in_.u32(); break;
      case 4: options.realloc = in_.u32(); break;
      case 5: options.post_return = in_.u32(); break;
      case 6: options.is_async = true; break;
      case 7: options.callback = in_.u32(); break;
      default: in_.fail(ErrorCode::Unsupported, fmt::format("canonical option {:#x} is not supported", form));
      }
    }
    return options;
  }

  ast::Canon canon() {
    using Kind = ast::Canon::Kind;
    ast::Canon canon;
    std::uint8_t opcode = in_.u8();
    if (opcode <= 1) {
      if (in_.u8() != 0) in_.fail(ErrorCode::Malformed, "canon lift or lower of something other than a function");
      canon.kind = opcode == 0 ? Kind::Lift : Kind::Lower;
      canon.func = in_.u32();
      canon.options = options();
      if (opcode == 0) canon.type = in_.u32();
      return canon;
    }
    if (opcode <= 4) {
      canon.kind = opcode == 2 ? Kind::ResourceNew : opcode == 3 ? Kind::ResourceDrop : Kind::ResourceRep;
      canon.type = in_.u32();
      return canon;
    }
    canon.kind = Kind::Builtin;
    for (const BuiltinRow& row : kBuiltins) {
      if (row.opcode != opcode) continue;
      canon.builtin = row.kind;
      for (char immediate : row.immediates) builtin_immediate(immediate, canon);
      return canon;
    }
    in_.fail(ErrorCode::Malformed, fmt::format("there is no canonical function {:#x}", opcode));
    return canon;
  }

  // By the letters of canon_builtins.def.
  void builtin_immediate(char letter, ast::Canon& canon) {
    switch (letter) {
    case 'S':
    case 'F':
    case 'Y': canon.type = in_.u32(); break;
    case 'R': canon.result = result_list(); break;
    case 'O': canon.options = options(); break;
    case 'M': canon.options.memory = in_.u32(); break;
    case 'a': canon.is_async = flag("`async`"); break;
    case 'c': canon.is_cancellable = flag("`cancellable`"); break;
    case 's': canon.is_shared = flag("`shared`"); break;
    case 'V': canon.value = context_type(); break;
    case 'N': canon.slot = in_.u32(); break;
    case 'T': canon.table = in_.u32(); break;
    }
  }
  AddressType context_type() {
    std::uint8_t byte = in_.u8();
    if (byte != 0x7f && byte != 0x7e) in_.fail(ErrorCode::Invalid, "a slot of the context is neither i32 nor i64");
    return byte == 0x7e ? AddressType::I64 : AddressType::I32;
  }

  void start() {
    std::uint64_t offset = in_.offset();
    in_.u32();
    for (std::uint32_t n = in_.count(1000, "start argument"); n != 0 && in_.ok(); --n) in_.u32();
    in_.u32();
    if (in_.ok()) out_->push_back({offset, ast::Start{}});
  }

  ast::Import import() {
    std::string_view name = extern_name();
    return {name, extern_desc()};
  }
  ast::Export export_() {
    ast::Export entry;
    entry.name = extern_name();
    entry.what = sort_index();
    if (flag("the mark of an export's type")) entry.desc = extern_desc();
    return entry;
  }

  Cursor in_;
  const wasm::Features& features_;
  std::vector<CoreModule>& modules_;
  unsigned nesting_;
  std::vector<ast::Definition>* out_ = nullptr;
  std::optional<base::Error> nested_error_;
};

} // namespace

bool is_component(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 8 && bytes[0] == 0 && bytes[1] == 'a' && bytes[2] == 's' && bytes[3] == 'm' &&
         bytes[4] == 0x0d && bytes[6] == 1;
}

base::Result<Decoded> decode_component(std::span<const std::uint8_t> bytes, const wasm::Features& features) {
  Decoded decoded;
  decoded.root = CUSP_TRY(Decoder(bytes, 0, features, decoded.modules, 0).run());
  return decoded;
}

} // namespace cusp::component
