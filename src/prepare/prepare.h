// From bytes to an artifact that is ready to be loaded: look into the store, else start cusp-compile, keep what it made. Also takes artifacts
// that the operator names. Thread-safe: a Preparer holds only settings; the store is the file system's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "artifact/artifact.h"
#include "artifact/compiler_protocol.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cusp::prepare {

using base::Result;

struct PrepareOptions : artifact::CompileRequest {
  bool no_cache = false;
  std::chrono::milliseconds time_limit = std::chrono::hours(1);          // of one compilation, by the clock on the wall
  std::function<void(std::uint32_t done, std::uint32_t total)> progress; // functions; on the calling thread
};

// A running cusp-compile that serves one request after the other.
class CompilerProcess {
public:
  // Error: NotFound, with where it was looked for: $CUSP_COMPILE, beside the running program, the PATH.
  static Result<std::unique_ptr<CompilerProcess>> start(const PrepareOptions& options);
  ~CompilerProcess();
  // The artifact's bytes. Error: what the compiler says; Compile when it died; Timeout. After the last two it cannot be used again.
  Result<std::vector<std::uint8_t>> compile_bytes(std::span<const std::uint8_t> wasm);
  // The same as a file without a name, opened.
  Result<std::shared_ptr<const artifact::Artifact>> compile(std::span<const std::uint8_t> wasm);
  // For the requests to come.
  void set_request(const artifact::CompileRequest& request) {
    static_cast<artifact::CompileRequest&>(options_) = request;
  }

private:
  CompilerProcess() = default;
  std::string end();
  base::Error ended_early(const base::Error& error);
  PrepareOptions options_;
  pid_t pid_ = -1;
  base::UniqueFd to_, from_;
};

// A wasm file or an artifact. Error: NotFound, Io, Malformed …; every error names the file.
Result<std::shared_ptr<const artifact::Artifact>> prepare_file(const std::string& path, const PrepareOptions& options);
// The artifact's bytes for a wasm file, compiled now or taken from the store: for `cusp compile`.
Result<std::vector<std::uint8_t>> compile_file(const std::string& path, const PrepareOptions& options);
// $XDG_CACHE_HOME/cusp or ~/.cache/cusp.
std::string store_directory();

// An artifact in memory, as a file without a name. `name` is for messages.
Result<std::shared_ptr<const artifact::Artifact>> artifact_from_bytes(std::span<const std::uint8_t> bytes,
                                                                      const std::string& name);

Result<std::vector<std::uint8_t>> read_file(const std::string& path);
// Appears whole or not at all. Error: Io.
Result<void> write_file(const std::string& path, std::span<const std::uint8_t> bytes, mode_t mode);

} // namespace cusp::prepare
