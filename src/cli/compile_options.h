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
  std::string bounds = "guard", tier; // tier empty: auto, or optimising where a level is named
  bool level_named = false;           // --opt-level was given
  bool allow_precompiled = false;     // accepted; an artifact that the operator names is always allowed
};

void add_compile_options(CLI::App& command, CompileArguments& arguments);

// For subcommands that run what they prepare.
void add_tier_option(CLI::App& command, CompileArguments& arguments);

// prepare_tiers with a progress line on a terminal.
base::Result<prepare::Prepared> prepare_with_progress(const std::string& path, const CompileArguments& arguments,
                                                      prepare::Background background);
prepare::PrepareOptions finished_options(const CompileArguments& arguments);

} // namespace cusp::cli
