// `cusp compose`: several components into one.
#include <cstdio>
#include <filesystem>
#include <memory>

#include <CLI/App.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "compose/link.h"
#include "compose/picture.h"
#include "prepare/prepare.h"

namespace cusp::cli {

namespace {

struct Arguments {
  std::string front, output;
  std::vector<std::string> plugs;
  bool dot = false, quiet = false;
};

base::Result<compose::Part> read_part(const std::string& file) {
  return compose::make_part(file, CUSP_TRY(prepare::read_file(file)));
}

base::Result<compose::Composition> plan(const Arguments& arguments) {
  if (!arguments.front.ends_with(".toml")) {
    std::vector<compose::Part> parts;
    parts.push_back(CUSP_TRY(read_part(arguments.front)));
    for (const std::string& plug : arguments.plugs) parts.push_back(CUSP_TRY(read_part(plug)));
    return compose::plan_plugs(std::move(parts));
  }
  if (!arguments.plugs.empty())
    return base::fail(base::ErrorCode::InvalidArgument,
                      "a composition file says what is plugged where; leave --plug out");
  std::vector<std::uint8_t> bytes = CUSP_TRY(prepare::read_file(arguments.front));
  compose::CompositionFile file =
      CUSP_TRY(compose::read_composition(arguments.front, std::string(bytes.begin(), bytes.end())));
  std::vector<compose::Part> parts;
  for (const auto& [_, path] : file.components)
    parts.push_back(CUSP_TRY(read_part((std::filesystem::path(arguments.front).parent_path() / path).string())));
  return compose::plan_file(file, std::move(parts));
}

int run_compose(const Arguments& arguments) {
  auto composition = plan(arguments);
  if (!composition) {
    print_error(composition.error());
    return kExitFailure;
  }
  if (arguments.dot) fmt::print("{}", compose::draw_dot(*composition));
  else if (!arguments.quiet && (arguments.output.empty() || stderr_is_terminal()))
    fmt::print(arguments.output.empty() ? stdout : stderr, "{}", compose::draw_text(*composition));
  auto bytes = compose::link_composition(*composition);
  if (!bytes) {
    print_error(bytes.error());
    return kExitFailure;
  }
  if (arguments.output.empty()) return 0;
  if (auto written = prepare::write_file(arguments.output, *bytes, 0644); !written) {
    print_error(written.error());
    return kExitFailure;
  }
  return 0;
}

} // namespace

void add_compose(CLI::App& app, Chosen& chosen) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* compose = app.add_subcommand("compose", "Link components into one, exports plugged into imports");
  compose->footer(
      "What a plug exports goes into the imports of that name, or of a compatible version, in FRONT and in other\n"
      "plugs. What nobody exports stays an import of the whole; what FRONT exports is exported.\n"
      "Without -o nothing is written: the graph is shown and checked.\n"
      "Examples:\n"
      "  cusp compose front.wasm --plug auth.wasm --plug orders.wasm -o app.wasm\n"
      "  cusp compose app.toml -o app.wasm\n"
      "  cusp compose app.toml --dot | dot -Tsvg > app.svg\n"
      "A composition file says what a command line cannot:\n"
      "  export = \"front\"                        # whose exports are exported\n"
      "  [components]\n"
      "  front = \"front.wasm\"\n"
      "  store = \"store.wasm\"\n"
      "  [instances.hot]                         # the same component twice\n"
      "  component = \"store\"\n"
      "  [instances.cold]\n"
      "  component = \"store\"\n"
      "  [instances.front]\n"
      "  plug = [\"hot\"]                          # like --plug, for this instance alone\n"
      "  imports.\"acme:shop/archive\" = { instance = \"cold\", export = \"acme:shop/store\" }");
  compose
      ->add_option("FRONT", arguments->front,
                   "The component whose exports the whole exports, or a composition file (.toml)")
      ->required();
  compose->add_option("--plug", arguments->plugs, "A component whose exports are plugged in; may be repeated");
  compose->add_option("-o,--output", arguments->output, "Where the component goes");
  compose->add_flag("--dot", arguments->dot, "Print the graph for Graphviz");
  compose->add_flag("-q,--quiet", arguments->quiet, "Show no graph");
  compose->callback([arguments, &chosen] { chosen = [arguments] { return run_compose(*arguments); }; });
}

} // namespace cusp::cli
