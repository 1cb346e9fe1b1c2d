// `cusp run`: a command component, a core module, or one exported function of either.
#include <cstdio>
#include <memory>

#include <CLI/App.hpp>
#include <fmt/format.h>

#include "app/command.h"
#include "app/core_command.h"
#include "canon/wave.h"
#include "cli/commands.h"
#include "cli/compile_options.h"
#include "cli/guest_options.h"
#include "cli/terminal.h"

namespace cusp::cli {

using base::ErrorCode;
using base::Result;

namespace {

struct Arguments {
  CompileArguments compile;
  GuestArguments guest;
  std::string invoke, argv0;
  std::vector<std::string> listeners;
  std::vector<std::string> words; // FILE ARGS…
};

// `name` of the root world, `interface#name`, or a name that only one exported interface has.
Result<canon::ExportFunc> find_function(const canon::ComponentCode& code, const std::string& name) {
  if (std::size_t hash = name.find('#'); hash != std::string::npos)
    return code.find_export(name.substr(0, hash), name.substr(hash + 1));
  if (code.has_export("", name)) return code.find_export("", name);
  const std::string* interface = nullptr;
  for (const component::Export& entry : code.plan().exports) {
    if (entry.name != name || std::holds_alternative<component::ExportedType>(entry.item)) continue;
    if (interface)
      return base::fail(ErrorCode::InvalidArgument, fmt::format("'{0}' is exported by {1} and by {2}; write {1}#{0}(…)",
                                                                name, *interface, entry.interface));
    interface = &entry.interface;
  }
  return code.find_export(interface ? *interface : "", name);
}

Result<app::CommandOutcome> invoke(std::shared_ptr<const runtime::Code> code, const app::CommandOptions& options,
                                   const std::string& text) {
  auto linked = CUSP_TRY(app::link_with_wasi(std::move(code), options.link));
  canon::WaveCall call = CUSP_TRY(canon::parse_wave_call(text));
  canon::ExportFunc func = CUSP_TRY(find_function(*linked, call.name));
  auto arguments = canon::parse_wave_arguments(call.arguments, linked->types(), *func.type);
  if (!arguments)
    return base::with_context(std::move(arguments).error(), fmt::format("the arguments of '{}'", call.name));
  return app::run_on_instance(linked, options, [&](canon::ComponentInstance& instance) -> Result<int> {
    auto results = CUSP_TRY(instance.call(func, *std::move(arguments)));
    instance.settle();
    for (const canon::Value& value : results) fmt::print("{}\n", canon::to_wave(value));
    return 0;
  });
}

Result<app::CommandOutcome> run_core(std::shared_ptr<const runtime::Code> code, const app::CommandOptions& options,
                                     const std::string& function) {
  std::optional<app::CoreCall> call;
  if (!function.empty())
    call = app::CoreCall{function, {options.grants.arguments.begin() + 1, options.grants.arguments.end()}};
  app::CoreOutcome outcome = CUSP_TRY(app::run_core_command(std::move(code), options, call));
  for (const std::string& result : outcome.results) fmt::print("{}\n", result);
  return outcome.command;
}

Result<app::CommandOutcome> run_file(const Arguments& arguments, const GuestOptions& guest) {
  const std::string& file = arguments.words.front();
  auto artifact = CUSP_TRY(prepare_with_progress(file, arguments.compile, prepare::Background::Detached)).artifact;
  const bool is_component = artifact->meta().plan.has_value();
  app::CommandOptions options{.grants = guest.grants, .link = guest.link, .timeout = guest.timeout};
  options.grants.arguments = arguments.words;
  options.grants.listeners = arguments.listeners;
  if (!arguments.argv0.empty()) options.grants.arguments[0] = arguments.argv0;
  if (is_component && !arguments.listeners.empty())
    return base::fail(ErrorCode::InvalidArgument, "--tcplisten is for core modules, and this is a component");
  CUSP_TRY(runtime::initialize());
  auto code = CUSP_TRY(runtime::Code::load(std::move(artifact)));
  if (!is_component) return run_core(std::move(code), options, arguments.invoke);
  if (arguments.invoke.empty()) return app::run_command(std::move(code), options);
  return invoke(std::move(code), options, arguments.invoke);
}

int run(Arguments& arguments) {
  if (arguments.words.empty() || arguments.words.front().starts_with('-')) {
    print_error(arguments.words.empty() ? "FILE is missing"
                                        : fmt::format("there is no option {}", arguments.words.front()),
                "run `cusp run --help` for its options");
    return kExitUsage;
  }
  auto guest = read_guest_options(arguments.guest, arguments.compile.options);
  if (!guest) {
    print_error(guest.error());
    return kExitUsage;
  }
  auto outcome = run_file(arguments, *guest);
  std::fflush(stdout);
  if (!outcome) {
    base::Error error = std::move(outcome).error();
    if (error.file.empty()) error.file = arguments.words.front();
    print_error(error);
    return kExitFailure;
  }
  if (!outcome->trap_report.empty()) print_error(outcome->trap_report);
  return outcome->exit_code;
}

} // namespace

void add_run(CLI::App& app, Chosen& chosen) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* run_command =
      app.add_subcommand("run", "Run a command component or a core module: cusp run [OPTIONS] FILE [ARGS...]");

  run_command->footer(
      "FILE is a wasm file or an artifact of `cusp compile`; what follows it goes to the guest.\n"
      "A guest that traps ends with exit code 134, else its own code is passed on.\n"
      "A file that the store does not know runs on quickly compiled code; a process that outlives the command makes "
      "the\n"
      "optimised code at low priority, for the runs to come (--tier says otherwise).\n"
      "Examples:\n"
      "  cusp run --dir ./data::/data tool.wasm --verbose input.txt\n"
      "  cusp run --dir ./site::/::ro --tcplisten 127.0.0.1:8080 httpd.wasm   a core module with a socket\n"
      "  cusp run --invoke add math.wasm 1 2              an exported function of a core module\n"
      "  cusp run --invoke 'greet(\"you\", 3)' hello.wasm   of a component, arguments in WAVE");
  run_command->prefix_command();
  run_command->add_option("--invoke", arguments->invoke, "Call this exported function and print what it returns")
      ->type_name("FUNC");
  run_command->add_option("--argv0", arguments->argv0, "The program's name as the guest sees it (default: FILE)")
      ->type_name("NAME");
  run_command
      ->add_option("--tcplisten", arguments->listeners,
                   "Listen there for a core module, which accepts from the descriptor behind its directories'")
      ->allow_extra_args(false)
      ->type_name("HOST:PORT");
  add_guest_options(*run_command, arguments->guest);
  add_compile_options(*run_command, arguments->compile);
  add_tier_option(*run_command, arguments->compile);
  run_command->callback([arguments, run_command, &chosen] {
    arguments->words = run_command->remaining();
    chosen = [arguments] { return run(*arguments); };
  });
}

} // namespace cusp::cli
