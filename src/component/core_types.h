// Core types of everything inside one component, in one space: equivalent types of different modules, module types and core type
// definitions have the same index here, so that comparing them is comparing integers. Private to component/.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "component/ast.h"
#include "wasm/module.h"

namespace cusp::component {

// What a module or a core instance imports or exports. Types are CoreTypes' own.
struct CoreExtern {
  wasm::ExternKind kind{};
  wasm::TypeIndex type; // Func, Tag
  wasm::TableType table;
  wasm::MemoryType memory;
  wasm::GlobalType global;
};
struct CoreExports {
  std::map<std::string, CoreExtern, std::less<>> items;
  const CoreExtern* find(std::string_view name) const {
    auto it = items.find(name);
    return it == items.end() ? nullptr : &it->second;
  }
};
struct ModuleType {
  struct Import {
    std::string module, name;
    CoreExtern what;
  };
  std::vector<Import> imports;
  std::shared_ptr<const CoreExports> exports;
  const CoreExtern* find_import(std::string_view module, std::string_view name) const;
};

class CoreTypes {
public:
  // From an index as it was written to one of this space. Nothing: there is no such type.
  using Resolve = std::function<std::optional<wasm::TypeIndex>(wasm::TypeIndex)>;

  // Adds a recursion group, or finds it; `first` is the index that its first type has where it was written. Gives the index of the first
  // one. Error: Invalid, without a place.
  base::Result<wasm::TypeIndex> add_group(std::vector<wasm::SubType> group, std::uint32_t first,
                                          const Resolve& resolve);
  wasm::TypeIndex add_func(const wasm::FuncType& type); // REQUIRES: its references are in this space

  // A module's own type. Error: Invalid when it imports one name twice.
  base::Result<ModuleType> type_of(const wasm::Module& module);

  // The same with every index resolved. Nothing: an index is not known.
  static std::optional<wasm::ValType> resolve(wasm::ValType type, const Resolve& resolve);

  const wasm::SubType& at(wasm::TypeIndex index) const { return space_.types[index.value]; }
  const wasm::FuncType* func(wasm::TypeIndex index) const { return std::get_if<wasm::FuncType>(&at(index).composite); }
  // Spec: 3.3 (external types matching). Error: Invalid with a sentence, without a place.
  base::Result<void> match(const CoreExtern& actual, const CoreExtern& wanted) const;
  base::Result<void> match(const ModuleType& actual, const ModuleType& wanted) const;

private:
  wasm::Module space_; // its types only
  std::unordered_map<std::string, std::uint32_t> groups_;
};

std::string_view core_kind_name(wasm::ExternKind kind);
base::Result<void> match_memory(const wasm::MemoryType& actual, const wasm::MemoryType& wanted);
base::Result<void> match_table(const wasm::TableType& actual, const wasm::TableType& wanted);

} // namespace cusp::component
