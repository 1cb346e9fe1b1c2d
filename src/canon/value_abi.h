// Values through the canonical ABI, directed by a run-time type: the slow sister of abi.h, with the same rules.
#pragma once

#include "canon/context.h"
#include "canon/value.h"

namespace cusp::canon {

class ValueAbi {
public:
  // `resources[i]`: the resolved type of ResourceIndex i.
  ValueAbi(LiftLowerContext& cx, const component::TypeTable& types, std::span<const ResourceType* const> resources)
      : cx_(cx), types_(types), resources_(resources) {}

  // REQUIRES: `at` checked for bounds and alignment. After a trap the value is incomplete.
  Value load(const std::uint8_t* at, component::ValType type);
  // REQUIRES: the value conforms.
  void store(std::uint8_t* at, const Value& value, component::ValType type);
  Value lift_flat(const abi::ValRaw* values, component::ValType type);
  void lower_flat(abi::ValRaw* values, const Value& value, component::ValType type);

private:
  // Where a value is: in memory or in flat slots. The four above are thin around these.
  struct Place {
    const std::uint8_t* memory;
    const abi::ValRaw* flat;
  };
  Value lift(Place from, component::ValType type);
  Value lift_list(std::uint32_t pointer, std::uint32_t length, component::ValType element, TypeKind kind,
                  const component::TypeDef& def);
  Value lift_cases(Place from, component::ValType type, const component::TypeDef& def);
  void lower(std::uint8_t* memory, abi::ValRaw* flat, const Value& value, component::ValType type);
  void lower_list(const Value& value, const component::TypeDef& def, std::uint32_t& pointer, std::uint32_t& length);
  void lower_cases(std::uint8_t* memory, abi::ValRaw* flat, const Value& value, component::ValType type,
                   const component::TypeDef& def);

  LiftLowerContext& cx_;
  const component::TypeTable& types_;
  std::span<const ResourceType* const> resources_;
  std::uint64_t made_ = 0; // values lifted so far: a guest's list of 2^28 bytes must not become 2^28 boxes
};

// The pair of a map, laid out as tuple<key, value>.
struct PairLayout {
  std::uint32_t second = 0, size = 0, alignment = 1;
};
PairLayout pair_layout(const component::TypeTable& types, const component::TypeDef& map);

// Zeros, empty strings and lists, none, the first case; ok before err. For `-W unknown-imports-default`.
Value default_value(const component::TypeTable& types, component::ValType type,
                    std::span<const ResourceType* const> resources);

// The case of a variant-like type by position: its payload type.
std::optional<component::ValType> case_payload(const component::TypeDef& def, std::uint32_t which);
std::uint32_t case_count(const component::TypeDef& def);

} // namespace cusp::canon
