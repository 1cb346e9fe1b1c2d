// What is done to one function right after it has been lowered and its locals are in SSA form; see function_passes.cpp.
#pragma once

#include "compile/lower/ir.h"

namespace cusp::compile {

// Makes volatile the loads that the optimiser would drop although their only bounds check is a guard page: those that
// carry one of the alias tags `guarded`.
void keep_unused_loads(llvm::Function& function, llvm::ArrayRef<const llvm::MDNode*> guarded);

// Keeps LLVM from folding arithmetic that turns a signalling NaN into a quiet one.
void keep_quiet_nans(llvm::Function& function);

// Makes every NaN that arithmetic gives the canonical one. REQUIRES: keep_quiet_nans has run.
void canonicalise_nans(llvm::Function& function);

} // namespace cusp::compile
