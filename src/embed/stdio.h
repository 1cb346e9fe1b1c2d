// WASI for embedders: what the grants say, as wasi/ wants it.
#pragma once

#include <memory>

#include "cusp/linker.hpp"
#include "wasi/context.h"

namespace cusp::embed {

// Opens the folders, reads the rules. Error: Io, InvalidArgument, which name the folder or rule.
base::Result<std::shared_ptr<const wasi::Config>> make_config(const WasiGrants& grants);
// The standard streams of one instance.
std::unique_ptr<wasi::Stdio> make_stdio(std::shared_ptr<const WasiGrants> grants);

} // namespace cusp::embed
