#include "app/command.h"

#include <csignal>

#include "wasi/cli/stdio.h"

namespace cusp::app {

namespace {
constexpr const char* kRuns[] = {"wasi:cli/run@0.3.0", "wasi:cli/run@0.2.12"};
using RunSignature = std::expected<void, std::monostate>();
} // namespace

Result<CommandOutcome> run_on_instance(std::shared_ptr<const canon::ComponentCode> code, const CommandOptions& options,
                                       const CommandBody& body) {
  // A guest whose reader has gone gets an error, not us a signal.
  std::signal(SIGPIPE, SIG_IGN);
  CUSP_TRY(runtime::initialize());
  auto config = CUSP_TRY(make_config(options.grants, wasi::IoMode::Direct));
  std::optional<Result<CommandOutcome>> outcome;
  CUSP_TRY(loop::EventLoop::run_one([&] {
    wasi::ProcessStdio stdio;
    wasi::Context context;
    context.config = config.get();
    context.stdio = &stdio;
    if (options.timeout)
      context.deadline = loop::Clock::now() + std::chrono::duration_cast<loop::Clock::duration>(*options.timeout);
    outcome = [&]() -> Result<CommandOutcome> {
      auto made = canon::ComponentInstance::create(code, &context);
      CommandOutcome done;
      if (made) {
        canon::ComponentInstance& instance = **made;
        if (options.timeout) instance.slot().set_deadline(context.deadline.time_since_epoch().count());
        Result<int> result = body(instance);
        if (result) done.exit_code = *result;
        else if (result.error().code == base::ErrorCode::Trap) done = {kTrapExitCode, instance.trap_report()};
        else if (!context.exit_code) return std::unexpected(std::move(result).error());
        if (!context.exit_code) return done;
        return CommandOutcome{*context.exit_code, {}};
      }
      if (context.exit_code) return CommandOutcome{*context.exit_code, {}};
      return std::unexpected(std::move(made).error());
    }();
  }));
  return *std::move(outcome);
}

Result<CommandOutcome> run_command(std::shared_ptr<const runtime::Code> code, const CommandOptions& options) {
  auto linked = CUSP_TRY(link_with_wasi(std::move(code), options.link));
  for (const char* interface : kRuns) {
    if (!linked->has_export(interface, "run")) continue;
    auto run = CUSP_TRY(linked->find_export<RunSignature>(interface, "run"));
    return run_on_instance(linked, options, [run](canon::ComponentInstance& instance) -> Result<int> {
      auto result = CUSP_TRY(instance.call(run));
      instance.settle(); // the command is over; what it has written comes out
      return result ? 0 : 1;
    });
  }
  return base::fail(base::ErrorCode::NotFound, "the component does not export wasi:cli/run; `cusp serve` serves HTTP "
                                               "handlers, `--invoke` calls other functions");
}

} // namespace cusp::app
