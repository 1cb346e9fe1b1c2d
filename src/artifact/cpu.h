// What this machine's CPU can do, in LLVM's words: the compiler turns on exactly these for "native", the loader
// compares.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cusp::artifact {

// Every name of cpu_features.def.
std::span<const std::string_view> known_cpu_features();

bool host_has_feature(std::string_view name);

// Those of this machine, sorted.
std::vector<std::string> host_cpu_features();

} // namespace cusp::artifact
