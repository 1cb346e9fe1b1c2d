// The instance that an exported interface becomes: a small component around the lifted functions, which gives the interface's types their names
// and the functions types in terms of them. Private to compose/.
#pragma once

#include "compose/type_encoder.h"

namespace cusp::compose {

struct ExportShim {
  std::vector<std::uint8_t> component;
  std::vector<NamedIndex> arguments; // of its instantiation, in the scope around it
};

// `functions`: the interface's functions, lifted, in order. `outer`: the index of a named type in the scope around.
base::Result<ExportShim> make_export_shim(const wit::Graph& graph, wit::InterfaceId id,
                                          const std::vector<std::uint32_t>& functions, const TypeEncoder::Named& outer);

} // namespace cusp::compose
