// Lowers validated bodies to LLVM IR. One GroupModule is one llvm::Module: the functions of one group, to be optimised
// and emitted on one thread, and declarations of everything they call. Symbols between groups are those of
// symbol_name.h. REQUIRES: the wasm::Module outlives the group. Not thread-safe; several groups of one module may be
// lowered at once.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

// A function that another module of the component defines.
struct CallTarget {
  std::uint32_t module = 0; // ArtifactMeta::modules
  wasm::FuncIndex func;
  std::int64_t context_delta = 0; // from the caller's VM context to its own
};

struct LoweringSettings {
  std::uint32_t module_index = 0; // the module's place in ArtifactMeta::modules
  std::uint32_t group_module = 0; // that of the module whose group this is for: number_in_group()
  artifact::BoundsMode bounds = artifact::BoundsMode::Guard;
  unsigned opt_level = 2;
  bool deterministic_simd = false, canonical_nans = false, fuel = false; // artifact::CompileRequest
  // Guest functions are `tailcc`. Without, they have C's convention, which costs less at each call and which LLVM's quick selector knows:
  // for code that nothing calls but code of the same setting and that has no tail calls (has_tail_calls() tells).
  bool tail_calls = true;
  // Imports that are the same function in every instance of the module, by FuncIndex: they are called directly.
  // REQUIRES: their instances are made before any code of this module runs; parameters and results are numbers.
  std::span<const std::optional<CallTarget>> import_targets{};
};

// In the symbols of a group its own module and the first have changed numbers: what calls no other module names none but 0 and is the
// same wherever its module stands (group_cache.h). The linker changes them back. Its own inverse.
constexpr std::uint32_t number_in_group(std::uint32_t module, std::uint32_t group_module) {
  if (module == group_module) return 0;
  return module == 0 ? group_module : module;
}

// Hidden, dso-local symbols that the linker resolves: "f<module>.<FuncIndex>", "e<module>.<TypeIndex>" (entry
// trampoline), "h<module>.<TypeIndex>" (host stub), "cusp_trap_stubs" (kTrapCount stubs, kTrapStubSize apart; trap n is
// cusp_trap_stubs + 16 n).
std::string function_symbol(std::uint32_t module, std::uint32_t func);
std::string entry_symbol(std::uint32_t module, std::uint32_t type);
std::string host_stub_symbol(std::uint32_t module, std::uint32_t type);

abi::ModuleShape shape_of(const wasm::Module& module);

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
  // The same for a function of another module, for inlining only: `settings` are that module's.
  base::Result<void> lower_for_inlining(const wasm::Module& module, const LoweringSettings& settings,
                                        wasm::DefinedFuncIndex func);
  // Functions of other modules that were called since the last time; may name one twice.
  std::vector<CallTarget> take_called_modules();
  // By the module's own bodies lowered so far.
  wasm::Features features_used() const;
  bool has_tail_calls() const; // or one that was lowered for inlining
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
