// The run-time form of what C++ types say about themselves (cusp/describe.hpp): a TypeDesc is a constant, made from the C++ type, and
// compared with the component's own type when it is linked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "component/types.h"
#include "cusp/describe.hpp"

namespace cusp::canon {

struct ResourceType;

struct TypeDesc {
  component::TypeKind kind{};
  // Record, Tuple: members. Variant: payloads, null for none. List, Option: the element. Stream, Future: the element,
  // null for none. Result: ok and error, null for none.
  std::span<const TypeDesc* const> members{};
  std::span<const std::string_view> labels{}; // Record, Enum, Flags
  const ResourceType* resource = nullptr;     // Own, Borrow; null: any
};

struct FuncDesc {
  std::span<const TypeDesc* const> params{};
  const TypeDesc* result = nullptr;
};

// As WIT writes it: "result<list<u8>, enum{access, …}>".
std::string to_string(const TypeDesc& type);
std::string to_string(const FuncDesc& type);
std::string to_string(const component::TypeTable& types, component::ValType type);
std::string to_string(const component::TypeTable& types, const component::FuncType& type);

// Where the C++ type and the component's part, and what either has there.
struct Mismatch {
  std::string place; // "parameter `points`, element, field `x`"; empty: at the top
  std::string component, host;
};

// Nothing: the C++ type has the structure of the component's. `resources[i]`: the resolved type of ResourceIndex i.
std::optional<Mismatch> find_mismatch(const TypeDesc& desc, const component::TypeTable& types, component::ValType type,
                                      std::span<const ResourceType* const> resources);
std::optional<Mismatch> find_mismatch(const FuncDesc& desc, const component::TypeTable& types,
                                      const component::FuncType& type, std::span<const ResourceType* const> resources);
inline bool matches(const TypeDesc& desc, const component::TypeTable& types, component::ValType type,
                    std::span<const ResourceType* const> resources) {
  return !find_mismatch(desc, types, type, resources);
}
inline bool matches(const FuncDesc& desc, const component::TypeTable& types, const component::FuncType& type,
                    std::span<const ResourceType* const> resources) {
  return !find_mismatch(desc, types, type, resources);
}

} // namespace cusp::canon
