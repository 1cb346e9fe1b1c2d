#include "compile/import_targets.h"

#include <algorithm>
#include <map>

#include "abi/contexts.h"
#include "wasm/cursor.h"

namespace cusp::compile {

using component::CoreItem;
using component::InstantiateCore;
using component::LinkedComponent;

namespace {

// A function that calls what is at a constant place of its module's table 0 with its own parameters, and does no more.
struct TableCall {
  std::uint32_t place = 0;
  wasm::TypeIndex type;
};
std::optional<TableCall> table_call(const wasm::Module& module, wasm::DefinedFuncIndex func) {
  constexpr std::uint8_t kLocalGet = 0x20, kI32Const = 0x41, kCallIndirect = 0x11, kEnd = 0x0b;
  wasm::Cursor in(module.code[func.value].bytes, 0);
  const std::size_t params = module.func_type(module.func_index(func)).params.size();
  if (in.u32() != 0) return std::nullopt;
  for (std::uint32_t i = 0; i < params; ++i)
    if (in.u8() != kLocalGet || in.u32() != i) return std::nullopt;
  if (in.u8() != kI32Const) return std::nullopt;
  const std::int32_t place = in.s32();
  if (in.u8() != kCallIndirect) return std::nullopt;
  const std::uint32_t type = in.u32();
  const bool rest = in.u32() == 0 && in.u8() == kEnd && in.ok() && in.at_end();
  if (!rest || place < 0 || type >= module.types.size()) return std::nullopt;
  return TableCall{static_cast<std::uint32_t>(place), wasm::TypeIndex(type)};
}

bool calls_tables_only(const wasm::Module& module) {
  for (std::uint32_t i = 0; i < module.defined_functions(); ++i)
    if (!table_call(module, wasm::DefinedFuncIndex(i))) return false;
  return true;
}

class Resolution {
public:
  explicit Resolution(const LinkedComponent& component)
      : component_(component), plan_(component.plan), positions_(plan_.core_instances.size(), kNever),
        instances_of_(component.modules.size()) {
    std::uint64_t at = 0;
    for (std::uint32_t module : plan_.core_instances) {
      contexts_.push_back(at);
      at += abi::context_space(shape_of(component.modules[module].module));
      ++instances_of_[module];
    }
    for (std::uint32_t i = 0; i < plan_.steps.size(); ++i) positions_[step(i).instance.value] = i;
    find_tables();
  }

  std::vector<ImportTargets> run() const {
    std::vector<ImportTargets> targets(component_.modules.size());
    for (std::size_t m = 0; m < targets.size(); ++m) targets[m].resize(component_.modules[m].module.imported_functions);
    for (std::uint32_t s = 0; s < plan_.steps.size(); ++s) {
      const InstantiateCore& consumer = step(s);
      // Of two instances one may be given what is the other's.
      if (instances_of_[consumer.module] != 1) continue;
      const wasm::Module& module = component_.modules[consumer.module].module;
      for (std::size_t i = 0; i < module.imports.size(); ++i) {
        const auto* item = std::get_if<CoreItem>(&consumer.arguments[i]);
        if (!item || module.imports[i].kind != wasm::ExternKind::Func) continue;
        auto& target = targets[consumer.module][module.imports[i].index] = follow(*item);
        if (target) target->context_delta -= static_cast<std::int64_t>(contexts_[consumer.instance.value]);
      }
    }
    return targets;
  }

private:
  static constexpr std::uint32_t kNever = ~std::uint32_t{0};
  using Place = std::pair<std::uint32_t, std::uint32_t>; // core instance whose table 0 it is, index

  const InstantiateCore& step(std::uint32_t index) const { return std::get<InstantiateCore>(plan_.steps[index]); }
  const wasm::Module& module_of(const CoreItem& item) const {
    return component_.modules[plan_.core_instances[item.instance.value]].module;
  }

  // With the context's own place for its distance.
  std::optional<CallTarget> follow(CoreItem item) const {
    for (;;) {
      const std::uint32_t made = positions_[item.instance.value],
                          module_index = plan_.core_instances[item.instance.value];
      if (made == kNever || instances_of_[module_index] != 1) return std::nullopt;
      const wasm::Module& module = component_.modules[module_index].module;
      const wasm::FuncIndex func(item.index);
      if (!has_numbers_only(module.func_type(func))) return std::nullopt;
      if (module.is_imported(func)) {
        const auto* next = std::get_if<CoreItem>(&step(made).arguments[import_of(module, item.index)]);
        if (!next) return std::nullopt;
        item = *next;
        continue;
      }
      auto indirect = table_call(module, module.defined_index(func));
      auto in_table = indirect ? table_.find({item.instance.value, indirect->place}) : table_.end();
      if (in_table != table_.end() && same_type(module.func_type(indirect->type), in_table->second)) {
        item = in_table->second;
        continue;
      }
      return CallTarget{module_index, func, static_cast<std::int64_t>(contexts_[item.instance.value])};
    }
  }
  bool same_type(const wasm::FuncType& type, const CoreItem& func) const {
    const wasm::FuncType& other = module_of(func).func_type(wasm::FuncIndex(func.index));
    return has_numbers_only(type) && type.params == other.params && type.results == other.results;
  }
  static std::size_t import_of(const wasm::Module& module, std::uint32_t func) {
    auto import = std::ranges::find_if(
        module.imports, [&](const wasm::Import& i) { return i.kind == wasm::ExternKind::Func && i.index == func; });
    return static_cast<std::size_t>(import - module.imports.begin());
  }

