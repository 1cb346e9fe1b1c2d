// One world from its text: its own items, those of the worlds that it includes, and the imports that its interfaces imply. Private to wit/.
// Spec: WIT.md "Union of Worlds with include", "Transitive imports and worlds".
#pragma once

#include <functional>

#include "wit/type_scope.h"

namespace cusp::wit {

// What the world builder needs of the resolver around it.
class ItemResolver {
public:
  virtual ~ItemResolver() = default;
  virtual base::Result<InterfaceId> interface(const syntax::Path& path, const Scope& scope) = 0;
  virtual base::Result<WorldId> world(const syntax::Path& path, const Scope& scope) = 0;
  virtual base::Result<std::string> gate(const syntax::Attributes& attributes, const Scope& scope) = 0;
  virtual base::Result<void> use(const syntax::Use& use, TypeScope& types, const Scope& scope,
                                 std::vector<TypeId>& out) = 0;
  virtual base::Result<Interface> interface_body(const syntax::Interface& body, const Scope& scope, InterfaceId id) = 0;
  virtual base::Result<void> resource_functions(const syntax::TypeDef& def, TypeScope& types, const Scope& scope,
                                                const std::function<void(Function)>& add) = 0;
  virtual Graph& graph() = 0;
  virtual const Sources& sources() const = 0;
};

base::Result<World> build_world(const syntax::World& text, const Scope& scope, ItemResolver& resolver, WorldId id);

} // namespace cusp::wit
