// One file per subcommand: each adds itself to the command line and says what it does when chosen.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace cusp::cli {

// Adds the subcommand with its options. When the user chose it, `chosen` is set to what runs it and returns the exit code.
using Chosen = std::function<int()>;
void add_serve(CLI::App& app, Chosen& chosen);
void add_run(CLI::App& app, Chosen& chosen);
void add_compile(CLI::App& app, Chosen& chosen);
void add_inspect(CLI::App& app, Chosen& chosen);
void add_wit(CLI::App& app, Chosen& chosen);
void add_compose(CLI::App& app, Chosen& chosen);
void add_componentize(CLI::App& app, Chosen& chosen);
void add_wast(CLI::App& app, Chosen& chosen);

} // namespace cusp::cli
