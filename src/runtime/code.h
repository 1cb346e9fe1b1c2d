// A loaded artifact, ready to run: its code range is known to the fault handlers, its function types have process-wide ids, and for
// each of its modules the slot-independent data (type ids) stands ready. Immutable, shared by threads; lives as long as anything points at it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "artifact/artifact.h"
#include "base/result.h"
#include "runtime/type_registry.h"

namespace cusp::runtime {

using base::Result;
struct GuestCode;

class Code : public std::enable_shared_from_this<Code> {
public:
  // Error: Unsupported when this process cannot run guest code (no signal handlers), LimitExceeded when it has too many
  // types, Corrupt never: the artifact was checked.
  static Result<std::shared_ptr<const Code>> load(std::shared_ptr<const artifact::Artifact> artifact);
  ~Code();
  const artifact::Artifact& artifact() const { return *artifact_; }
  const artifact::ModuleMeta& module(std::uint32_t index) const { return artifact_->meta().modules[index]; }
  // Process-wide ids of the module's types, by TypeIndex (type_registry.h).
  std::span<const std::uint32_t> type_ids(std::uint32_t module) const;
  // The entry trampoline for functions of a canonical type, or nullptr. It serves functions of other code too.
  const void* entry_for(std::uint32_t type_id) const;
  // What signal handlers know of this code.
  const GuestCode& guest() const;
  // Error: Corrupt when the artifact's file was cut off while it was in use. Its instances end, the process goes on.
  Result<void> check_whole() const;
  const void* text(std::uint32_t offset) const { return artifact_->code() + offset; }

private:
  Code() = default;
  struct State;
  std::shared_ptr<const artifact::Artifact> artifact_;
  std::unique_ptr<State> state_;
};

} // namespace cusp::runtime
