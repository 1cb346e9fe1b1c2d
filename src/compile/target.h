// The machine that code is made for: an LLVM CPU name and exactly the features of artifact/cpu_features.def that it
// has.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace llvm {
class TargetMachine;
}

namespace cusp::compile {

struct Target {
  std::string cpu;                   // an LLVM name, for tuning: "znver4"
  std::vector<std::string> features; // sorted; what the artifact will demand of its host
  std::string feature_string;        // "+avx,+avx2,-avx512f,..."

  bool has(std::string_view feature) const;
};

// Must run before threads start and before the process locks itself in. Safe to call again.
void initialise_llvm();

// `name`: "native" or an LLVM CPU name. Error: InvalidArgument.
base::Result<Target> make_target(const std::string& name);

// One per thread. REQUIRES: initialise_llvm().
std::unique_ptr<llvm::TargetMachine> make_target_machine(const Target& target, unsigned opt_level);

// The object of guestlib/ that suits the target.
std::span<const std::uint8_t> guestlib_object(const Target& target);

} // namespace cusp::compile
