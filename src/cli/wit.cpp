// `cusp wit`: the WIT of files, and whether a component fits a world.
#include <cstdio>
#include <filesystem>
#include <memory>

#include <CLI/App.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "compose/check_world.h"
#include "compose/to_wit.h"
#include "compose/world_encoder.h"
#include "prepare/prepare.h"
#include "wit/printer.h"
#include "wit/resolver.h"

namespace cusp::cli {

namespace {

using base::Result;

struct Arguments {
  std::string file, output, world, wit = "wit";
  std::vector<std::string> features;
  bool all_features = false, no_docs = false, root_only = false, binary = false;

  wit::ResolveOptions resolve_options() const { return {{features.begin(), features.end()}, all_features}; }
};

bool is_binary(const std::string& path) { return !std::filesystem::is_directory(path) && !path.ends_with(".wit"); }

Result<wit::Graph> load(const std::string& path, const wit::ResolveOptions& options) {
  if (!is_binary(path)) return wit::load_wit(path, options);
  std::vector<std::uint8_t> bytes = CUSP_TRY(prepare::read_file(path));
  auto graph = compose::binary_to_wit(bytes);
  if (!graph) graph.error().file = path;
  return graph;
}

int failed(const base::Error& error) {
  print_error(error);
  return kExitFailure;
}

int run_print(const Arguments& arguments) {
  auto graph = load(arguments.file, arguments.resolve_options());
  if (!graph) return failed(graph.error());
  std::vector<std::uint8_t> bytes;
  if (arguments.binary) {
    auto encoded = compose::encode_package(*graph);
    if (!encoded) return failed(encoded.error());
    bytes = std::move(*encoded);
  } else {
    wit::PrintOptions options{.docs = !arguments.no_docs, .dependencies = !arguments.root_only};
    std::string text = wit::print_wit(*graph, options);
    bytes.assign(text.begin(), text.end());
  }
  if (arguments.output.empty()) {
    if (arguments.binary && stdout_is_terminal())
      return failed(base::Error{.message = "a binary is not for a terminal; say where with -o", .file = {}});
    std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    return 0;
  }
  if (auto written = prepare::write_file(arguments.output, bytes, 0644); !written) return failed(written.error());
  return 0;
}

// One world, or every world of the root package: the component fits one of them, or the nearest is explained.
int run_check(const Arguments& arguments) {
  auto component = load(arguments.file, {});
  if (!component) return failed(component.error());
  auto graph = load(arguments.wit, arguments.resolve_options());
  if (!graph) return failed(graph.error());
  std::vector<wit::WorldId> worlds;
  if (!arguments.world.empty() || graph->package(graph->root).worlds.size() == 1) {
    auto world = wit::select_world(*graph, arguments.world);
    if (!world) return failed(world.error());
    worlds.push_back(*world);
  } else {
    worlds = graph->package(graph->root).worlds;
  }
  if (worlds.empty())
    return failed(base::Error{.message = fmt::format("{} has no world to compare with", arguments.wit), .file = {}});
  bool fits = false;
  std::vector<compose::Difference> nearest;
  std::string nearest_name;
  for (wit::WorldId id : worlds) {
    auto differences = compose::check_world(*component, component->worlds.front(), *graph, graph->world(id));
    std::string name = graph->world_name(id);
    if (differences.empty()) fmt::print("{} fits {}\n", arguments.file, name);
    fits = fits || differences.empty();
    if (nearest_name.empty() || differences.size() < nearest.size())
      nearest = std::move(differences), nearest_name = name;
  }
  if (fits) return 0;
  std::string sentence = worlds.size() == 1 ? fmt::format("{} does not fit {}", arguments.file, nearest_name)
                                            : fmt::format("{} fits no world of {}; nearest is {}", arguments.file,
                                                          arguments.wit, nearest_name);
  print_error(sentence + "\n" + compose::to_text(nearest));
  return kExitFailure;
}

void add_features(CLI::App& command, Arguments& arguments) {
  command.add_option("--features", arguments.features, "Features that are on, for @unstable items")->delimiter(',');
  command.add_flag("--all-features", arguments.all_features, "All features are on");
}

} // namespace

void add_wit(CLI::App& app, Chosen& chosen) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* wit =
      app.add_subcommand("wit", "Print the WIT of a component or package; check a component against a world");
  wit->footer("Examples:\n"
              "  cusp wit app.wasm                              the world of a component\n"
              "  cusp wit wit/                                  a package and its deps as one text\n"
              "  cusp wit wit/ --binary -o package.wasm         in binary form\n"
              "  cusp wit check app.wasm --world wasi:http/proxy@0.2.12 --wit wit/");
  wit->add_option("FILE", arguments->file,
                  "A component, a binary package, a .wit file or a folder of them with its deps");
  wit->add_option("-o,--output", arguments->output, "Where the text goes (default: stdout)");
  wit->add_flag("--no-docs", arguments->no_docs, "Leave documentation out");
  wit->add_flag("--root-only", arguments->root_only, "Leave the dependencies out");
  wit->add_flag("--binary", arguments->binary, "Write the package in binary form");
  add_features(*wit, *arguments);
  wit->require_subcommand(0, 1);

  auto check_arguments = std::make_shared<Arguments>();
  CLI::App* check = wit->add_subcommand("check", "Say which world a component fits, and what is missing");
  check->footer(
      "A component fits a world when the world gives what it imports and it exports what the world asks for.\n"
      "Example: cusp wit check app.wasm --world wasi:cli/command@0.2.12 --wit wit/");
  check->add_option("APP", check_arguments->file, "A component")->required();
  check->add_option("--world", check_arguments->world, "The world (default: every world of the package)");
  check->add_option("--wit", check_arguments->wit, "The package that has the world: a file or folder (default: wit)");
  add_features(*check, *check_arguments);
  check->callback([check_arguments, &chosen] { chosen = [check_arguments] { return run_check(*check_arguments); }; });

  wit->callback([arguments, wit, &chosen] {
    if (!wit->get_subcommands().empty()) return;
    if (arguments->file.empty()) throw CLI::RequiredError("FILE");
    chosen = [arguments] { return run_print(*arguments); };
  });
}

} // namespace cusp::cli
