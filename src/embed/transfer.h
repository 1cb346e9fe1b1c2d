// Moves values between C++ objects and a guest, directed by a Node: no boxes between, no allocation but what the values themselves need. What the
// guest gives is checked by the LiftLowerContext; after a trap, objects hold whatever they had got by then, and are still objects.
// Spec: CanonicalABI.md, "Loading", "Storing", "Flat Lifting", "Flat Lowering".
#pragma once

#include "canon/context.h"
#include "embed/signature.h"

namespace cusp::embed {

// Where a value is in the guest: in its memory (checked for bounds and alignment) or in flat slots.
struct From {
  const std::uint8_t* memory;
  const abi::ValRaw* flat;
};
struct To {
  std::uint8_t* memory;
  abi::ValRaw* flat;
};

// `object`: of the type that the node is of, default-constructed.
void lift(canon::LiftLowerContext& cx, const Node& node, From from, void* object);
// Handles that are handed over are taken out of `object`.
void lower(canon::LiftLowerContext& cx, const Node& node, To to, void* object);

// Parameters as a tuple, each object at an address of its own.
void lift_params(canon::LiftLowerContext& cx, const Node& params, From from, void* const* objects);
void lower_params(canon::LiftLowerContext& cx, const Node& params, To to, void* const* objects);

} // namespace cusp::embed
