// The types of all code of the process. A funcref or object made by one artifact is used by another, so that ids are
// process-wide: whole recursion groups are interned when code is loaded, never on a request, and equivalent ones get the
// same ids. Ids are not given back: there are few types. Any number of threads may use the registry; what it says of an id
// never changes.
// A ValType outside this class and below Code carries ids in place of its module's type indices: "canonical".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "artifact/module_meta.h"
#include "base/result.h"

namespace cusp::runtime {

// Where an object of a type has references that keep others alive.
struct GcShape {
  abi::TypeKind kind{};
  std::uint32_t size = 0;             // of a structure; of an array's element
  abi::GcStorage element{};           // arrays
  std::vector<std::uint32_t> any;     // offsets of 32-bit references
  std::vector<std::uint32_t> externs; // offsets of 64-bit references
};

// Process-wide ids of a module's types, by TypeIndex. Error: LimitExceeded when the process has too many types.
base::Result<std::vector<std::uint32_t>> intern_types(std::span<const artifact::TypeMeta> types);
// The id of a function type that is final, alone in its recursion group and names no type of a module. 0 (nobody's id)
// when the process has too many types.
std::uint32_t intern_type(const artifact::FuncTypeMeta& type);

// What VmContext::types points at.
const abi::TypeRecord* type_records();
inline const GcShape* shape_of(std::uint32_t id) { return static_cast<const GcShape*>(type_records()[id >> 2].shape); }
// The type of an id, as messages show it: "(i32 i64) -> (f32)".
std::string type_text(std::uint32_t id);

// `sub` is `super` or was declared, directly or not, as its subtype. Spec: 3.3.
bool is_type_subtype(std::uint32_t sub, std::uint32_t super);

// A module's value type (ValType::raw()) in canonical form, and matching of such.
std::uint32_t canonical_value(std::uint32_t raw, std::span<const std::uint32_t> ids);
bool is_value_subtype(std::uint32_t sub, std::uint32_t super);
// Which references of a canonical type the garbage collector must follow.
enum class RootKind : std::uint8_t { None, Any, Extern };
RootKind root_kind(std::uint32_t canonical);

} // namespace cusp::runtime
