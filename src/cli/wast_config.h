// What a suite says about its scripts: an index.json in a folder above them may give each a `config` (shared FORMAT of converted suites). In a
// suite with such configs every switchable feature is off unless the script's config names it; in others the default holds.
#pragma once

#include <filesystem>
#include <map>
#include <optional>

#include <nlohmann/json.hpp>

#include "artifact/compiler_protocol.h"
#include "base/result.h"
#include "component/features.h"

namespace cusp::cli {

struct WastConfig {
  artifact::CompileRequest request;
  component::Features features; // the component model's; those of the core are the request's
  bool hogs_memory = false;     // needs several GiB of memory or address space
};

class WastIndexes {
public:
  // `otherwise`: what holds where no index says more. Error: Malformed for an index that cannot be read.
  base::Result<WastConfig> config_of(const std::filesystem::path& script, const WastConfig& otherwise);

private:
  struct Index {
    bool has_configs = false;
    std::map<std::string, nlohmann::json> configs; // by the script's path below the index's folder
  };
  base::Result<const Index*> index_in(const std::filesystem::path& folder); // nullptr: there is none

  std::map<std::filesystem::path, std::optional<Index>> indexes_;
};

// Whether the machine has what a script that hogs memory may take.
bool has_memory_for_hogs();

} // namespace cusp::cli
