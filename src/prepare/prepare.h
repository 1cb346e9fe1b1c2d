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
  std::string store;    // its directory; empty: store_directory()
  std::string compiler; // the program; empty, or none that can be run: it is looked for
  std::chrono::milliseconds time_limit = std::chrono::hours(1);          // of one compilation, by the clock on the wall
  std::function<void(std::uint32_t done, std::uint32_t total)> progress; // functions; on the calling thread
};

// A running cusp-compile that serves one request after the other.
class CompilerProcess {
public:
  // Error: NotFound, with where it was looked for: the options, $CUSP_COMPILE, beside the running program, the PATH.
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
  Result<void> answer_wanted(std::span<const std::uint8_t> keys, const artifact::Deadline& deadline);
  std::string end();
  base::Error ended_early(const base::Error& error);
  PrepareOptions options_;
  pid_t pid_ = -1;
  base::UniqueFd to_, from_;
};

// How quickly the code is wanted, and how good it must be.
enum class Tier : std::uint8_t {
  Auto,       // what the store has, the better first; else the first tier, and the optimising one in the background
  First,      // level 0, whatever the options say
  Optimising, // at the options' level, before anything runs
};
enum class Background : std::uint8_t {
  WhileHere, // for whoever moves to the better artifact: it ends with this process
  Detached,  // for later starts: it goes on alone, and makes nothing of its own where the store cannot be written
};

struct Prepared;

// A better artifact in the making, in a process forked before the caller started threads or locked itself in: it starts the compiler,
// at low priority, puts the result into the store and hands over the open file. The caller may have given up every right meanwhile.
class BetterTier {
public:
  ~BetterTier();
  // Readable once there is an answer.
  int fd() const { return fd_.get(); }
  // Waits for the answer. Error: what the compiler said; Compile when the process is gone without a word.
  Result<std::shared_ptr<const artifact::Artifact>> take();

private:
  friend Result<Prepared> prepare_tiers(const std::string&, const PrepareOptions&, Tier, Background);
  BetterTier(base::UniqueFd fd, base::UniqueFd process, std::string name)
      : fd_(std::move(fd)), process_(std::move(process)), name_(std::move(name)) {}
  base::UniqueFd fd_, process_;
  std::string name_;
};

// A wasm file or an artifact. Error: NotFound, Io, Malformed …; every error names the file.
Result<std::shared_ptr<const artifact::Artifact>> prepare_file(const std::string& path, const PrepareOptions& options);
// Wasm in memory, never an artifact. `name` is for messages.
Result<std::shared_ptr<const artifact::Artifact>> prepare_bytes(std::span<const std::uint8_t> wasm,
                                                                const std::string& name, const PrepareOptions& options);

struct Prepared {
  std::shared_ptr<const artifact::Artifact> artifact;
  std::unique_ptr<BetterTier> better; // null: nothing better is to come, or it is Detached
};

// prepare_file in two tiers. REQUIRES: with Tier::Auto, this thread is the process's only one, which forks.
Result<Prepared> prepare_tiers(const std::string& path, const PrepareOptions& options, Tier tier,
                               Background background);

// The artifact's bytes for a wasm file, compiled now or taken from the store: for `cusp compile`.
Result<std::vector<std::uint8_t>> compile_file(const std::string& path, const PrepareOptions& options);
// Where the store is unless the options say otherwise: $XDG_CACHE_HOME/cusp or ~/.cache/cusp.
std::string store_directory();

// An artifact in memory, as a file without a name. `name` is for messages.
Result<std::shared_ptr<const artifact::Artifact>> artifact_from_bytes(std::span<const std::uint8_t> bytes,
                                                                      const std::string& name);

Result<std::vector<std::uint8_t>> read_file(const std::string& path);
// Appears whole or not at all. Error: Io.
Result<void> write_file(const std::string& path, std::span<const std::uint8_t> bytes, mode_t mode);

} // namespace cusp::prepare
