#include "compose/core_writer.h"

namespace cusp::compose {

namespace {

void section(Bytes& out, std::uint8_t id, std::uint32_t count, const Bytes& items) {
  if (count == 0) return;
  Bytes body;
  body.u32(count).append(items);
  out.u8(id).sized(body.view());
}

} // namespace

// Only number types and v128 occur in what this room makes.
void write_val_type(Bytes& out, wasm::ValType type) {
  if (type == wasm::ValType::i32()) out.u8(0x7f);
  else if (type == wasm::ValType::i64()) out.u8(0x7e);
  else if (type == wasm::ValType::f32()) out.u8(0x7d);
  else if (type == wasm::ValType::f64()) out.u8(0x7c);
  else out.u8(0x7b);
}

std::uint32_t CoreModuleWriter::type(const wasm::FuncType& type) {
  Bytes bytes{0x60};
  for (const auto* list : {&type.params, &type.results}) {
    bytes.u32(list->size());
    for (wasm::ValType value : *list) write_val_type(bytes, value);
  }
  std::string key(bytes.view().begin(), bytes.view().end());
  auto [found, fresh] = type_indices_.try_emplace(key, type_count_);
  if (fresh) types_.append(bytes), ++type_count_;
  return found->second;
}

void CoreModuleWriter::import_func(std::string_view module, std::string_view name, std::uint32_t type) {
  import_other(module, name, Bytes{0}.u32(type));
  ++imported_funcs_;
}

void CoreModuleWriter::import_other(std::string_view module, std::string_view name, const Bytes& extern_type) {
  imports_.name(module).name(name).append(extern_type);
  ++import_count_;
}

std::uint32_t CoreModuleWriter::func(std::uint32_t type, const Bytes& body) {
  funcs_.u32(type);
  code_.sized(body.view());
  return func_count_++;
}

void CoreModuleWriter::table(const Bytes& table_type) {
  tables_.append(table_type);
  ++table_count_;
}

void CoreModuleWriter::export_item(std::string_view name, std::uint8_t kind, std::uint32_t index) {
  exports_.name(name).u8(kind).u32(index);
  ++export_count_;
}

void CoreModuleWriter::elements(const std::vector<std::uint32_t>& funcs) {
  elements_ = Bytes{0, 0x41, 0, 0x0b};
  elements_.u32(funcs.size());
  for (std::uint32_t func : funcs) elements_.u32(func);
}

void CoreModuleWriter::take_types(std::uint32_t count, std::span<const std::uint8_t> types) {
  types_.append(types);
  type_count_ += count;
}

void CoreModuleWriter::custom(std::string_view name, std::span<const std::uint8_t> bytes) {
  Bytes body;
  body.name(name).append(bytes);
  customs_.u8(0).sized(body.view());
}

std::vector<std::uint8_t> CoreModuleWriter::finish() const {
  Bytes out{0, 'a', 's', 'm', 1, 0, 0, 0};
  section(out, 1, type_count_, types_);
  section(out, 2, import_count_, imports_);
  section(out, 3, func_count_, funcs_);
  section(out, 4, table_count_, tables_);
  if (!globals_.empty()) out.u8(6).sized(globals_.view());
  section(out, 7, export_count_, exports_);
  if (start_) out.u8(8).sized(Bytes().u32(*start_).view());
  section(out, 9, elements_.empty() ? 0 : 1, elements_);
  section(out, 10, func_count_, code_);
  out.append(customs_);
  return out.take();
}

} // namespace cusp::compose
