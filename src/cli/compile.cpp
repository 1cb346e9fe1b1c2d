// `cusp compile` and the compiler's options.
#include <chrono>
#include <cstdio>
#include <memory>

#include <CLI/App.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/compile_options.h"
#include "cli/settings.h"
#include "cli/terminal.h"

namespace cusp::cli {

void add_compile_options(CLI::App& command, CompileArguments& arguments) {
  prepare::PrepareOptions& options = arguments.options;
  command.add_option("--opt-level", options.opt_level, "How hard the compiler tries: 0, 1 or 2 (default 2)")
      ->check(CLI::Range(0, 2))
      ->each([&arguments](const std::string&) { arguments.level_named = true; });
  command.add_option("--target-cpu", options.target_cpu,
                     "native (default), or an LLVM CPU name such as x86-64-v3 for a fleet");
  command
      .add_option("--bounds", arguments.bounds,
                  "guard (default): address space bounds memories; explicit: checks in code")
      ->check(CLI::IsMember({"guard", "explicit"}));
  command.add_option("--compile-threads", options.threads, "Threads of the compiler (default: all processors)");
  command.add_flag("--no-cache", options.no_cache, "Neither look into nor write the artifact store");
  command.add_flag("--allow-precompiled", arguments.allow_precompiled,
                   "Accepted for compatibility: artifacts are recognised by themselves");
}

void add_tier_option(CLI::App& command, CompileArguments& arguments) {
  command
      .add_option(
          "--tier", arguments.tier,
          "auto (default, unless --opt-level is given): quickly compiled code now, optimised code in the background "
          "where the store has none; first: the former alone; optimising: the latter, before anything runs")
      ->check(CLI::IsMember({"auto", "first", "optimising"}));
}

prepare::PrepareOptions finished_options(const CompileArguments& arguments) {
  prepare::PrepareOptions options = arguments.options;
  options.bounds = arguments.bounds == "explicit" ? artifact::BoundsMode::Explicit : artifact::BoundsMode::Guard;
  return options;
}

base::Result<prepare::Prepared> prepare_with_progress(const std::string& path, const CompileArguments& arguments,
                                                      prepare::Background background) {
  using prepare::Tier;
  prepare::PrepareOptions options = finished_options(arguments);
  ProgressLine line(path);
  options.progress = [&line](std::uint32_t done, std::uint32_t total) { line.update(done, total); };
  const bool at_once = arguments.tier.empty() ? arguments.level_named : arguments.tier == "optimising";
  const Tier tier = arguments.tier == "first" ? Tier::First : at_once ? Tier::Optimising : Tier::Auto;
  auto prepared = CUSP_TRY(prepare::prepare_tiers(path, options, tier, background));
  if (options.fuel && !artifact::counts_fuel(prepared.artifact->key().settings))
    return base::fail(base::ErrorCode::InvalidArgument,
                      fmt::format("{} was compiled without fuel; compile it with -W fuel", path));
  return prepared;
}

namespace {

struct Arguments {
  CompileArguments compile;
  std::vector<std::string> wasm;
  std::string file, output;
};

int run_compile(Arguments& arguments) {
  if (auto read = read_compiler_settings(arguments.wasm, arguments.compile.options); !read) {
    print_error(read.error());
    return kExitUsage;
  }
  auto start = std::chrono::steady_clock::now();
  base::Result<std::vector<std::uint8_t>> bytes = [&] {
    prepare::PrepareOptions options = finished_options(arguments.compile);
    ProgressLine line(arguments.file);
    options.progress = [&line](std::uint32_t done, std::uint32_t total) { line.update(done, total); };
    return prepare::compile_file(arguments.file, options);
  }();
  if (!bytes) {
    print_error(bytes.error());
    return kExitFailure;
  }
  if (auto written = prepare::write_file(arguments.output, *bytes, 0644); !written) {
    print_error(written.error());
    return kExitFailure;
  }
  if (stderr_is_terminal()) {
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    fmt::print(stderr, "wrote {}: {:.1f} KiB in {:.2f} s\n", arguments.output,
               static_cast<double>(bytes->size()) / 1024, seconds);
  }
  return 0;
}

} // namespace

void add_compile(CLI::App& app, Chosen& chosen) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* compile = app.add_subcommand("compile", "Compile a component or module to an artifact");
  compile->footer(
      "The artifact is one file of native code for this machine's CPU (or --target-cpu), which `cusp serve` and\n"
      "`cusp run` take in place of the wasm file. Run only artifacts that you made yourself.\n"
      "Example: cusp compile app.wasm -o app.cusp");
  compile->add_option("FILE", arguments->file, "A WebAssembly component or module")->required();
  compile->add_option("-o,--output", arguments->output, "Where the artifact goes")->required();
  compile->add_option("-W,--wasm", arguments->wasm, std::string(kCompilerKeys) + "; several with commas")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  add_compile_options(*compile, arguments->compile);
  compile->callback([arguments, &chosen] { chosen = [arguments] { return run_compile(*arguments); }; });
}

} // namespace cusp::cli
