// A core module of adapters in the making: what it imports from the component's core instances and from the host, each once, and its
// functions. Its bytes are read like any other module's, with the Adapter feature on.
#pragma once

#include <string>
#include <vector>

#include "compile/adapter/code.h"
#include "component/link_plan.h"
#include "wasm/types.h"

namespace cusp::compile {

class AdapterModule {
public:
  // The index of the import in its index space.
  std::uint32_t func(const component::CoreFunc& func, const CoreSignature& signature);
  std::uint32_t memory(const component::CoreItem& memory, const wasm::MemoryType& type);
  // Returns its place among the functions that the module defines.
  std::uint32_t define(const CoreSignature& signature, AdapterCode& code, std::string name);

  std::uint32_t imported_functions() const { return imported_functions_; }
  bool empty() const { return bodies_.empty(); }
  // For the step that instantiates it.
  const std::vector<component::CoreArgument>& arguments() const { return arguments_; }
  std::vector<std::uint8_t> bytes() const;

private:
  struct Imported {
    component::CoreArgument what;
    bool is_memory = false;
    std::uint32_t index = 0;
  };
  std::uint32_t type(const CoreSignature& signature);

  std::vector<CoreSignature> types_;
  std::vector<Imported> imported_;
  std::vector<component::CoreArgument> arguments_;
  std::vector<std::vector<std::uint8_t>> imports_, bodies_; // entries of their sections
  std::vector<std::uint32_t> functions_;                    // types of what is defined
  std::vector<std::string> names_;
  std::uint32_t imported_functions_ = 0, imported_memories_ = 0;
};

} // namespace cusp::compile
