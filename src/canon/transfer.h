// From one component into another: lifts with one context and lowers with the other in one walk over the type, no value
// in between. For the calls that have no compiled adapter (compile/adapter/eligibility.h says which), and for strings that change
// their encoding. Spec: CanonicalABI.md, canon_lower of a canon_lift. Lifting and lowering interleave, which only a trap
// could tell.
#pragma once

#include "canon/context.h"

namespace cusp::canon {

class Transfer {
public:
  Transfer(LiftLowerContext& from, LiftLowerContext& to, const component::TypeTable& types,
           std::span<const ResourceType* const> resources)
      : from_(from), to_(to), types_(types), resources_(resources) {}

  // In memory, checked for bounds and alignment, or in flat slots; each side on its own: an async-lowered function takes in
  // memory what the function that it calls takes flat.
  struct Source {
    const std::uint8_t* memory;
    const abi::ValRaw* flat;
  };
  struct Target {
    std::uint8_t* memory;
    abi::ValRaw* flat;
  };
  void move(Source source, Target target, component::ValType type);
  void memory(const std::uint8_t* source, std::uint8_t* target, component::ValType type) {
    move({source, nullptr}, {target, nullptr}, type);
  }

private:
  void string(std::uint32_t pointer, std::uint32_t length, std::uint32_t& new_pointer, std::uint32_t& new_length);
  void list(std::uint32_t pointer, std::uint32_t length, component::ValType type, std::uint32_t& new_pointer);
  void cases(Source source, Target target, component::ValType type, const component::TypeDef& def);
  bool stopped() const { return from_.trapped() || to_.trapped(); }
  // Lists that share their elements make a few pages into more than anybody could copy, in host code that nothing interrupts.
  bool may_copy(std::uint64_t bytes);

  LiftLowerContext& from_;
  LiftLowerContext& to_;
  const component::TypeTable& types_;
  std::span<const ResourceType* const> resources_;
  std::uint64_t copied_ = 0; // bytes of strings and lists
};

} // namespace cusp::canon
