// Whether one component-level type can stand for another. Values and functions match when they are equal; instances and components as
// modules of an ML do. Private to component/. Spec: Explainer.md, "Type Checking"; Binary.md.
#pragma once

#include "component/typing.h"

namespace cusp::component::typing {

class Subtyping {
public:
  explicit Subtyping(Types& types) : types_(types) {}

  // Error: Invalid, a sentence that leads to the difference, without a place.
  base::Result<void> entity(const Entity& actual, const Entity& wanted);
  base::Result<void> value(TypeRef actual, TypeRef wanted);

  // Items given for the imports of `component` (or, comparing components, for its exports): finds the resources that stand for its
  // imported (or defined) ones, checks every item under that, and gives what to substitute in what depends on them.
  using Given = std::function<const Entity*(std::string_view)>;
  enum class Side : std::uint8_t { Imports, Exports };
  base::Result<Mapping> open(const Given& given, TypeRef component, Side side);

private:
  base::Result<void> any(TypeRef actual, TypeRef wanted);
  base::Result<void> defined(TypeRef actual, TypeRef wanted);
  base::Result<void> labels(const DefinedType& actual, const DefinedType& wanted);
  base::Result<void> optional(std::string_view what, const std::optional<TypeRef>& actual,
                              const std::optional<TypeRef>& wanted);
  base::Result<void> func(TypeRef actual, TypeRef wanted);
  base::Result<void> instance(TypeRef actual, TypeRef wanted);
  base::Result<void> component(TypeRef actual, TypeRef wanted);
  void rename(const Entity& actual, const Entity& wanted, Mapping& out);
  std::string describe(TypeRef type) const;

  Types& types_;
};

} // namespace cusp::component::typing
