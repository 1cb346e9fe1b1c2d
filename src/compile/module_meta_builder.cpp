#include "compile/module_meta_builder.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "compile/lower/lowering.h"

namespace cusp::compile {

namespace {

using artifact::ConstExpr;
using artifact::ConstStep;
using artifact::ModuleMeta;

// A memory image is worth its place in the file up to this size, and while at most this part of it is gaps.
constexpr std::uint64_t kMaxImage = std::uint64_t{64} << 20;
constexpr std::uint64_t kSmallGap = std::uint64_t{4} << 20; // the usual stack below the data of C and Rust included
constexpr std::uint64_t kMaxGapFactor = 8;

artifact::ExternKind kind_of(wasm::ExternKind kind) { return static_cast<artifact::ExternKind>(kind); }
static_assert(static_cast<int>(artifact::ExternKind::Tag) == static_cast<int>(wasm::ExternKind::Tag));

ConstExpr convert(const wasm::ConstExpr& expression) {
  ConstExpr out;
  for (const wasm::ConstOp& op : expression) {
    using enum artifact::ConstOp;
    switch (op.op) {
    case wasm::Op::I32Const: out.push_back({I32, op.low, 0}); break;
    case wasm::Op::I64Const: out.push_back({I64, op.low, 0}); break;
    case wasm::Op::F32Const: out.push_back({F32, op.low, 0}); break;
    case wasm::Op::F64Const: out.push_back({F64, op.low, 0}); break;
    case wasm::Op::V128Const: out.push_back({V128, op.low, op.high}); break;
    case wasm::Op::GlobalGet: out.push_back({GlobalGet, op.index, 0}); break;
    case wasm::Op::RefFunc: out.push_back({RefFunc, op.index, 0}); break;
    case wasm::Op::RefNull: out.push_back({RefNull, 0, 0}); break;
    case wasm::Op::I32Add: out.push_back({I32Add, 0, 0}); break;
    case wasm::Op::I32Sub: out.push_back({I32Sub, 0, 0}); break;
    case wasm::Op::I32Mul: out.push_back({I32Mul, 0, 0}); break;
    case wasm::Op::I64Add: out.push_back({I64Add, 0, 0}); break;
    case wasm::Op::I64Sub: out.push_back({I64Sub, 0, 0}); break;
    case wasm::Op::I64Mul: out.push_back({I64Mul, 0, 0}); break;
    case wasm::Op::StructNew: out.push_back({StructNew, op.index, 0}); break;
    case wasm::Op::StructNewDefault: out.push_back({StructNewDefault, op.index, 0}); break;
    case wasm::Op::ArrayNew: out.push_back({ArrayNew, op.index, 0}); break;
    case wasm::Op::ArrayNewDefault: out.push_back({ArrayNewDefault, op.index, 0}); break;
    case wasm::Op::ArrayNewFixed: out.push_back({ArrayNewFixed, op.index, op.low}); break;
    case wasm::Op::RefI31: out.push_back({RefI31, 0, 0}); break;
    case wasm::Op::AnyConvertExtern: out.push_back({AnyConvertExtern, 0, 0}); break;
    case wasm::Op::ExternConvertAny: out.push_back({ExternConvertAny, 0, 0}); break;
    default: break; // not constant: the reader refused it
    }
  }
  return out;
}

// The value, where it does not depend on imports. Wraps as the operators do.
std::optional<std::uint64_t> evaluate(const wasm::Module& module, const wasm::ConstExpr& expression) {
  std::vector<std::uint64_t> stack;
  for (const wasm::ConstOp& op : expression) {
    if (op.op == wasm::Op::I32Const || op.op == wasm::Op::I64Const) {
      stack.push_back(op.op == wasm::Op::I32Const ? static_cast<std::uint32_t>(op.low) : op.low);
      continue;
    }
    if (op.op == wasm::Op::GlobalGet) {
      if (op.index < module.imported_globals || module.globals[op.index].type.is_mutable) return std::nullopt;
      auto value = evaluate(module, module.globals[op.index].init); // an earlier global: this ends
      if (!value) return std::nullopt;
      stack.push_back(*value);
      continue;
    }
    if (stack.size() < 2) return std::nullopt;
    std::uint64_t right = stack.back();
    stack.pop_back();
    std::uint64_t& left = stack.back();
    switch (op.op) {
    case wasm::Op::I32Add: left = static_cast<std::uint32_t>(left + right); break;
    case wasm::Op::I32Sub: left = static_cast<std::uint32_t>(left - right); break;
    case wasm::Op::I32Mul: left = static_cast<std::uint32_t>(left * right); break;
    case wasm::Op::I64Add: left += right; break;
    case wasm::Op::I64Sub: left -= right; break;
    case wasm::Op::I64Mul: left *= right; break;
    default: return std::nullopt;
    }
  }
  return stack.size() == 1 ? std::optional(stack[0]) : std::nullopt;
}

// Lays the active segments of one memory out, in order, as far as instantiation is certain to get.
class MemoryImage {
public:
  MemoryImage(const wasm::Module& module, std::uint32_t memory) : module_(module) {
    const wasm::MemoryType& type = module.memories[memory];
    bytes_of_memory_ = type.limits.min > kMaxImage ? kMaxImage : type.limits.min << type.page_size_log2;
    open_ = memory >= module.imported_memories && !type.shared;
  }

