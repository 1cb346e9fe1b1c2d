// `cusp componentize`: a core module into a component.
#include <memory>

#include <CLI/App.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "compose/componentize.h"
#include "prepare/prepare.h"
#include "wit/resolver.h"

namespace cusp::cli {

namespace {

struct Arguments {
  std::string file, wit, world, output;
  std::vector<std::string> adapters, features;
};

base::Result<std::vector<std::uint8_t>> make(const Arguments& arguments) {
  std::vector<std::uint8_t> module = CUSP_TRY(prepare::read_file(arguments.file));
  compose::ComponentizeInput input;
  input.module = module;
  for (const std::string& adapter : arguments.adapters) {
    std::size_t equals = adapter.find('=');
    bool named = equals != std::string::npos;
    std::string path = named ? adapter.substr(equals + 1) : adapter;
    input.adapters.push_back(
        {named ? adapter.substr(0, equals) : "wasi_snapshot_preview1", CUSP_TRY(prepare::read_file(path))});
  }
  wit::Graph graph;
  if (!arguments.wit.empty()) {
    graph = CUSP_TRY(wit::load_wit(arguments.wit, {{arguments.features.begin(), arguments.features.end()}, false}));
    input.graph = &graph;
    input.world = CUSP_TRY(wit::select_world(graph, arguments.world));
  }
  return compose::componentize(input);
}

int run_componentize(const Arguments& arguments) {
  auto bytes = make(arguments);
  if (!bytes) {
    base::Error error = std::move(bytes).error();
    if (error.file.empty()) error.file = arguments.file;
    print_error(error);
    return kExitFailure;
  }
  if (auto written = prepare::write_file(arguments.output, *bytes, 0644); !written) {
    print_error(written.error());
    return kExitFailure;
  }
  return 0;
}

} // namespace

void add_componentize(CLI::App& app, Chosen& chosen) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("componentize", "Make a component of a core module");
  command->footer("The module says its world itself, as language toolchains have it, or --wit and --world do.\n"
                  "A program of WASI 0.1 needs an adapter, which turns that into WASI 0.2.\n"
                  "Examples:\n"
                  "  cusp componentize module.wasm -o component.wasm\n"
                  "  cusp componentize module.wasm --wit wit/ --world my-world -o component.wasm\n"
                  "  cusp componentize program.wasm --adapt wasi_snapshot_preview1.command.wasm -o component.wasm\n"
                  "  cusp componentize module.wasm --adapt wasi_snapshot_preview1=reactor.wasm -o component.wasm");
  command->add_option("MODULE", arguments->file, "A core module")->required();
  command->add_option("--wit", arguments->wit, "The package that has the world: a file or folder");
  command->add_option("--world", arguments->world, "The world (default: the package's only one)");
  command->add_option("--adapt", arguments->adapters,
                      "An adapter module, as NAME=FILE or FILE (NAME wasi_snapshot_preview1); may be repeated");
  command->add_option("--features", arguments->features, "Features that are on, for @unstable items")->delimiter(',');
  command->add_option("-o,--output", arguments->output, "Where the component goes")->required();
  command->callback([arguments, &chosen] { chosen = [arguments] { return run_componentize(*arguments); }; });
}

} // namespace cusp::cli
