// Takes from the process what compiling does not need: after enter_sandbox() it can use memory, threads, clocks and the descriptors that it has,
// and nothing else of the system. Linux, seccomp.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace cusp::compile {

struct SandboxLimits {
  std::uint64_t address_space = std::uint64_t{16} << 30; // bytes
  std::uint64_t cpu_seconds = 3600;
};

// REQUIRES: LLVM is initialised; called once, before untrusted bytes are read. Error: Io when the kernel refuses.
base::Result<void> enter_sandbox(const SandboxLimits& limits);

// A compiler that serves one client is of no use after it: ends with the process that started it, whatever it is at.
void end_with_client();

} // namespace cusp::compile
