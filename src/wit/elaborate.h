// The imports that a world's interfaces imply, put before what needs them.
// Spec: WIT.md "Transitive imports and worlds".
#pragma once

#include "wit/graph.h"

namespace cusp::wit {

// An import of an interface, of a type, or an export brings the interfaces whose types it uses: as imports, or, for an export, as the export of
// that interface where the world has one. Interfaces under their own names come first, then types, then the rest, each in the order of the text.
// Gives an exported interface that cannot be: it would see some interface both as the world's import (through another one) and as its export.
std::optional<InterfaceId> elaborate(const Graph& graph, World& world);

} // namespace cusp::wit
