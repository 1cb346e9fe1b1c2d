// The options of the compiler, the same for every subcommand that may have to compile.
#pragma once

#include <string>

#include "prepare/prepare.h"

namespace CLI {
class App;
}

namespace cusp::cli {

struct CompileArguments {
  prepare::PrepareOptions options;
  std::string bounds = "guard";
  bool allow_precompiled = false; // accepted; an artifact that the operator names is always allowed
};

void add_compile_options(CLI::App& command, CompileArguments& arguments);

// prepare_file with a progress line on a terminal.
base::Result<std::shared_ptr<const artifact::Artifact>> prepare_with_progress(const std::string& path,
                                                                              const CompileArguments& arguments);
prepare::PrepareOptions finished_options(const CompileArguments& arguments);

} // namespace cusp::cli
