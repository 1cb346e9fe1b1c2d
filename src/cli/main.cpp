// The cusp command: parses the command line and hands over to one subcommand.
#include <cstdio>
#include <string>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "abi/vm.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "runtime/store.h"

namespace {

void print_version(bool verbose) {
  fmt::print("cusp {}\n", CUSP_VERSION);
  if (!verbose) return;
  if (auto ready = cusp::runtime::initialize(); !ready) {
    cusp::cli::print_error(ready.error());
    return;
  }
  const auto& host = cusp::runtime::host_features();
  auto yes = [](bool value) { return value ? "yes" : "no"; };
  fmt::print("abi                       {:016x}\n", cusp::abi::abi_hash());
  fmt::print("userfaultfd write-protect {}\n", yes(host.userfaultfd_wp));
  fmt::print("PAGEMAP_SCAN              {}\n", yes(host.pagemap_scan));
  fmt::print("protection keys           {}\n", yes(host.pkeys));
  fmt::print("large address space       {}\n", yes(host.large_address_space));
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Cusp compiles WebAssembly components ahead of time and serves them, a fresh instance for every request.",
      "cusp"};
  app.footer(
      "Start with:\n  cusp serve app.wasm        serve a component on http://127.0.0.1:8080\n"
      "  cusp run program.wasm      run a command\n  cusp COMMAND --help        options of a command, with examples");
  bool version = false, verbose = false;
  app.add_flag("--version", version, "Print the version; with --verbose also what this host offers");
  app.add_flag("--verbose", verbose, "More detail where there is some");
  cusp::cli::Chosen chosen;
  cusp::cli::add_serve(app, chosen);
  cusp::cli::add_run(app, chosen);
  cusp::cli::add_compile(app, chosen);
  cusp::cli::add_inspect(app, chosen);
  cusp::cli::add_wit(app, chosen);
  cusp::cli::add_compose(app, chosen);
  cusp::cli::add_componentize(app, chosen);
  cusp::cli::add_wast(app, chosen);
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    CLI::App* sub = app.get_subcommands().empty() ? &app : app.get_subcommands().front();
    fmt::print("{}", sub->help());
    return 0;
  } catch (const CLI::ParseError& error) {
    std::string name = app.get_subcommands().empty() ? "cusp" : "cusp " + app.get_subcommands().front()->get_name();
    cusp::cli::print_error(error.what(), fmt::format("run `{} --help` for its options", name));
    return cusp::cli::kExitUsage;
  }
  if (version) {
    print_version(verbose);
    return 0;
  }
  if (!chosen) {
    fmt::print("{}", app.help());
    return cusp::cli::kExitUsage;
  }
  return chosen();
}
