// A function pass for the optimiser's pipeline, right before loops are vectorised; see address_widening.cpp.
#pragma once

#include <llvm/IR/PassManager.h>

namespace cusp::compile {

class AddressWidening : public llvm::PassInfoMixin<AddressWidening> {
public:
  llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses);
};

} // namespace cusp::compile
