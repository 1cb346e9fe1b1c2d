// The imports that a composition leaves open, as one world: imports of compatible versions are one, with what any of the components wants of it.
#pragma once

#include "compose/composition.h"
#include "wit/copy.h"

namespace cusp::compose {

struct MergedImports {
  wit::Graph graph; // holds the interfaces
  wit::World world; // its imports are the composition's
  // The merged import of an instance's import, by name: its name in `world`.
  std::map<std::pair<std::size_t, std::string>, std::string> names;
};

// REQUIRES: the sources of `plan` name exports that exist. Error: Unlinkable, in WIT's terms.
base::Result<MergedImports> merge_imports(const Composition& plan);

} // namespace cusp::compose
