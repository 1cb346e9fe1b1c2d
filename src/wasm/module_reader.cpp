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

void ModuleReader::declare_func(std::uint32_t index) {
  if (module_.declared_funcs.size() < module_.functions.size()) module_.declared_funcs.resize(module_.functions.size());
  module_.declared_funcs[index] = true;
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
  case 1: type_section(); break;
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
  case 12: module_.data_count = in_.u32(); break;
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

// ---- types ----

HeapType ModuleReader::heap_type() {
  using enum AbstractHeapType;
  std::int64_t value = in_.s33();
  if (!in_.ok()) return Func;
  if (value >= 0) {
    std::uint32_t index = static_cast<std::uint32_t>(value);
    if (!index_below(index, module_.types.size(), "type")) return Func;
    need(Feature::FunctionReferences);
    return HeapType(module_.types[index].canonical);
  }
  switch (value & 0x7f) {
  case 0x70: return Func;
  case 0x6f: return Extern;
  case 0x6e: return need(Feature::Gc), Any;
  case 0x6d: return need(Feature::Gc), Eq;
  case 0x6c: return need(Feature::Gc), I31;
  case 0x6b: return need(Feature::Gc), Struct;
  case 0x6a: return need(Feature::Gc), Array;
  case 0x69: return need(Feature::Exceptions), Exn;
  case 0x71: return need(Feature::Gc), None;
  case 0x72: return need(Feature::Gc), NoExtern;
  case 0x73: return need(Feature::Gc), NoFunc;
  case 0x74: return need(Feature::Exceptions), NoExn;
  default: in_.fail(ErrorCode::Malformed, "malformed heap type"); return Func;
  }
}

ValType ModuleReader::ref_type() {
  std::uint8_t byte = in_.peek();
  if (byte == 0x63 || byte == 0x64) {
    in_.u8();
    HeapType heap = heap_type();
    if (byte == 0x64) need(Feature::FunctionReferences);
    return ValType::ref(byte == 0x63, heap);
  }
  bool shorthand = byte >= 0x69 && byte <= 0x74;
  if (!shorthand) {
    in_.fail(ErrorCode::Malformed, "malformed reference type");
    return {};
  }
  return ValType::ref(true, heap_type());
}

ValType ModuleReader::val_type() {
  switch (in_.peek()) {
  case 0x7f: in_.u8(); return ValType::i32();
  case 0x7e: in_.u8(); return ValType::i64();
  case 0x7d: in_.u8(); return ValType::f32();
  case 0x7c: in_.u8(); return ValType::f64();
  case 0x7b:
    in_.u8();
    need(Feature::Simd);
    return ValType::v128();
  case 0x63:
  case 0x64:
  case 0x69:
  case 0x6a:
  case 0x6b:
  case 0x6c:
  case 0x6d:
  case 0x6e:
  case 0x6f:
  case 0x70:
  case 0x71:
  case 0x72:
  case 0x73:
  case 0x74: return ref_type();
  default:
    if (in_.at_end()) in_.u8();
    else in_.fail(ErrorCode::Malformed, fmt::format("malformed value type {:#x}", in_.peek()));
    return {};
  }
}

void ModuleReader::type_section() {
  for (std::uint32_t n = in_.count(kMaxTypes, "type"); n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    std::uint32_t at = static_cast<std::uint32_t>(module_.types.size());
    if (in_.peek() == 0x4e) {
      in_.u8();
      if (!need(Feature::Gc)) return;
      rec_group(in_.count(kMaxTypes, "type"));
    } else {
      sub_type(at, at + 1);
    }
  }
}

void ModuleReader::rec_group(std::uint32_t) {
  in_.fail_at(ErrorCode::Unsupported, item_offset_, "recursive type groups are not supported");
}

void ModuleReader::sub_type(std::uint32_t group_start, std::uint32_t) {
  std::uint8_t form = in_.u8();
  if (!in_.ok()) return;
  if (form == 0x4f || form == 0x50 || form == 0x5e || form == 0x5f) {
    if (need(Feature::Gc))
      in_.fail_at(ErrorCode::Unsupported, item_offset_, "structure, array and sub types are not supported");
    return;
  }
  if (form != 0x60) {
    in_.fail_at(ErrorCode::Malformed, item_offset_, "malformed type: integer representation of the form is unknown");
    return;
  }
  FuncType func;
  for (std::uint32_t n = in_.count(kMaxParams, "parameter"); n != 0 && in_.ok(); --n) func.params.push_back(val_type());
  for (std::uint32_t n = in_.count(kMaxResults, "result"); n != 0 && in_.ok(); --n) func.results.push_back(val_type());
  if (func.results.size() > 1) need(Feature::MultiValue);
  if (!in_.ok()) return;
  SubType type{.composite = std::move(func),
               .supertype = {},
               .canonical = TypeIndex(group_start),
               .rec_group = TypeIndex(group_start)};
  std::string key;
  for (const auto* list : {&std::get<FuncType>(type.composite).params, &std::get<FuncType>(type.composite).results}) {
    for (ValType t : *list) key += fmt::format("{:x} ", t.raw());
    key += '|';
  }
  type.canonical = TypeIndex(canonical_.emplace(std::move(key), group_start).first->second);
  module_.types.push_back(std::move(type));
}

TypeIndex ModuleReader::func_type_index() {
  std::uint32_t index = in_.u32();
  if (!in_.ok() || !index_below(index, module_.types.size(), "type")) return TypeIndex(0);
  return module_.types[index].canonical;
}

TableType ModuleReader::table_type() {
  TableType type;
  type.element = ref_type();
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
  type.type = val_type();
  std::uint8_t mutability = in_.u8();
  if (in_.ok() && mutability > 1) in_.fail(ErrorCode::Malformed, "malformed mutability");
  type.is_mutable = mutability == 1;
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
      module_.functions.push_back({func_type_index()});
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
      need(Feature::Exceptions);
      in_.u8();
      import.index = static_cast<std::uint32_t>(module_.tags.size());
      module_.tags.push_back({func_type_index()});
      ++module_.imported_tags;
      break;
    }
    module_.imports.push_back(import);
  }
  if (module_.memories.size() > 1) need(Feature::MultiMemory);
}

