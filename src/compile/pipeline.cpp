#include "compile/pipeline.h"

#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/CodeGen/AsmPrinter.h>
#include <llvm/CodeGen/AsmPrinterHandler.h>
#include <llvm/CodeGen/MachineModuleInfo.h>
#include <llvm/CodeGen/Passes.h>
#include <llvm/CodeGen/TargetPassConfig.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/MCStreamer.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/GVN.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>

#include "compile/lower/address_widening.h"

namespace cusp::compile {

namespace {

// The optimiser may know and make the block memory operations, which guestlib/ has, and nothing else of C's library.
llvm::TargetLibraryInfoImpl block_operations_only(const llvm::Triple& triple) {
  llvm::TargetLibraryInfoImpl info(triple);
  info.disableAllFunctions();
  for (llvm::LibFunc function :
       {llvm::LibFunc_memcpy, llvm::LibFunc_memmove, llvm::LibFunc_memset, llvm::LibFunc_memcmp, llvm::LibFunc_bcmp})
    info.setAvailable(function);
  return info;
}

llvm::FunctionPassManager light_passes() {
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(
      llvm::GVNPass(llvm::GVNOptions().setPRE(false).setLoadPRE(false).setMemDep(false).setMemorySSA(false)));
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::InstCombinePass());
  return passes;
}

llvm::ModulePassManager passes_for(unsigned opt_level, llvm::PassBuilder& builder) {
  llvm::ModulePassManager passes;
  if (opt_level >= 2) return builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2);
  passes.addPass(llvm::createModuleToFunctionPassAdaptor(light_passes()));
  return passes;
}

} // namespace

void optimise(llvm::Module& module, llvm::TargetMachine& machine, unsigned opt_level) {
  if (opt_level == 0) return;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = true;
  // What a guest's compiler vectorised is vectors already. What is left for straight-line code are shuffles that cost more than they save:
  // ciphers and hashes run at half their speed with it.
  tuning.SLPVectorization = false;
  tuning.MergeFunctions = false;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerVectorizerStartEPCallback(
      [](llvm::FunctionPassManager& passes, llvm::OptimizationLevel) { passes.addPass(AddressWidening()); });
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(block_operations_only(machine.getTargetTriple())); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  passes_for(opt_level, builder).run(module, modules);
}

base::Result<Object> generate_code(llvm::Module& module, llvm::TargetMachine& machine) {
  auto cannot = [] { return base::fail(base::ErrorCode::Internal, "LLVM's x86-64 back end cannot be set up"); };
  // The sites come from the instructions' locations; without a compile unit no DWARF is made of them. A function without a subprogram
  // is spared the passes that follow variables, a tenth of the time at level 0.
  if (llvm::NamedMDNode* units = module.getNamedMetadata("llvm.dbg.cu")) units->eraseFromParent();
  for (llvm::Function& function : module) function.setSubprogram(nullptr);

  Object object;
  llvm::raw_svector_ostream out(object.elf);
  llvm::legacy::PassManager passes;
  passes.add(new llvm::TargetLibraryInfoWrapperPass(block_operations_only(machine.getTargetTriple())));
  auto* info = new llvm::MachineModuleInfoWrapperPass(&machine);
  llvm::TargetPassConfig* config = machine.createPassConfig(passes);
  if (config == nullptr) return cannot();
  config->setDisableVerify(true);
  passes.add(config);
  passes.add(info);
  if (config->addISelPasses()) return cannot();
  config->addMachinePasses();
  config->setInitialized();
  auto streamer =
      machine.createMCStreamer(out, nullptr, llvm::CodeGenFileType::ObjectFile, info->getMMI().getContext());
  if (!streamer) {
    llvm::consumeError(streamer.takeError());
    return cannot();
  }
  auto* printer = static_cast<llvm::AsmPrinter*>(machine.getTarget().createAsmPrinter(machine, std::move(*streamer)));
  if (printer == nullptr) return cannot();
  printer->addAsmPrinterHandler(make_site_collector(*printer, object.sites));
  printer->addAsmPrinterHandler(make_unwind_collector(*printer, object.unwind));
  passes.add(printer);
  passes.add(llvm::createFreeMachineFunctionPass());
  passes.run(module);
  if (!object.unwind.problem.empty())
    return base::fail(base::ErrorCode::Internal, "the frame of " + object.unwind.problem + " cannot be unwound");
  return object;
}

} // namespace cusp::compile
