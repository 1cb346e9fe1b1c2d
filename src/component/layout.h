// Makes the entries of a TypeTable: finds those that are there already, computes the layouts of new ones under both kinds of memory.
// Private to component/. Spec: CanonicalABI.md, "Alignment", "Element Size", "Flattening".
#pragma once

#include <unordered_map>

#include "component/types.h"

namespace cusp::component {

class TypeBuilder {
public:
  explicit TypeBuilder(TypeTable& table) : table_(table) {}
  // REQUIRES: what `def` refers to is in the table. Nothing: the type is too large.
  std::optional<ValType> define(TypeDef def);
  std::uint32_t define(FuncType type); // TypeTable::funcs

private:
  TypeTable& table_;
  std::unordered_map<std::string, std::uint32_t> defs_, funcs_; // by their archived form
};

// Bytes of the largest element size, under a 64-bit memory, that a type may not reach.
inline constexpr std::uint64_t kMaxElementSize = std::uint64_t{1} << 28;

} // namespace cusp::component