void ModuleReader::function_section() {
  declared_functions_ = in_.count(kMaxFunctions, "function");
  module_.functions.reserve(module_.functions.size() + declared_functions_);
  for (std::uint32_t n = declared_functions_; n != 0 && in_.ok(); --n) {
    item_offset_ = in_.offset();
    module_.functions.push_back({func_type_index()});
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
    need(Feature::Exceptions);
    if (in_.u8() != 0) in_.fail(ErrorCode::Malformed, "malformed tag attribute");
    module_.tags.push_back({func_type_index()});
    if (in_.ok() && !module_.func_type(module_.tags.back().type).results.empty()) invalid("non-empty tag result type");
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
      if (index_below(entry.index, module_.functions.size(), "function")) declare_func(entry.index);
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
  if (flags != 0) need(Feature::BulkMemory);
  bool expressions = flags & 4;
  segment.mode = !(flags & 1) ? SegmentMode::Active : flags & 2 ? SegmentMode::Declared : SegmentMode::Passive;
  segment.table = TableIndex(0);
  segment.type = ValType::funcref();
  if (segment.mode == SegmentMode::Active) {
    if (flags & 2) segment.table = TableIndex(in_.u32());
    if (!in_.ok() || !index_below(segment.table.value, module_.tables.size(), "table")) return;
    segment.offset = const_expr(module_.tables[segment.table.value].type.address_type());
  }
  if (flags & 3) {
    if (expressions) segment.type = ref_type();
    else if (in_.u8() != 0 && in_.ok()) in_.fail(ErrorCode::Malformed, "malformed element kind");
  } else if (!expressions && module_.features.has(Feature::FunctionReferences)) {
    segment.type = ValType::ref(false, AbstractHeapType::Func);
  }
  if (in_.ok() && segment.mode == SegmentMode::Active &&
      !module_.is_subtype(segment.type, module_.tables[segment.table.value].type.element))
    invalid("type mismatch: the segment's type does not match the table's");
  for (std::uint32_t n = in_.count(kMaxElemItems, "element"); n != 0 && in_.ok(); --n) {
    if (expressions) {
      segment.expressions.push_back(const_expr(segment.type));
    } else {
      std::uint32_t index = in_.u32();
      if (!in_.ok() || !index_below(index, module_.functions.size(), "function")) return;
      declare_func(index);
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
    if (flags != 0) need(Feature::BulkMemory);
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

// ---- constant expressions ----

bool ModuleReader::pop_const(std::vector<ValType>& stack, ValType expected) {
  if (stack.empty() || !module_.is_subtype(stack.back(), expected))
    return invalid("type mismatch in a constant expression");
  stack.pop_back();
  return true;
}

ConstExpr ModuleReader::const_expr(ValType expected) {
  ConstExpr expr;
  std::vector<ValType> stack;
  item_offset_ = in_.offset();
  while (in_.ok() && const_operator(expr, stack)) {
  }
  if (in_.ok() && (stack.size() != 1 || !module_.is_subtype(stack[0], expected)))
    invalid(fmt::format("type mismatch: a constant expression must give one {}", expected.to_string()));
  return expr;
}

// Reads one operator; false at `end` and after an error.
bool ModuleReader::const_operator(ConstExpr& expr, std::vector<ValType>& stack) {
  item_offset_ = in_.offset();
  ConstOp op;
  auto constant = [&](Op which, std::uint64_t bits, ValType type) {
    op.op = which, op.low = bits;
    stack.push_back(type);
  };
  auto binary = [&](Op which, ValType type) {
    op.op = which;
    need(Feature::ExtendedConst);
    if (pop_const(stack, type) && pop_const(stack, type)) stack.push_back(type);
  };
  std::uint8_t byte = in_.u8();
  switch (byte) {
  case 0x0b: return false;
  case 0x41: constant(Op::I32Const, static_cast<std::uint32_t>(in_.s32()), ValType::i32()); break;
  case 0x42: constant(Op::I64Const, static_cast<std::uint64_t>(in_.s64()), ValType::i64()); break;
  case 0x43: constant(Op::F32Const, in_.fixed32(), ValType::f32()); break;
  case 0x44: constant(Op::F64Const, in_.fixed64(), ValType::f64()); break;
  case 0x23: {
    op.op = Op::GlobalGet;
    op.index = in_.u32();
    if (!in_.ok() || !index_below(op.index, module_.globals.size(), "global")) return false;
    const GlobalType& type = module_.globals[op.index].type;
    if (type.is_mutable) return invalid("constant expression required: the global is mutable");
    if (op.index >= module_.imported_globals && !module_.features.has(Feature::ExtendedConst))
      return invalid("unknown global");
    stack.push_back(type.type);
    break;
  }
  case 0xd0: {
    op.op = Op::RefNull;
    op.type = ValType::ref(true, heap_type());
    stack.push_back(op.type);
    break;
  }
  case 0xd2:
    op.op = Op::RefFunc;
    op.index = in_.u32();
    if (!in_.ok() || !index_below(op.index, module_.functions.size(), "function")) return false;
    declare_func(op.index);
    stack.push_back(module_.features.has(Feature::FunctionReferences)
                        ? ValType::ref(false, HeapType(module_.functions[op.index].type))
                        : ValType::funcref());
    break;
  case 0x6a: binary(Op::I32Add, ValType::i32()); break;
  case 0x6b: binary(Op::I32Sub, ValType::i32()); break;
  case 0x6c: binary(Op::I32Mul, ValType::i32()); break;
  case 0x7c: binary(Op::I64Add, ValType::i64()); break;
  case 0x7d: binary(Op::I64Sub, ValType::i64()); break;
  case 0x7e: binary(Op::I64Mul, ValType::i64()); break;
  case 0xfd:
    if (in_.u32() == 0x0c) {
      op.op = Op::V128Const;
      op.low = in_.fixed64();
      op.high = in_.fixed64();
      need(Feature::Simd);
      stack.push_back(ValType::v128());
      break;
    }
    [[fallthrough]];
  default:
    // Any other operator is either no operator at all or not constant; both are refused here.
    return in_.ok() && in_.fail_at(byte >= 0x27 && byte < 0x28 ? ErrorCode::Malformed : ErrorCode::Invalid,
                                   item_offset_, "constant expression required");
  }
  expr.push_back(op);
  return in_.ok();
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
