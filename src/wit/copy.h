// Copies types and functions from one graph into another, or within one under another owner. What a mapped type refers to is the type that it
// is mapped to; anonymous types are copied as they are met; a named type that is not mapped is asked for.
#pragma once

#include <functional>
#include <unordered_map>

#include "wit/graph.h"

namespace cusp::wit {

class Copier {
public:
  // `named` gives what stands in `to` for a named type of `from` that no map() was told about.
  using Named = std::function<TypeId(TypeId)>;
  Copier(const Graph& from, Graph& to, Named named) : from_(from), to_(to), named_(std::move(named)) {}

  void map(TypeId from, TypeId to) { map_[from] = to; }
  Type type(Type type);
  TypeId type(TypeId id);
  // The definition alone, its parts copied; no owner.
  TypeDef definition(const TypeDef& def);
  Function function(const Function& function);

private:
  std::vector<Member> members(const std::vector<Member>& list);
  std::optional<Type> type(const std::optional<Type>& type);

  const Graph& from_;
  Graph& to_;
  Named named_;
  std::unordered_map<TypeId, TypeId> map_;
};

} // namespace cusp::wit
