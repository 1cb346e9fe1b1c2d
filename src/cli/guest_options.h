// The options that say what a guest gets and how far it may go: the same for `cusp serve` and `cusp run`. Names follow Wasmtime's.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "app/host.h"
#include "artifact/compiler_protocol.h"

namespace CLI {
class App;
}

namespace cusp::cli {

struct GuestArguments {
  std::vector<std::string> env, dirs, net, config, keyvalue, wasm, wasi;
  std::string timeout, max_memory, ca_file;
};

struct GuestOptions {
  app::Grants grants;
  canon::LinkOptions link;
  std::optional<std::chrono::nanoseconds> timeout;
};

void add_guest_options(CLI::App& command, GuestArguments& arguments);
// `compile` takes what of -W is the compiler's. Error: InvalidArgument, which names the option.
base::Result<GuestOptions> read_guest_options(const GuestArguments& arguments, artifact::CompileRequest& compile);

} // namespace cusp::cli