  // True when the segment is now part of the image.
  bool add(const wasm::DataSegment& data) {
    if (!open_) return false;
    auto offset = evaluate(module_, data.offset);
    bool fits = offset && *offset <= bytes_of_memory_ && data.bytes.size() <= bytes_of_memory_ - *offset;
    std::uint64_t end = fits ? std::max<std::uint64_t>(bytes_.size(), *offset + data.bytes.size()) : 0;
    payload_ += data.bytes.size();
    if (!fits || end > kMaxImage || end > kSmallGap + kMaxGapFactor * payload_) return open_ = false;
    bytes_.resize(end);
    if (!data.bytes.empty()) std::memcpy(bytes_.data() + *offset, data.bytes.data(), data.bytes.size());
    return true;
  }

  void append_to(std::vector<std::uint8_t>& image, artifact::MemoryMeta& meta) const {
    if (bytes_.empty()) return;
    image.resize((image.size() + abi::kHostPageSize - 1) / abi::kHostPageSize * abi::kHostPageSize);
    meta.image_offset = image.size();
    meta.image_bytes = bytes_.size();
    image.insert(image.end(), bytes_.begin(), bytes_.end());
  }

private:
  const wasm::Module& module_;
  std::uint64_t bytes_of_memory_ = 0, payload_ = 0;
  bool open_ = false;
  std::vector<std::uint8_t> bytes_;
};

void add_datas(const wasm::Module& module, ModuleMeta& meta, std::vector<std::uint8_t>& image) {
  std::vector<MemoryImage> images;
  for (std::uint32_t i = 0; i < module.memories.size(); ++i) images.emplace_back(module, i);
  for (const wasm::DataSegment& data : module.datas) {
    artifact::DataMeta row;
    row.mode = static_cast<artifact::SegmentMode>(data.mode);
    if (data.mode == wasm::SegmentMode::Active) {
      row.memory = data.memory.value;
      row.offset = convert(data.offset);
      row.folded = images[data.memory.value].add(data);
    }
    meta.datas.push_back(std::move(row));
  }
  for (std::uint32_t i = 0; i < images.size(); ++i) images[i].append_to(image, meta.memories[i]);
  for (std::size_t i = 0; i < module.datas.size(); ++i) {
    if (meta.datas[i].folded) continue;
    image.resize((image.size() + 15) / 16 * 16);
    meta.datas[i].bytes_offset = image.size();
    meta.datas[i].bytes_size = module.datas[i].bytes.size();
    image.insert(image.end(), module.datas[i].bytes.begin(), module.datas[i].bytes.end());
  }
}

std::vector<std::uint32_t> raw_types(const std::vector<wasm::ValType>& types) {
  std::vector<std::uint32_t> raw;
  for (wasm::ValType type : types) raw.push_back(type.raw());
  return raw;
}

artifact::FieldMeta field_meta(const wasm::Module& module, const wasm::FieldType& field) {
  return {field.type.raw(), storage_of(module, field), field.is_mutable};
}

void add_types(const wasm::Module& module, ModuleMeta& meta) {
  for (std::uint32_t i = 0; i < module.types.size(); ++i) {
    const wasm::SubType& type = module.types[i];
    artifact::TypeMeta row;
    row.kind = static_cast<abi::TypeKind>(type.composite.index());
    row.canonical = type.canonical.value;
    row.rec_group = type.rec_group.value;
    row.is_final = type.is_final;
    if (row.canonical == i) {
      if (type.supertype) row.supertype = type.supertype->value;
      if (const auto* func = std::get_if<wasm::FuncType>(&type.composite))
        row.func = {raw_types(func->params), raw_types(func->results)};
      else if (const auto* structure = std::get_if<wasm::StructType>(&type.composite))
        for (const wasm::FieldType& field : structure->fields) row.members.push_back(field_meta(module, field));
      else row.members.push_back(field_meta(module, std::get<wasm::ArrayType>(type.composite).element));
    }
    meta.types.push_back(std::move(row));
  }
}
static_assert(std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(abi::TypeKind::Struct),
                                                        decltype(wasm::SubType::composite)>,
                             wasm::StructType>);

void add_elems(const wasm::Module& module, ModuleMeta& meta) {
  for (const wasm::ElemSegment& elem : module.elems) {
    artifact::ElemMeta row;
    row.mode = static_cast<artifact::SegmentMode>(elem.mode);
    if (elem.mode == wasm::SegmentMode::Active) row.table = elem.table.value;
    row.offset = convert(elem.offset);
    row.type = elem.type.raw();
    for (wasm::FuncIndex func : elem.funcs) row.funcs.push_back(func.value);
    for (const wasm::ConstExpr& expression : elem.expressions) row.expressions.push_back(convert(expression));
    meta.elems.push_back(std::move(row));
  }
}

} // namespace

ModuleMeta build_module_meta(const wasm::Module& module, artifact::BoundsMode bounds,
                             std::vector<std::uint8_t>& image) {
  ModuleMeta meta;
  meta.name = module.names.module;
  add_types(module, meta);
  for (const wasm::Import& import : module.imports)
    meta.imports.push_back({std::string(import.module), std::string(import.name), kind_of(import.kind), import.index});
  for (const wasm::Export& item : module.exports)
    meta.exports.push_back({std::string(item.name), kind_of(item.kind), item.index});
  for (const wasm::Function& function : module.functions) meta.func_types.push_back(function.type.value);
  for (const wasm::Table& table : module.tables)
    meta.tables.push_back({.element_type = table.type.element.raw(),
                           .min = table.type.limits.min,
                           .max = table.type.limits.max,
                           .index64 = table.type.table64,
                           .init = convert(table.init)});
  for (const wasm::MemoryType& memory : module.memories)
    meta.memories.push_back({.min = memory.limits.min,
                             .max = memory.limits.max,
                             .memory64 = memory.memory64,
                             .shared = memory.shared,
                             .page_size_log2 = memory.page_size_log2,
                             .bounds = memory_bounds(memory, bounds)});
  for (const wasm::Global& global : module.globals)
    meta.globals.push_back({global.type.type.raw(), global.type.is_mutable, convert(global.init)});
  for (const wasm::TagType& tag : module.tags) meta.tags.push_back(tag.type.value);
  add_elems(module, meta);
  add_datas(module, meta, image);
  if (module.start) meta.start = module.start->value;
  meta.func_text.resize(module.defined_functions());
  meta.entries.assign(module.types.size(), artifact::kNoText);
  meta.host_stubs.assign(module.types.size(), artifact::kNoText);
  meta.shape = {.imported_funcs = module.imported_functions,
                .imported_memories = module.imported_memories,
                .defined_memories = static_cast<std::uint32_t>(module.memories.size()) - module.imported_memories,
                .imported_tables = module.imported_tables,
                .defined_tables = static_cast<std::uint32_t>(module.tables.size()) - module.imported_tables,
                .imported_globals = module.imported_globals,
                .defined_globals = static_cast<std::uint32_t>(module.globals.size()) - module.imported_globals,
                .imported_tags = module.imported_tags,
                .defined_tags = static_cast<std::uint32_t>(module.tags.size()) - module.imported_tags};
  return meta;
}

std::vector<std::string> function_names(const wasm::Module& module) {
  std::vector<std::string> names(module.functions.size());
  for (const wasm::Import& import : module.imports)
    if (import.kind == wasm::ExternKind::Func)
      names[import.index] = std::string(import.module) + "." + std::string(import.name);
  for (const wasm::Export& item : module.exports)
    if (item.kind == wasm::ExternKind::Func && names[item.index].empty()) names[item.index] = item.name;
  for (const auto& [index, name] : module.names.functions.entries)
    if (index < names.size() && !name.empty()) names[index] = name;
  return names;
}

} // namespace cusp::compile