  // A reference's LLVM type depends on the module that names it.
  static bool has_numbers_only(const wasm::FuncType& type) {
    auto is_number = [](wasm::ValType t) { return !t.is_ref(); };
    return std::ranges::all_of(type.params, is_number) && std::ranges::all_of(type.results, is_number);
  }

  // Tables whose contents are known: in an instance of a module that only calls through them, filled by modules without code, before
  // any start function runs that could call through them while they are not filled yet.
  void find_tables() {
    for (std::uint32_t s = 0; s < plan_.steps.size(); ++s) {
      const InstantiateCore& owner = step(s);
      const wasm::Module& module = component_.modules[owner.module].module;
      if (module.tables.size() != 1 || module.imported_tables != 0 || instances_of_[owner.module] != 1) continue;
      if (!module.elems.empty() || module.start || module.code.empty() || !calls_tables_only(module)) continue;
      std::map<Place, CoreItem> filled;
      if (fill(s, filled)) table_.merge(filled);
    }
  }
  bool fill(std::uint32_t owner_step, std::map<Place, CoreItem>& filled) const {
    const std::uint32_t owner = step(owner_step).instance.value;
    bool started = false;
    for (std::uint32_t s = owner_step + 1; s < plan_.steps.size(); ++s) {
      const InstantiateCore& filler = step(s);
      const wasm::Module& module = component_.modules[filler.module].module;
      started = started || module.start;
      for (std::size_t i = 0; i < module.imports.size(); ++i) {
        const auto* item = std::get_if<CoreItem>(&filler.arguments[i]);
        if (module.imports[i].kind != wasm::ExternKind::Table || !item || !is_table_of(*item, owner)) continue;
        if (started || module.defined_functions() != 0 || instances_of_[filler.module] != 1) return false;
        for (const wasm::ElemSegment& elem : module.elems)
          if (!add(elem, module.imports[i].index, filler.instance, owner, filled)) return false;
      }
    }
    return true;
  }
  // Whoever gets the table by way of another gets it from a module that may have code.
  bool is_table_of(const CoreItem& item, std::uint32_t owner) const {
    if (item.instance.value == owner) return true;
    const wasm::Module& module = module_of(item);
    if (item.index >= module.imported_tables) return false;
    for (std::size_t i = 0; i < module.imports.size(); ++i) {
      const std::uint32_t made = positions_[item.instance.value];
      if (module.imports[i].kind != wasm::ExternKind::Table || module.imports[i].index != item.index || made == kNever)
        continue;
      const auto* from = std::get_if<CoreItem>(&step(made).arguments[i]);
      return from && is_table_of(*from, owner);
    }
    return false;
  }
  static bool add(const wasm::ElemSegment& elem, std::uint32_t table, component::CoreInstanceIndex filler,
                  std::uint32_t owner, std::map<Place, CoreItem>& filled) {
    if (elem.mode != wasm::SegmentMode::Active || elem.table.value != table)
      return elem.mode != wasm::SegmentMode::Active;
    if (elem.offset.size() != 1 || elem.offset[0].op != wasm::Op::I32Const || !elem.expressions.empty()) return false;
    for (std::uint32_t i = 0; i < elem.funcs.size(); ++i)
      filled[{owner, static_cast<std::uint32_t>(elem.offset[0].low) + i}] = {filler, elem.funcs[i].value};
    return true;
  }

  const LinkedComponent& component_;
  const component::LinkPlan& plan_;
  std::vector<std::uint32_t> positions_;    // of the step that makes a core instance
  std::vector<std::uint64_t> contexts_;     // of core instances, from the slot's base
  std::vector<std::uint32_t> instances_of_; // by module
  std::map<Place, CoreItem> table_;
};

} // namespace

std::vector<ImportTargets> import_targets(const LinkedComponent& component) { return Resolution(component).run(); }

} // namespace cusp::compile
