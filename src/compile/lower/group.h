// One llvm::Module in the making: the functions of one group and declarations of what they call. Everything here is
// made once per group; function_lowering.h holds what is made once per function. Used by one thread. The wasm::Module
// must outlive it. Bodies of other wasm modules that are to be inlined have a Group each that writes into the same
// llvm::Module; what two of them both name is found by its symbol.
#pragma once

#include <memory>

#include <llvm/IR/DIBuilder.h>

#include "compile/lower/ir.h"
#include "compile/lower/lowering.h"
#include "wasm/branch_hints.h"

namespace llvm {
class MCSubtargetInfo;
}

namespace cusp::compile {

// A function type as the calling convention of abi/vm.h sees it.
struct Signature {
  llvm::FunctionType* type = nullptr; // first parameter: the VM context
  llvm::SmallVector<llvm::Type*, 4> results;
  bool in_registers = true; // otherwise the LLVM function returns void and the results are in VmContext::results
};

class Group {
public:
  Group(llvm::Module& to, const llvm::TargetMachine& machine, const wasm::Module& module,
        const LoweringSettings& settings);

  // The module in symbols.
  std::uint32_t module_number() const { return number_in_group(settings.module_index, settings.group_module); }
  llvm::Type* type(wasm::ValType type) const;
  const Signature& signature(wasm::TypeIndex type);
  const Signature& signature_of(wasm::FuncIndex func);

  // The declaration or definition of a defined function.
  llvm::Function* function(wasm::FuncIndex func);
  // The function of another module that an import always is; null: that is not known.
  llvm::Function* imported_function(wasm::FuncIndex func);
  // Those that were asked for.
  std::vector<CallTarget> take_called_modules() { return std::exchange(called_, {}); }
  // A C function that calls nothing of the guest's own: trampolines.
  llvm::Function* make_trampoline(const std::string& name, llvm::FunctionType* type, llvm::CallingConv::ID convention);
  // A guest function that only this group has; it calls nothing.
  llvm::Function* make_helper(const char* name, llvm::FunctionType* type);
  llvm::FunctionCallee trap(abi::Trap trap);
  // Whether the target has an x86 feature, under LLVM's name.
  bool has_cpu_feature(const char* name) const;
  llvm::CallingConv::ID convention() const; // of guest functions and of what stands for them
  llvm::DISubprogram* make_subprogram(wasm::FuncIndex func);

  // Code shared by function bodies and stubs.
  llvm::Value* field(llvm::IRBuilder<>& ir, llvm::Value* vmctx, std::uint64_t offset);
  llvm::Value* load_invariant(llvm::IRBuilder<>& ir, llvm::Type* type, llvm::Value* pointer);
  llvm::Value* results_area(llvm::IRBuilder<>& ir, llvm::Value* vmctx);
  // The results of a call of a guest function with this signature, in order.
  void unpack_results(llvm::IRBuilder<>& ir, const Signature& signature, llvm::Value* call, llvm::Value* vmctx,
                      llvm::SmallVectorImpl<llvm::Value*>& results);
  // Ends the function with these results.
  void return_results(llvm::IRBuilder<>& ir, const Signature& signature, llvm::ArrayRef<llvm::Value*> results,
                      llvm::Value* vmctx);
  llvm::Value* builtin(llvm::IRBuilder<>& ir, llvm::Value* context, abi::Builtin builtin);
  llvm::FunctionType* builtin_type(abi::Builtin builtin) const;

  // Of one function, by offset.
  std::span<const wasm::BranchHint> hints_of(wasm::FuncIndex func) const;

  llvm::LLVMContext& context;
  const wasm::Module& wasm;
  const LoweringSettings settings;
  llvm::Module* const module;
  const IrTypes types;
  AccessTags tags;
  const abi::VmLayout layout;
  llvm::DIBuilder debug;

private:
  void set_common_attributes(llvm::Function& function);
  llvm::Function* declare_guest(llvm::FunctionType* type, const std::string& name);

  const llvm::MCSubtargetInfo& target_;
  std::vector<wasm::BranchHint> hints_;
  llvm::DIFile* debug_file_ = nullptr;
  llvm::DISubroutineType* debug_type_ = nullptr;
  llvm::AttributeSet vmctx_attributes_;
  std::vector<std::unique_ptr<Signature>> signatures_; // by TypeIndex, made on demand
  std::vector<llvm::Function*> functions_;             // by DefinedFuncIndex
  llvm::Function* traps_[abi::kTrapCount] = {};
  std::vector<llvm::Function*> imported_; // by FuncIndex, of imports
  std::vector<CallTarget> called_;
};

} // namespace cusp::compile
