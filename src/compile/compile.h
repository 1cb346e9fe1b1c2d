// Bytes in, artifact out. The whole compile line: decode, validate and lower in one pass, optimise, link, write.
// Pure: reads no file; the same input and options give the same bytes.
// Thread-safe; uses up to `threads` threads of its own for code generation.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "artifact/compiler_protocol.h"
#include "artifact/sha256.h"
#include "base/result.h"

namespace cusp::compile {

// Compiled groups of earlier compilations (group_cache.h). Their bytes are believed as the code itself would be.
class GroupCache {
public:
  virtual ~GroupCache() = default;
  // For each key the bytes that were kept, or none. Called from the thread of compile_artifact().
  virtual base::Result<std::vector<std::vector<std::uint8_t>>> find(std::span<const artifact::Sha256> keys) = 0;
  // Called from any thread, one at a time.
  virtual void keep(const artifact::Sha256& key, std::span<const std::uint8_t> bytes) = 0;
};

struct CompileOptions : artifact::CompileRequest {
  // Of functions. Called from any thread, one at a time.
  std::function<void(std::uint32_t done, std::uint32_t total)> progress;
  GroupCache* cache = nullptr;
};

// A core module or a component. Error: Malformed, Invalid, Unsupported with a byte offset; LimitExceeded; Compile.
base::Result<std::vector<std::uint8_t>> compile_artifact(std::span<const std::uint8_t> bytes,
                                                         const CompileOptions& options);

} // namespace cusp::compile
