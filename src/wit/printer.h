// A package graph as WIT text. What it prints parses to the same graph: parse(print(x)) == x.
#pragma once

#include <string>

#include "wit/graph.h"

namespace cusp::wit {

struct PrintOptions {
  bool docs = true;
  bool dependencies = true; // the other packages, as `package … { … }` after the root
};

std::string print_wit(const Graph& graph, const PrintOptions& options = {});

// One type, function, interface or world item, as messages quote them; documentation and gates left out.
std::string print_type(const Graph& graph, Type type);
std::string print_definition(const Graph& graph, TypeId type);
std::string print_function(const Graph& graph, const Function& function); // "read: func(len: u64) -> list<u8>"

} // namespace cusp::wit
