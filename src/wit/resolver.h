// Syntax trees to a package graph: names followed, gates applied, `include` and implied imports worked in.
// Spec: WIT.md "Name resolution", "Feature Gates", "Union of Worlds", "Transitive imports and worlds".
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "wit/graph.h"
#include "wit/source.h"

namespace cusp::wit {

struct ResolveOptions {
  std::set<std::string> features; // that are on, for `@unstable`
  bool all_features = false;
};

// The texts of one package: a file, or the files of one folder.
struct PackageSource {
  std::vector<std::uint32_t> files; // of Sources
};

// The first package is the root. Error: Malformed with file, line, column, the line and a caret.
base::Result<Graph> resolve_packages(const Sources& sources, const std::vector<PackageSource>& packages,
                                     const ResolveOptions& options);

// A WIT file, or a folder of them with its `deps`. Error: as above; Io.
base::Result<Graph> load_wit(const std::string& path, const ResolveOptions& options = {});

// One text, for tests and for WIT that comes from elsewhere. `name` is what errors call it.
base::Result<Graph> parse_wit(std::string name, std::string text, const ResolveOptions& options = {});

} // namespace cusp::wit
