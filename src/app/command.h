// Runs a command component (one that exports wasi:cli/run) once, in this process's place: its standard streams are ours, it runs on a loop of
// its own on this thread, and file I/O is done directly, because nobody else waits.
#pragma once

#include <chrono>
#include <functional>

#include "app/host.h"

namespace cusp::app {

struct CommandOptions {
  Grants grants; // arguments[0] is the program's name
  canon::LinkOptions link;
  std::optional<std::chrono::nanoseconds> timeout;
};

struct CommandOutcome {
  int exit_code = 0;
  std::string trap_report; // not empty: the guest trapped; several lines with its backtrace
};
inline constexpr int kTrapExitCode = 134;

// Error: NotFound when the component does not export wasi:cli/run; Unlinkable; LimitExceeded; Io.
Result<CommandOutcome> run_command(std::shared_ptr<const runtime::Code> code, const CommandOptions& options);

// The same surroundings for another use of an instance (`--invoke`). A guest that exits ends with its code.
using CommandBody = std::function<Result<int>(canon::ComponentInstance& instance)>;
Result<CommandOutcome> run_on_instance(std::shared_ptr<const canon::ComponentCode> code, const CommandOptions& options,
                                       const CommandBody& body);

} // namespace cusp::app
