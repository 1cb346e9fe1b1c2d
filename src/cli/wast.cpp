// `cusp wast`: runs converted specification scripts and counts commands.
#include <cstdio>
#include <memory>
#include <thread>

#include <CLI/App.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/settings.h"
#include "cli/terminal.h"
#include "cli/wast_runner.h"

namespace cusp::cli {

namespace {

struct WastArguments {
  std::vector<std::string> paths;
  WastOptions options;
  std::string bounds = "guard";
  std::vector<std::string> features, wasm;
  bool scripts = false, verbose = false;
};

void set_features(WastArguments& arguments) {
  for (std::string_view name : arguments.features) {
    bool is_off = name.starts_with('-');
    auto feature = component::find_feature(name.substr(is_off));
    if (!feature) throw CLI::ValidationError("--features", fmt::format("there is no feature `{}`", name));
    arguments.options.features.set(*feature, !is_off);
    arguments.options.features_chosen = true;
  }
}

int run_wast(WastArguments& arguments) {
  arguments.options.request.linkable = true;
  if (auto read = read_compiler_settings(arguments.wasm, arguments.options.request); !read) {
    print_error(read.error());
    return kExitUsage;
  }
  std::vector<std::filesystem::path> scripts;
  for (const std::string& path : arguments.paths) {
    auto found = find_wast_scripts(path);
    if (!found) {
      print_error(found.error());
      return kExitFailure;
    }
    scripts.insert(scripts.end(), found->begin(), found->end());
  }
  if (scripts.empty()) {
    print_error("there is no converted .wast script here",
                "a script is a .json file made by `wasm-tools json-from-wast`");
    return kExitFailure;
  }
  auto runner = WastRunner::create(arguments.options);
  if (!runner) {
    print_error(runner.error());
    return kExitFailure;
  }
  WastCounts total;
  for (const auto& path : scripts) {
    WastCounts counts =
        (*runner)->run_script(path, [&](const std::string& problem) { fmt::print(stderr, "{}\n", problem); });
    if (arguments.scripts || counts.failed)
      fmt::print("{}: {} passed, {} failed, {} skipped\n", path.string(), counts.passed, counts.failed, counts.skipped);
    std::fflush(stdout);
    total.add(counts);
  }
  fmt::print("{} passed, {} failed, {} skipped\n", total.passed, total.failed, total.skipped);
  return total.failed ? kExitFailure : 0;
}

} // namespace

void add_wast(CLI::App& app, Chosen& chosen) {
  auto arguments = std::make_shared<WastArguments>();
  CLI::App* wast = app.add_subcommand("wast", "Run converted .wast specification scripts");
  wast->footer("PATH is a script made by `wasm-tools json-from-wast`, or a folder with such scripts.\n"
               "Example: cusp wast --opt-level 0 spec/core");
  wast->add_option("PATH", arguments->paths, "Scripts or folders")->required();
  wast->add_option("--opt-level", arguments->options.request.opt_level, "0, 1 or 2 (default 2)")
      ->check(CLI::Range(0, 2));
  wast->add_option("--bounds", arguments->bounds,
                   "guard (address space protects memories) or explicit (checks in code)")
      ->check(CLI::IsMember({"guard", "explicit"}));
  wast->add_option("-W,--wasm", arguments->wasm,
                   std::string(kCompilerKeys) + "; what the suite's index.json says of a script comes first")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  wast->add_flag("--scripts", arguments->scripts, "Print the counts of every script, not just of those with failures");
  wast->add_option("--features", arguments->features,
                   "Features of components to turn on or, with a minus sign, off: nested-names,-memory64")
      ->delimiter(',');
  wast->add_flag("--validate-only", arguments->options.validate_only,
                 "Decode and validate only: a module need not be instantiable, and what needs an instance is skipped");
  wast->callback([arguments, &chosen] {
    set_features(*arguments);
    if (arguments->bounds == "explicit") arguments->options.request.bounds = artifact::BoundsMode::Explicit;
    chosen = [arguments] { return run_wast(*arguments); };
  });
}

} // namespace cusp::cli
