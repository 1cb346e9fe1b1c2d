// Runs the commands of a converted .wast script, core and component alike, and judges the assertions.
#pragma once

#include <functional>
#include <memory>

#include "artifact/compiler_protocol.h"
#include "base/result.h"
#include "cli/wast_script.h"
#include "component/features.h"

namespace cusp::cli {

struct WastOptions {
  artifact::CompileRequest request; // where a suite's index says nothing else
  component::Features features;
  bool features_chosen = false; // the features are not those by default
  bool validate_only = false;   // a module command means that the module validates; actions are skipped
};

struct WastCounts {
  std::uint32_t passed = 0, failed = 0, skipped = 0;
  void add(const WastCounts& other) { passed += other.passed, failed += other.failed, skipped += other.skipped; }
};

class WastRunner {
public:
  // Starts the compiler process that serves the whole run.
  static base::Result<std::unique_ptr<WastRunner>> create(const WastOptions& options);
  ~WastRunner();
  // `problem` is called with one line for every failed command: "script.wast:12: assert_return: …".
  WastCounts run_script(const std::filesystem::path& path, const std::function<void(const std::string&)>& problem);

private:
  WastRunner() = default;
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace cusp::cli
