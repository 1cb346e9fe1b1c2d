// Core modules that componentize makes or makes over. Spec: core 5.5.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "compose/bytes.h"
#include "wasm/types.h"

namespace cusp::compose {

class CoreModuleWriter {
public:
  std::uint32_t type(const wasm::FuncType& type); // equal types once
  void import_func(std::string_view module, std::string_view name, std::uint32_t type);
  void import_other(std::string_view module, std::string_view name, const Bytes& extern_type);
  std::uint32_t func(std::uint32_t type, const Bytes& body); // of what is defined: 0 is the first after the imports
  void table(const Bytes& table_type);
  void export_item(std::string_view name, std::uint8_t kind, std::uint32_t index);
  void start(std::uint32_t func) { start_ = func; }
  // Active, table 0, from 0.
  void elements(const std::vector<std::uint32_t>& funcs);

  // A type section's, global section's content that another module had: types come before those of type().
  void take_types(std::uint32_t count, std::span<const std::uint8_t> types);
  void take_globals(std::span<const std::uint8_t> section) { globals_.append(section); }
  void custom(std::string_view name, std::span<const std::uint8_t> bytes);

  std::uint32_t imported_funcs() const { return imported_funcs_; }
  std::vector<std::uint8_t> finish() const;

private:
  Bytes types_, imports_, funcs_, tables_, globals_, exports_, elements_, code_, customs_;
  std::uint32_t type_count_ = 0, import_count_ = 0, imported_funcs_ = 0, func_count_ = 0, table_count_ = 0,
                export_count_ = 0;
  std::map<std::string, std::uint32_t> type_indices_; // by their bytes
  std::optional<std::uint32_t> start_;
};

// The bytes of a core value type.
void write_val_type(Bytes& out, wasm::ValType type);

} // namespace cusp::compose
