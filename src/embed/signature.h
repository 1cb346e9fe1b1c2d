// A function's type on both sides: how C++ holds its parameters and result (TypeInfo), and how the canonical ABI lays them out. Made once, when
// a function is defined or looked up; calls only walk it. The layouts are component/'s own.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "canon/describe.h"
#include "component/types.h"
#include "embed/engine.h"

namespace cusp::embed {

struct Node;

struct Part {
  std::unique_ptr<Node> node; // null: a case without payload
  std::uint32_t cpp_offset = 0, abi_offset = 0, flat_offset = 0;
};

struct Node {
  const detail::TypeInfo* info = nullptr;
  component::TypeKind kind{};
  bool is_plain = false; // its bytes in the guest are what C++ has, whatever they are
  std::uint32_t size = 0, alignment = 1, flat_count = 1;
  std::uint32_t discriminant_size = 0;           // Variant, Option, Result, Enum
  std::vector<Part> parts;                       // fields; cases; the element
  const canon::ResourceType* resource = nullptr; // Own, Borrow
  canon::TypeDesc desc;
  std::vector<const canon::TypeDesc*> desc_members;
};

class Signature {
public:
  // Error: Unsupported: a type is too large.
  static base::Result<std::shared_ptr<Signature>> make(const detail::FuncInfo& info, detail::EngineState& engine);

  const Node& params() const { return *params_; } // as a tuple
  const Node* result() const { return result_.get(); }
  const canon::FuncDesc& desc() const { return desc_; }
  // Resources of guests get the types that the component gives them. REQUIRES: the types match.
  void bind_resources(const component::TypeTable& types, const component::FuncType& type,
                      std::span<const canon::ResourceType* const> resources);

private:
  friend class SignatureMaker;
  component::TypeTable types_;
  std::unique_ptr<Node> params_, result_;
  std::vector<const canon::TypeDesc*> desc_params_;
  canon::FuncDesc desc_;
};

} // namespace cusp::embed
