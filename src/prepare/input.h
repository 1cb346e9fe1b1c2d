// An input file on its way to an artifact: looked at, hashed when no earlier start has, compiled. Private to prepare/.
#pragma once

#include <sys/stat.h>

#include "prepare/store.h"

namespace cusp::prepare {

struct Input {
  std::string path;
  struct stat status{};
  std::vector<std::uint8_t> bytes; // empty: not read yet
  bool is_artifact = false;
};

// The error with the file's name, unless it has one.
base::Error named(base::Error error, const std::string& path);

// Error: NotFound, Io; InvalidArgument for what is no file.
Result<Input> look_at(const std::string& path);
// Reads and hashes the input only when no earlier start has.
Result<StoreKey> key_of(Input& input, const PrepareOptions& options);
Result<std::vector<std::uint8_t>> compile_input(Input& input, const PrepareOptions& options);
// From the store, or compiled and put there, or compiled and kept in memory.
Result<std::shared_ptr<const artifact::Artifact>> prepare_input(Input& input, const PrepareOptions& options);

} // namespace cusp::prepare
