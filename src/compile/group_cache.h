// What makes a compiled group usable again (DESIGN, decision 12). A group's object depends on nothing but what its key
// holds: the compiler and its settings, the bodies of its functions and their places among the module's functions, and
// everything that a module says outside its bodies, data and custom sections. What it says of places in the file it says
// relative to bodies, and its module is the first of the artifact as far as it knows; linking gives both their true values.
// Which of the module's imports are direct calls into other modules of a component (import_targets.h) is in the key; where they lead, and
// what may be inlined from there, is not: a group that makes such a call is not kept. Whoever finds a key finds what calls none of them.
// So the group serves any artifact with the same functions, whatever else has changed, and other applications too.
//
// Whoever lets the lowering know something of other bodies must put that into the key.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "artifact/sha256.h"
#include "compile/groups.h"
#include "compile/import_targets.h"
#include "compile/pipeline.h"
#include "wasm/branch_hints.h"
#include "wasm/module.h"

namespace cusp::compile {

struct CompiledGroup {
  Object object;
  bool uses_gc = false;      // some body does
  bool calls_others = false; // functions of other modules, directly: nothing to keep
};

// Of the groups of one module.
class GroupKeys {
public:
  // `settings`: whatever else decides what is made.
  GroupKeys(const wasm::Module& module, const ImportTargets& targets, const std::string& settings);
  artifact::Sha256 functions(const FunctionGroup& group) const;
  artifact::Sha256 trampolines() const;

private:
  const wasm::Module& module_;
  std::vector<wasm::BranchHint> hints_;
  artifact::Sha256 surroundings_;
};

std::vector<std::uint8_t> pack_group(const CompiledGroup& group);
// Nothing: these are not the bytes of a group of this module.
std::optional<CompiledGroup> unpack_group(std::span<const std::uint8_t> bytes, const wasm::Module& module);

} // namespace cusp::compile
