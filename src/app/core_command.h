// Runs a core module once: its `_start`, or one exported function with arguments given as text. The module runs in a store of its own on a
// loop of this thread, with WASI 0.1 behind its imports.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/command.h"

namespace cusp::app {

// Which exported function to call, with arguments as the user wrote them.
struct CoreCall {
  std::string function;
  std::vector<std::string> arguments;
};

struct CoreOutcome {
  CommandOutcome command;
  std::vector<std::string> results; // of the function that was called, as text
};

// Without a call: `_start`, or nothing but instantiation when the module has none. A module without `_start` is a reactor: its `_initialize` runs
// first. A program that exits ends with its code. Imports that nothing provides are an error, or get a default or a trap by options.link. Error: Unlinkable, which lists everything missing; NotFound; InvalidArgument (arguments); LimitExceeded.
Result<CoreOutcome> run_core_command(std::shared_ptr<const runtime::Code> code, const CommandOptions& options,
                                     const std::optional<CoreCall>& call);

} // namespace cusp::app
