#include "wasm/module_reader.h"

#include <unordered_set>

#include <fmt/format.h>

#include "wasm/limits.h"
#include "wasm/names.h"
#include "wasm/reader.h"

namespace cusp::wasm {

using base::ErrorCode;

namespace {

// The order in which known sections must come; 0 for custom, which may stand anywhere.
unsigned section_rank(std::uint8_t id) {
  constexpr std::uint8_t kOrder[] = {1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11};
  for (unsigned i = 0; i < sizeof kOrder; ++i)
    if (kOrder[i] == id) return i + 1;
  return 0;
}

constexpr std::string_view kSectionNames[] = {"custom", "type",  "import",  "function", "table", "memory",     "global",
                                              "export", "start", "element", "code",     "data",  "data count", "tag"};

} // namespace

ModuleReader::ModuleReader(std::span<const std::uint8_t> bytes, const Features& features, std::uint64_t file_offset)
    : in_(bytes, file_offset) {
  module_.bytes = bytes;
  module_.file_offset = file_offset;
  module_.features = features;
}

bool ModuleReader::invalid(std::string message) {
  return in_.fail_at(ErrorCode::Invalid, item_offset_, std::move(message));
}

bool ModuleReader::need(Feature feature) {
  module_.features_used.add(feature);
  if (module_.features.has(feature)) return true;
  return in_.fail_at(ErrorCode::Unsupported, item_offset_,
                     fmt::format("the {} feature is needed and not enabled", feature_name(feature)));
}

bool ModuleReader::index_below(std::uint32_t index, std::size_t count, std::string_view what) {
  return index < count || invalid(fmt::format("unknown {} {}", what, index));
}

base::Result<Module> ModuleReader::run() {
  if (module_.bytes.size() > kMaxModuleSize) return base::fail(ErrorCode::LimitExceeded, "the module is too large");
  if (in_.fixed32() != 0x6d736100 && in_.ok())
    in_.fail_at(ErrorCode::Malformed, module_.file_offset, "magic header not detected");
  if (in_.ok() && in_.fixed32() != 1 && in_.ok())
    in_.fail_at(ErrorCode::Malformed, module_.file_offset + 4, "unknown binary version");
  unsigned rank = 0;
  while (in_.ok() && !in_.at_end()) {
    item_offset_ = in_.offset();
    std::uint8_t id = in_.u8();
    std::uint32_t size = in_.u32();
    std::uint64_t offset = in_.offset();
    if (in_.ok() && size > in_.left())
      in_.fail(ErrorCode::Malformed, "length out of bounds: the section is longer than the module");
    std::span<const std::uint8_t> body = in_.bytes(size);
    if (!in_.ok()) break;
    if (id != 0) {
      unsigned own = section_rank(id);
      if (own == 0) in_.fail_at(ErrorCode::Malformed, item_offset_, fmt::format("malformed section id {}", id));
      else if (own <= rank)
        in_.fail_at(ErrorCode::Malformed, item_offset_,
                    fmt::format("unexpected content after last section: {} section out of order", kSectionNames[id]));
      rank = own;
      if (!in_.ok()) break;
    }
    Cursor after = std::exchange(in_, Cursor(body, offset));
    section(id, body, offset);
    if (in_.ok() && !in_.at_end())
      in_.fail(ErrorCode::Malformed, "section size mismatch: it is longer than its content");
    if (in_.ok()) in_ = after;
  }
  if (in_.ok()) finish();
  if (!in_.ok()) return std::unexpected(in_.take_error());
  return std::move(module_);
}

void ModuleReader::section(std::uint8_t id, std::span<const std::uint8_t> body, std::uint64_t offset) {
  switch (id) {
  case 0: custom_section(body, offset); break;
  case 1: TypeSectionReader(in_, module_).read(); break;
  case 2: import_section(); break;
  case 3: function_section(); break;
  case 4: table_section(); break;
  case 5: memory_section(); break;
  case 6: global_section(); break;
  case 7: export_section(); break;
  case 8: {
    std::uint32_t start = in_.u32();
    if (!in_.ok() || !index_below(start, module_.functions.size(), "function")) break;
    const FuncType& type = module_.func_type(FuncIndex(start));
    if (!type.params.empty() || !type.results.empty()) invalid("a start function has parameters or results");
    module_.start = FuncIndex(start);
    break;
  }
  case 9: element_section(); break;
  case 10: code_section(); break;
  case 11: data_section(); break;
  case 12:
    need(Feature::BulkMemory);
    module_.data_count = in_.u32();
    break;
  case 13: tag_section(); break;
  default: break;
  }
}

void ModuleReader::custom_section(std::span<const std::uint8_t> body, std::uint64_t offset) {
  std::string_view name = in_.name();
  if (!in_.ok()) return;
  std::uint64_t at = in_.offset();
  std::span<const std::uint8_t> content = in_.bytes(in_.left());
  (void)body, (void)offset;
  if (name == "name") module_.names = parse_names(content);
  module_.custom_sections.push_back({name, content, at});
}

// ---- types of tables, memories and globals ----

TableType ModuleReader::table_type() {
  TableType type;
  if (in_.peek() == 0x70) in_.u8(), type.element = ValType::funcref(); // older than reference types
  else type.element = types().ref_type();
  std::uint8_t flags = in_.u8();
  if (in_.ok() && flags > 7) in_.fail(ErrorCode::Malformed, "malformed limits flags");
  if (flags & 2) in_.fail(ErrorCode::Malformed, "tables cannot be shared");
  if (flags & 4) need(Feature::Memory64), type.table64 = true;
  type.limits.min = type.table64 ? in_.u64() : in_.u32();
  if (flags & 1) type.limits.max = type.table64 ? in_.u64() : in_.u32();
  if (in_.ok() && type.limits.max && *type.limits.max < type.limits.min)
    invalid("size minimum must not be greater than maximum");
  return type;
}

MemoryType ModuleReader::memory_type() {
  MemoryType type;
  std::uint8_t flags = in_.u8();
  if (in_.ok() && flags > 15) in_.fail(ErrorCode::Malformed, "malformed limits flags");
  if (flags & 2) need(Feature::Threads), type.shared = true;
  if (flags & 4) need(Feature::Memory64), type.memory64 = true;
  type.limits.min = type.memory64 ? in_.u64() : in_.u32();
  if (flags & 1) type.limits.max = type.memory64 ? in_.u64() : in_.u32();
  if (flags & 8) {
    need(Feature::CustomPageSizes);
    std::uint32_t log2 = in_.u32();
    if (in_.ok() && log2 != 0 && log2 != 16) invalid("invalid custom page size");
    type.page_size_log2 = static_cast<std::uint8_t>(log2);
  }
  if (!in_.ok()) return type;
  std::uint64_t most =
      type.memory64 ? kMaxMemory64Pages << (16 - type.page_size_log2) : kMaxMemory32Pages << (16 - type.page_size_log2);
  if (type.page_size_log2 == 0) most = type.memory64 ? ~std::uint64_t{0} : 0xffffffff;
  if (type.limits.min > most || type.limits.max.value_or(0) > most)
    invalid("memory size must be at most 65536 pages (4 GiB)");
  if (type.limits.max && *type.limits.max < type.limits.min) invalid("size minimum must not be greater than maximum");
  if (type.shared && !type.limits.max) invalid("shared memory must have maximum");
  return type;
}

GlobalType ModuleReader::global_type() {
  GlobalType type;
  type.type = types().val_type();
  std::uint8_t mutability = in_.u8();
  if (in_.ok() && mutability > 1) in_.fail(ErrorCode::Malformed, "malformed mutability");
  type.is_mutable = mutability == 1;
  return type;
}

TagType ModuleReader::tag_type() {
  need(Feature::Exceptions);
  if (in_.u8() != 0) in_.fail(ErrorCode::Malformed, "malformed tag attribute");
  TagType type{types().func_type_index()};
  if (in_.ok() && !module_.func_type(type.type).results.empty()) invalid("non-empty tag result type");
  return type;
}

// ---- sections ----

void ModuleReader::import_section() {
  for (std::uint32_t n = in_.count(kMaxImports, "import"); n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    Import import;
    import.offset = item_offset_;
    import.module = in_.name();
    import.name = in_.name();
    std::uint8_t kind = in_.u8();
    if (!in_.ok()) return;
    if (kind > 4) {
      in_.fail(ErrorCode::Malformed, "malformed import kind");
      return;
    }
    import.kind = static_cast<ExternKind>(kind);
    switch (import.kind) {
    case ExternKind::Func: {
      import.index = static_cast<std::uint32_t>(module_.functions.size());
      module_.functions.push_back({types().func_type_index()});
      ++module_.imported_functions;
      break;
    }
    case ExternKind::Table:
      import.index = static_cast<std::uint32_t>(module_.tables.size());
      module_.tables.push_back({table_type(), {}});
      ++module_.imported_tables;
      break;
    case ExternKind::Memory:
      import.index = static_cast<std::uint32_t>(module_.memories.size());
      module_.memories.push_back(memory_type());
      ++module_.imported_memories;
      break;
    case ExternKind::Global:
      import.index = static_cast<std::uint32_t>(module_.globals.size());
      module_.globals.push_back({global_type(), {}});
      if (module_.globals.back().type.is_mutable) need(Feature::MutableGlobals);
      ++module_.imported_globals;
      break;
    case ExternKind::Tag:
      import.index = static_cast<std::uint32_t>(module_.tags.size());
      module_.tags.push_back(tag_type());
      ++module_.imported_tags;
      break;
    }
    module_.imports.push_back(import);
  }
  if (module_.memories.size() > 1) need(Feature::MultiMemory);
  if (module_.tables.size() > 1) need(Feature::ReferenceTypes);
}

void ModuleReader::function_section() {
  declared_functions_ = in_.count(kMaxFunctions, "function");
  module_.functions.reserve(module_.functions.size() + declared_functions_);
  for (std::uint32_t n = declared_functions_; n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    module_.functions.push_back({types().func_type_index()});
  }
}

void ModuleReader::table_section() {
  for (std::uint32_t n = in_.count(kMaxTables, "table"); n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    Table table;
    bool with_init = in_.peek() == 0x40;
    if (with_init) {
      in_.u8();
      need(Feature::FunctionReferences);
      if (in_.u8() != 0) in_.fail(ErrorCode::Malformed, "malformed table");
    }
    table.type = table_type();
    if (with_init && in_.ok()) table.init = const_expr(table.type.element);
    else if (in_.ok() && !table.type.element.is_defaultable())
      invalid("type mismatch: a table of non-nullable references needs an initial value");
    module_.tables.push_back(std::move(table));
  }
  if (module_.tables.size() > 1) need(Feature::ReferenceTypes);
}

void ModuleReader::memory_section() {
  for (std::uint32_t n = in_.count(kMaxMemories, "memory"); n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    module_.memories.push_back(memory_type());
  }
  if (module_.memories.size() > 1) need(Feature::MultiMemory);
}

void ModuleReader::global_section() {
  for (std::uint32_t n = in_.count(kMaxGlobals, "global"); n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    Global global;
    global.type = global_type();
    if (in_.ok()) global.init = const_expr(global.type.type);
    module_.globals.push_back(std::move(global));
  }
}

void ModuleReader::tag_section() {
  for (std::uint32_t n = in_.count(kMaxTags, "tag"); n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    module_.tags.push_back(tag_type());
  }
}

void ModuleReader::export_section() {
  std::unordered_set<std::string_view> names;
  for (std::uint32_t n = in_.count(kMaxExports, "export"); n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    Export entry;
    entry.name = in_.name();
    std::uint8_t kind = in_.u8();
    entry.index = in_.u32();
    if (!in_.ok()) return;
    if (kind > 4) {
      in_.fail(ErrorCode::Malformed, "malformed export kind");
      return;
    }
    entry.kind = static_cast<ExternKind>(kind);
    switch (entry.kind) {
    case ExternKind::Func:
      if (index_below(entry.index, module_.functions.size(), "function")) module_.declare_func(FuncIndex(entry.index));
      break;
    case ExternKind::Table: index_below(entry.index, module_.tables.size(), "table"); break;
    case ExternKind::Memory: index_below(entry.index, module_.memories.size(), "memory"); break;
    case ExternKind::Global: index_below(entry.index, module_.globals.size(), "global"); break;
    case ExternKind::Tag: index_below(entry.index, module_.tags.size(), "tag"); break;
    }
    if (!names.insert(entry.name).second) invalid(fmt::format("duplicate export name `{}`", entry.name));
    module_.exports.push_back(entry);
  }
}

void ModuleReader::element_section() {
  for (std::uint32_t n = in_.count(kMaxElemSegments, "element segment"); n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    element();
  }
}

// Bit 0: passive or declared; bit 1: explicit table, or declared; bit 2: items are expressions. Spec: 5.5.12.
void ModuleReader::element() {
  ElemSegment segment;
  std::uint32_t flags = in_.u32();
  if (in_.ok() && flags > 7) in_.fail(ErrorCode::Malformed, "malformed elements segment kind");
  if (flags & 1) need(Feature::BulkMemory);
  bool expressions = flags & 4;
  segment.mode = !(flags & 1) ? SegmentMode::Active : flags & 2 ? SegmentMode::Declared : SegmentMode::Passive;
  segment.table = TableIndex(0);
  // Plain functions are never null.
  segment.type = module_.features.has(Feature::FunctionReferences) ? ValType::ref(false, AbstractHeapType::Func)
                                                                   : ValType::funcref();
  if (segment.mode == SegmentMode::Active) {
    if (flags & 2) segment.table = TableIndex(in_.u32());
    if (!in_.ok() || !index_below(segment.table.value, module_.tables.size(), "table")) return;
    segment.offset = const_expr(module_.tables[segment.table.value].type.address_type());
  }
  if (expressions) segment.type = flags & 3 ? types().ref_type() : ValType::funcref();
  else if ((flags & 3) && in_.u8() != 0 && in_.ok()) in_.fail(ErrorCode::Malformed, "malformed element kind");
  if (in_.ok() && segment.mode == SegmentMode::Active &&
      !module_.is_subtype(segment.type, module_.tables[segment.table.value].type.element))
    invalid("type mismatch: the segment's type does not match the table's");
  for (std::uint32_t n = in_.count(kMaxElemItems, "element"); n != 0 && in_.ok(); --n) {
    if (expressions) {
      segment.expressions.push_back(const_expr(segment.type));
    } else {
      std::uint32_t index = in_.u32();
      if (!in_.ok() || !index_below(index, module_.functions.size(), "function")) return;
      module_.declare_func(FuncIndex(index));
      segment.funcs.push_back(FuncIndex(index));
    }
  }
  // Expressions that are all plain ref.func become function indices.
  bool plain = !segment.expressions.empty();
  for (const ConstExpr& expr : segment.expressions) plain = plain && expr.size() == 1 && expr[0].op == Op::RefFunc;
  if (plain) {
    for (const ConstExpr& expr : segment.expressions) segment.funcs.push_back(FuncIndex(expr[0].index));
    segment.expressions.clear();
  }
  module_.elems.push_back(std::move(segment));
}

void ModuleReader::code_section() {
  has_code_ = true;
  std::uint32_t count = in_.count(kMaxFunctions, "function body");
  if (in_.ok() && count != declared_functions_) {
    in_.fail(ErrorCode::Malformed, "function and code section have inconsistent lengths");
    return;
  }
  module_.code.reserve(count);
  for (; count != 0 && in_.ok(); --count) {
    item_offset_ = in_.offset();
    std::uint32_t size = in_.u32();
    if (in_.ok() && size > kMaxBodySize)
      in_.fail_at(ErrorCode::LimitExceeded, item_offset_, "a function body is too large");
    std::uint64_t offset = in_.offset();
    module_.code.push_back({in_.bytes(size), offset});
  }
}

void ModuleReader::data_section() {
  data_sections_count_ = in_.count(kMaxDataSegments, "data segment");
  for (std::uint32_t n = data_sections_count_; n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    DataSegment segment;
    std::uint32_t flags = in_.u32();
    if (in_.ok() && flags > 2) in_.fail(ErrorCode::Malformed, "malformed data segment kind");
    segment.memory = MemoryIndex(flags == 2 ? in_.u32() : 0);
    segment.mode = flags == 1 ? SegmentMode::Passive : SegmentMode::Active;
    if (flags == 1) need(Feature::BulkMemory);
    if (segment.mode == SegmentMode::Active) {
      if (!in_.ok() || !index_below(segment.memory.value, module_.memories.size(), "memory")) return;
      segment.offset = const_expr(module_.memories[segment.memory.value].address_type());
    }
    std::uint32_t size = in_.u32();
    segment.bytes_offset = in_.offset();
    segment.bytes = in_.bytes(size);
    module_.datas.push_back(std::move(segment));
  }
}

void ModuleReader::finish() {
  item_offset_ = in_.offset();
  module_.declared_funcs.resize(module_.functions.size());
  if (!has_code_ && declared_functions_ != 0)
    in_.fail(ErrorCode::Malformed, "function and code section have inconsistent lengths");
  if (module_.data_count && *module_.data_count != data_sections_count_)
    in_.fail(ErrorCode::Malformed, "data count and data section have inconsistent lengths");
}

ConstExpr ModuleReader::const_expr(ValType expected) {
  ConstExpr expr;
  item_offset_ = in_.offset();
  const_exprs_.read(in_, expected, expr);
  return expr;
}

bool is_core_module(std::span<const std::uint8_t> bytes) {
  constexpr std::uint8_t kHeader[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
  return bytes.size() >= sizeof kHeader && std::equal(std::begin(kHeader), std::end(kHeader), bytes.begin());
}

base::Result<Module> read_module(std::span<const std::uint8_t> bytes, const Features& features,
                                 std::uint64_t file_offset) {
  return ModuleReader(bytes, features, file_offset).run();
}

} // namespace cusp::wasm
