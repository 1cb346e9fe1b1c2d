// Core modules and components for tests: written by hand, or made to fit a world with bodies that trap or pass on.
#pragma once

#include <gtest/gtest.h>

#include "component/component.h"
#include "compose/bytes.h"
#include "compose/componentize.h"
#include "compose/composition.h"
#include "compose/core_writer.h"
#include "compose/flatten.h"
#include "wasm/features.h"
#include "wit/resolver.h"

namespace cusp::compose::test {

class SmallModule {
public:
  std::uint32_t import_func(std::string_view module, std::string_view name, const wasm::FuncType& type) {
    imports_.name(module).name(name).u8(0).u32(this->type(type));
    ++import_count_;
    return func_imports_++;
  }
  void import_memory(std::string_view module, std::string_view name) {
    imports_.name(module).name(name).u8(2).u8(0).u32(0);
    ++import_count_;
  }
  // `code`: operators without the final `end`.
  std::uint32_t func(const wasm::FuncType& type, const Bytes& code) {
    funcs_.u32(this->type(type));
    Bytes body{0};
    body.append(code).u8(0x0b);
    code_.sized(body.view());
    return func_imports_ + func_count_++;
  }
  void export_func(std::string_view name, std::uint32_t func) {
    exports_.name(name).u8(0).u32(func);
    ++export_count_;
  }
  void export_memory() {
    has_memory_ = true;
    exports_.name("memory").u8(2).u32(0);
    ++export_count_;
  }
  std::uint32_t mutable_global(std::string_view name) {
    globals_.u8(0x7f).u8(1).u8(0x41).u8(0).u8(0x0b);
    global_names_.u32(global_count_).name(name);
    return global_count_++;
  }
  std::vector<std::uint8_t> bytes() const {
    Bytes out{0, 'a', 's', 'm', 1, 0, 0, 0};
    auto section = [&](std::uint8_t id, std::uint32_t count, const Bytes& items) {
      if (count != 0) out.u8(id).sized(Bytes().u32(count).append(items).view());
    };
    section(1, type_count_, types_), section(2, import_count_, imports_), section(3, func_count_, funcs_);
    if (has_memory_) section(5, 1, Bytes{0, 1});
    section(6, global_count_, globals_), section(7, export_count_, exports_), section(10, func_count_, code_);
    if (global_count_ != 0) {
      Bytes map = Bytes().u32(global_count_).append(global_names_);
      out.u8(0).sized(Bytes().name("name").u8(7).sized(map.view()).view());
    }
    return out.take();
  }

private:
  std::uint32_t type(const wasm::FuncType& type) {
    types_.u8(0x60);
    for (const auto* list : {&type.params, &type.results}) {
      types_.u32(list->size());
      for (wasm::ValType value : *list) write_val_type(types_, value);
    }
    return type_count_++;
  }

  Bytes types_, imports_, funcs_, globals_, exports_, code_, global_names_;
  std::uint32_t type_count_ = 0, import_count_ = 0, func_imports_ = 0, func_count_ = 0, export_count_ = 0,
                global_count_ = 0;
  bool has_memory_ = false;
};

inline wasm::FuncType realloc_type() {
  return {std::vector<wasm::ValType>(4, wasm::ValType::i32()), {wasm::ValType::i32()}};
}
inline const Bytes kTrap{0x00};

inline wit::Graph wit_of(std::string text) {
  auto graph = wit::parse_wit("test.wit", std::move(text));
  EXPECT_TRUE(graph) << graph.error().to_string();
  return graph ? std::move(*graph) : wit::Graph{};
}

// A module that imports and exports all of a world; its functions trap.
inline std::vector<std::uint8_t> module_for(const wit::Graph& graph, const wit::World& world) {
  SmallModule module;
  auto each = [&](const std::vector<wit::WorldItem>& items, auto&& visit) {
    for (const wit::WorldItem& item : items) {
      if (const auto* function = std::get_if<wit::Function>(&item.what)) visit("$root", "", *function);
      if (const auto* id = std::get_if<wit::InterfaceId>(&item.what))
        for (const wit::Function& function : graph.interface(*id).functions)
          visit(graph.extern_name(item), graph.extern_name(item) + "#", function);
    }
  };
  each(world.imports, [&](const std::string& from, const std::string&, const wit::Function& function) {
    module.import_func(from, graph.extern_name(function), core_signature(graph, function, CoreSide::Import).type);
  });
  for (const wit::WorldItem& item : world.exports)
    if (const auto* id = std::get_if<wit::InterfaceId>(&item.what))
      for (wit::TypeId type : graph.interface(*id).types)
        if (std::holds_alternative<wit::Resource>(graph.type(type).kind))
          for (std::string_view name : {"[resource-new]", "[resource-rep]", "[resource-drop]"}) {
            wasm::FuncType signature{{wasm::ValType::i32()}, {}};
            if (name != "[resource-drop]") signature.results = {wasm::ValType::i32()};
            module.import_func("[export]" + graph.extern_name(item), std::string(name) + graph.type(type).name,
                               signature);
          }
  each(world.exports, [&](const std::string&, const std::string& prefix, const wit::Function& function) {
    std::uint32_t func = module.func(core_signature(graph, function, CoreSide::Export).type, kTrap);
    module.export_func(prefix + graph.extern_name(function), func);
  });
  for (const wit::WorldItem& item : world.exports)
    if (const auto* id = std::get_if<wit::InterfaceId>(&item.what))
      for (wit::TypeId type : graph.interface(*id).types)
        if (std::holds_alternative<wit::Resource>(graph.type(type).kind))
          module.export_func(graph.extern_name(item) + "#[dtor]" + graph.type(type).name,
                             module.func({{wasm::ValType::i32()}, {}}, kTrap));
  module.export_func("cabi_realloc", module.func(realloc_type(), kTrap));
  module.export_memory();
  return module.bytes();
}

inline std::vector<std::uint8_t> component_for(const wit::Graph& graph, std::string_view world_name) {
  auto world = wit::select_world(graph, world_name);
  EXPECT_TRUE(world) << world.error().to_string();
  std::vector<std::uint8_t> module = module_for(graph, graph.world(*world));
  ComponentizeInput input;
  input.module = module;
  input.graph = &graph;
  input.world = *world;
  auto bytes = componentize(input);
  EXPECT_TRUE(bytes) << bytes.error().to_string();
  return bytes ? std::move(*bytes) : std::vector<std::uint8_t>{};
}

inline testing::AssertionResult valid(std::span<const std::uint8_t> bytes) {
  auto checked = component::validate_component(bytes, wasm::Features::validated());
  if (checked) return testing::AssertionSuccess();
  return testing::AssertionFailure() << checked.error().to_string();
}

inline Part part(std::string file, std::vector<std::uint8_t> bytes) {
  auto made = make_part(std::move(file), std::move(bytes));
  EXPECT_TRUE(made) << made.error().to_string();
  return made ? std::move(*made) : Part{};
}

} // namespace cusp::compose::test
