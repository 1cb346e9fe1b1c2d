// Lowers validated bodies to LLVM IR. One GroupModule is one llvm::Module: the functions of one group, to be optimised
// and emitted on one thread, and declarations of everything they call. Symbols between groups are those of
// symbol_name.h. REQUIRES: the wasm::Module outlives the group. Not thread-safe; several groups of one module may be
// lowered at once.
#pragma once

#include <memory>
#include <string>

#include "abi/vm.h"
#include "artifact/module_meta.h"
#include "base/result.h"
#include "wasm/module.h"

namespace llvm {
class LLVMContext;
class Module;
class TargetMachine;
} // namespace llvm

namespace cusp::compile {

struct LoweringSettings {
  std::uint32_t module_index = 0; // in symbols. The cache compiles every module as the first (group_cache.h)
  artifact::BoundsMode bounds = artifact::BoundsMode::Guard;
  unsigned opt_level = 2;
  bool deterministic_simd = false, canonical_nans = false, fuel = false; // artifact::CompileRequest
  // Guest functions are `tailcc`. Without, they have C's convention, which costs less at each call and which LLVM's quick selector knows:
  // for code that nothing calls but code of the same setting and that has no tail calls (features_used() tells).
  bool tail_calls = true;
};

// Hidden, dso-local symbols that the linker resolves: "f<module>.<FuncIndex>", "e<module>.<TypeIndex>" (entry
// trampoline), "h<module>.<TypeIndex>" (host stub), "cusp_trap_stubs" (kTrapCount stubs, kTrapStubSize apart; trap n is
// cusp_trap_stubs + 16 n).
std::string function_symbol(std::uint32_t module, std::uint32_t func);
std::string entry_symbol(std::uint32_t module, std::uint32_t type);
std::string host_stub_symbol(std::uint32_t module, std::uint32_t type);

// How a memory's bounds are checked, given what the whole compilation wants: a 64-bit index or pages smaller than the
// host's have no guard. For MemoryMeta::bounds.
artifact::BoundsMode memory_bounds(const wasm::MemoryType& type, artifact::BoundsMode wanted);

// How a field or element is kept in an object. For FieldMeta::storage and for the lowering.
abi::GcStorage storage_of(const wasm::Module& module, const wasm::FieldType& field);

class GroupLowering {
public:
  GroupLowering(llvm::LLVMContext& context, const llvm::TargetMachine& machine, const wasm::Module& module,
                const LoweringSettings& settings);
  ~GroupLowering();

  // Validates and lowers one body in one pass. Debug locations: one DISubprogram per function (line = FuncIndex + 1,
  // name = its symbol), one DILocation per operator that can trap or call (line = 1 + byte offset of the operator in its
  // body, wherever that lies), so that the line table with inlining becomes the trap table. Error: Invalid, Malformed, Unsupported
  // at the byte offset.
  base::Result<void> lower(wasm::DefinedFuncIndex func);
  // By the bodies lowered so far.
  wasm::Features features_used() const;
  void emit_entry(wasm::TypeIndex type);
  void emit_host_stub(wasm::TypeIndex type);
  static void emit_trap_stubs(llvm::Module& module);

  // REQUIRES: everything wanted has been lowered. The caller optimises; before code generation
  // finish_after_optimisation() adds the stack probe to every function that calls (abi/vm.h) and does what else stands in
  // finish.cpp.
  std::unique_ptr<llvm::Module> take();

private:
  struct State;
  std::unique_ptr<State> state_;
};

void finish_after_optimisation(llvm::Module& module, unsigned opt_level);

} // namespace cusp::compile
