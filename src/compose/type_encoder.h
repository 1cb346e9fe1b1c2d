// WIT types as type definitions of one scope. Anonymous types and handles are defined once per scope; where a named type stands, is for whoever
// owns the scope to say.
// Spec: component-model Binary.md "Type Definitions".
#pragma once

#include <functional>
#include <map>

#include "base/result.h"
#include "compose/scope_writer.h"
#include "wit/graph.h"

namespace cusp::compose {

class TypeEncoder {
public:
  // `named` gives the scope's index of a named type.
  using Named = std::function<base::Result<std::uint32_t>(wit::TypeId)>;
  TypeEncoder(const wit::Graph& graph, ScopeWriter& scope, Named named)
      : graph_(graph), scope_(scope), named_(std::move(named)) {}

  // The bytes of a `valtype`. Error: what `named` gives; Invalid for what the binary format has no form of.
  base::Result<Bytes> value(wit::Type type);
  base::Result<std::uint32_t> function(const wit::Function& function);
  // A definition of its own for what the type is. REQUIRES: not a resource.
  base::Result<std::uint32_t> definition(wit::TypeId id);
  // The type index of an anonymous type such as an element of a stream.
  base::Result<std::uint32_t> index(wit::TypeId id);
  // The resource's own index in the scope.
  base::Result<std::uint32_t> resource(wit::TypeId id) { return named_(id); }

private:
  base::Result<Bytes> definition_bytes(const wit::TypeDef& def);
  base::Result<std::uint32_t> handle(wit::TypeId resource, bool owned);
  base::Result<void> optional(Bytes& out, const std::optional<wit::Type>& type);
  base::Result<Bytes> labels(std::uint8_t form, const std::vector<wit::Member>& members, std::string_view name);

  const wit::Graph& graph_;
  ScopeWriter& scope_;
  Named named_;
  std::map<wit::TypeId, std::uint32_t> anonymous_;
  std::map<std::pair<std::uint32_t, bool>, std::uint32_t> handles_; // resource, owned
};

} // namespace cusp::compose
