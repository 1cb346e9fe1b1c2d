// Writes the definitions of a component, or the declarations of a component or instance type, and counts its index spaces: every member gives
// the index of what it adds. Definitions of the same sort in a row share a section.
// Spec: component-model Binary.md.
#pragma once

#include <string>

#include "component/ast.h"
#include "compose/bytes.h"

namespace cusp::compose {

using component::ast::CoreSort;
using component::ast::Sort;

enum class ScopeKind : std::uint8_t { Component, ComponentType, InstanceType };

// What an import or export is of: `externtype`.
struct ExternType {
  component::ast::ExternKind kind{};
  std::uint32_t index = 0;
};

// How an import or export is called: `nameattributes`.
struct ExternLabel {
  std::string name;
  std::string implements, external_id; // empty: none
  ExternLabel(std::string text) : name(std::move(text)) {}
  ExternLabel(std::string text, std::string interface, std::string external)
      : name(std::move(text)), implements(std::move(interface)), external_id(std::move(external)) {}
};

struct NamedIndex {
  std::string name;
  Sort sort{};
  std::uint32_t index = 0;
};
struct CoreNamedIndex {
  std::string name;
  CoreSort sort{};
  std::uint32_t index = 0;
};

class ScopeWriter {
public:
  explicit ScopeWriter(ScopeKind kind) : kind_(kind) {}
  ScopeKind kind() const { return kind_; }

  std::uint32_t type(const Bytes& definition);
  std::uint32_t alias_export(Sort sort, std::uint32_t instance, std::string_view name);
  std::uint32_t alias_outer_type(std::uint32_t count, std::uint32_t index);
  std::uint32_t import(const ExternLabel& label, ExternType type);
  // In a type.
  std::uint32_t export_declaration(const ExternLabel& label, ExternType type);

  // In a component.
  std::uint32_t export_item(const ExternLabel& label, Sort sort, std::uint32_t index,
                            const ExternType* ascribed = nullptr);
  std::uint32_t core_module(std::span<const std::uint8_t> bytes);
  std::uint32_t component(std::span<const std::uint8_t> bytes);
  std::uint32_t core_instantiate(std::uint32_t module, const std::vector<CoreNamedIndex>& instances);
  std::uint32_t core_bundle(const std::vector<CoreNamedIndex>& items);
  std::uint32_t instantiate(std::uint32_t component, const std::vector<NamedIndex>& arguments);
  std::uint32_t alias_core_export(CoreSort sort, std::uint32_t instance, std::string_view name);
  // `definition`: the bytes of a canon. Lifts go into the function space, all others into the core one.
  std::uint32_t canon(const Bytes& definition);
  void custom(std::string_view name, std::span<const std::uint8_t> bytes);

  // The component's bytes, or the type's.
  std::vector<std::uint8_t> finish();

private:
  void item(std::uint8_t section, std::uint8_t declaration, const Bytes& bytes);
  void section(std::uint8_t id, std::span<const std::uint8_t> bytes);
  void flush();
  std::uint32_t added(Sort sort);
  std::uint32_t added(ExternType type);

  ScopeKind kind_;
  Bytes out_, pending_; // finished sections; the items of the section that is open
  std::uint8_t pending_section_ = 0;
  std::uint32_t pending_count_ = 0;
  std::uint32_t counts_[6] = {};         // by Sort
  std::uint32_t core_counts_[0x13] = {}; // by CoreSort
};

} // namespace cusp::compose
