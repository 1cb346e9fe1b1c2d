// The converted .wast scripts that `cusp wast` runs: JSON with the modules in files beside it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace cusp::cli {

struct WastAction {
  bool is_get = false;
  std::optional<std::string> module;
  std::string field;
  nlohmann::json args = nlohmann::json::array(); // values as the format writes them
};

struct WastCommand {
  std::string type;
  std::uint32_t line = 0;
  std::optional<std::string> name;     // module, module_definition; register: the instance
  std::string as;                      // register
  std::optional<std::string> instance; // module_instance
  std::optional<std::string> module;   // module_instance: the definition
  std::string binary;                  // absolute path of the wasm file; empty: needs a text parser
  std::string text;                    // the expected message
  WastAction action;
  nlohmann::json expected = nlohmann::json::array();
  std::vector<WastCommand> commands; // thread
  std::string shared_module;         // thread
  std::string thread;                // wait
};

struct WastScript {
  std::filesystem::path path;
  std::string source;
  std::vector<WastCommand> commands;
};

// Error: Io, Malformed (not such a script).
base::Result<WastScript> read_wast_script(const std::filesystem::path& path);
// Every script below `path` (a folder) or `path` itself, sorted. A script is a .json file with "source_filename" and "commands".
base::Result<std::vector<std::filesystem::path>> find_wast_scripts(const std::filesystem::path& path);
base::Result<std::vector<std::uint8_t>> read_file(const std::filesystem::path& path);

} // namespace cusp::cli
