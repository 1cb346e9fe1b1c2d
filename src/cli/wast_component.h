// The component half of `cusp wast`: a pool of one instance per instantiation, calls with dynamic values.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "canon/component.h"
#include "cli/wast_core.h"
#include "cli/wast_host.h"

namespace cusp::cli {

class WastComponents {
public:
  static base::Result<std::unique_ptr<WastComponents>> create(WastCompile compile);
  ~WastComponents();

  base::Result<void> instantiate(const std::vector<std::uint8_t>& bytes, const std::optional<std::string>& name);
  base::Result<void> perform(const WastAction& action);
  // Performs the action and compares what it returns. Error: InvalidArgument with both values in WAVE.
  base::Result<void> assert_return(const WastAction& action, const nlohmann::json& expected);

private:
  WastComponents() = default;
  base::Result<std::vector<canon::Value>> call(const WastAction& action);

  WastCompile compile_;
  canon::Linker linker_;
  WastHost host_;
  std::vector<std::unique_ptr<canon::ComponentInstance>>
      instances_; // all live on: a script may trap one and go on with another
  canon::ComponentInstance* current_ = nullptr;
};

} // namespace cusp::cli
