// One module's bytes lowered as one group, with the verifier run over it and, when asked, the optimiser.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include "compile/lower/lowering.h"
#include "compile/pipeline.h"
#include "compile/target.h"
#include "lower/module_bytes.h"
#include "wasm/reader.h"

namespace cusp::test {

class Lowered {
public:
  explicit Lowered(const ModuleBytes& source, compile::LoweringSettings settings = {},
                   wasm::Features features = wasm::Features::validated())
      : bytes_(source.bytes()) {
    compile::initialise_llvm();
    machine_ = compile::make_target_machine(*compile::make_target("x86-64-v3"), 2);
    auto module = wasm::read_module(bytes_, features);
    if (!module) {
      error_ = module.error();
      ADD_FAILURE() << error_.to_string();
      return;
    }
    wasm_ = std::move(*module);
    compile::GroupLowering group(context_, *machine_, wasm_, settings);
    for (std::uint32_t i = 0; i < wasm_.defined_functions(); ++i)
      if (auto result = group.lower(wasm::DefinedFuncIndex(i)); !result) {
        error_ = result.error();
        failed_ = true;
        return;
      }
    for (std::uint32_t i = 0; i < wasm_.types.size(); ++i)
      if (wasm_.find_func_type(wasm::TypeIndex(i)))
        group.emit_entry(wasm::TypeIndex(i)), group.emit_host_stub(wasm::TypeIndex(i));
    module_ = group.take();
    verify();
  }

  Lowered& optimise(unsigned level = 2) {
    compile::optimise(*module_, *machine_, level);
    compile::finish_after_optimisation(*module_, level);
    verify();
    return *this;
  }

  bool failed() const { return failed_; }
  const base::Error& error() const { return error_; }
  llvm::Module& module() { return *module_; }
  llvm::Function& function(std::uint32_t func) { return *module_->getFunction(compile::function_symbol(0, func)); }
  std::string text(std::uint32_t func) {
    std::string text;
    llvm::raw_string_ostream out(text);
    function(func).print(out);
    return text;
  }

private:
  void verify() {
    std::string text;
    llvm::raw_string_ostream out(text);
    if (llvm::verifyModule(*module_, &out)) ADD_FAILURE() << text;
  }

  Bytes bytes_;
  std::unique_ptr<llvm::TargetMachine> machine_;
  wasm::Module wasm_;
  llvm::LLVMContext context_;
  std::unique_ptr<llvm::Module> module_;
  bool failed_ = false;
  base::Error error_;
};

// How many instructions of a kind a function has.
template <class Kind> unsigned count(const llvm::Function& function) {
  unsigned n = 0;
  for (const llvm::BasicBlock& block : function)
    for (const llvm::Instruction& instruction : block) n += llvm::isa<Kind>(instruction);
  return n;
}

inline unsigned conditional_branches(const llvm::Function& function) {
  unsigned n = 0;
  for (const llvm::BasicBlock& block : function)
    if (const auto* branch = llvm::dyn_cast<llvm::BranchInst>(block.getTerminator())) n += branch->isConditional();
  return n;
}

} // namespace cusp::test
