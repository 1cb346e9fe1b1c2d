// A loaded artifact, ready to run: its code range is known to the fault handlers, its function types have process-wide ids, and for
// each of its modules the slot-independent data (type ids) stands ready. Immutable, shared by threads; lives as long as anything points at it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "artifact/artifact.h"
#include "base/result.h"

namespace cusp::runtime {

using base::Result;

class Code {
public:
  static Result<std::shared_ptr<const Code>> load(std::shared_ptr<const artifact::Artifact> artifact);
  ~Code();
  const artifact::Artifact& artifact() const { return *artifact_; }
  const artifact::ModuleMeta& module(std::uint32_t index) const { return artifact_->meta().modules[index]; }
  // Canonical ids of the module's types, by TypeIndex: equal ids if and only if equal types, over all code of the process.
  std::span<const std::uint32_t> type_ids(std::uint32_t module) const;
  const void* text(std::uint32_t offset) const { return artifact_->code() + offset; }

private:
  Code() = default;
  struct State;
  std::shared_ptr<const artifact::Artifact> artifact_;
  std::unique_ptr<State> state_;
};

} // namespace cusp::runtime
