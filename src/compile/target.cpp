#include "compile/target.h"

#include <algorithm>

#include <fmt/format.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/CodeGen.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Target/TargetOptions.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include "artifact/cpu.h"

extern "C" {
void LLVMInitializeX86TargetInfo();
void LLVMInitializeX86Target();
void LLVMInitializeX86TargetMC();
void LLVMInitializeX86AsmPrinter();
void LLVMInitializeX86AsmParser();
extern const std::uint8_t cusp_guestlib_x86_64[], cusp_guestlib_x86_64_end[];
extern const std::uint8_t cusp_guestlib_x86_64_v3[], cusp_guestlib_x86_64_v3_end[];
}

namespace cusp::compile {

namespace {
const llvm::Triple& triple() {
  static const llvm::Triple kTriple("x86_64-unknown-linux-gnu");
  return kTriple;
}

// Tuning against the CPU models, by measurement (docs/measure/compute.md). Sums of products of 16-bit integers wait for
// vpdpwssd's accumulator, where vpmaddwd and vpaddd overlap. The pass that turns conditional moves in loops back into branches
// bets on prediction, and loses more where it is wrong (sorting, minima) than it wins elsewhere. A 32-bit induction is left
// to lower/address_widening.cpp: widened without a test, one from below 0 up to 0 ends in a mask, and nobody can count it.
constexpr std::string_view kTuning = ",-fast-dpwssd";

void set_option(llvm::StringRef name, bool value) {
  auto& options = llvm::cl::getRegisteredOptions();
  if (auto option = options.find(name); option != options.end())
    static_cast<llvm::cl::opt<bool>*>(option->second)->setValue(value);
}

const llvm::Target& llvm_target() {
  static const llvm::Target* const kTarget = [] {
    initialise_llvm();
    std::string error;
    return llvm::TargetRegistry::lookupTarget(triple(), error);
  }();
  return *kTarget;
}
} // namespace

void initialise_llvm() {
  static const bool kDone = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    set_option("x86-cmov-converter", false);
    set_option("indvars-widen-indvars", false);
    return true;
  }();
  (void)kDone;
}

bool Target::has(std::string_view feature) const { return std::ranges::binary_search(features, feature); }

base::Result<Target> make_target(const std::string& name) {
  Target target;
  target.cpu = name;
  const bool native = name == "native";
  if (native) {
    target.cpu = llvm::sys::getHostCPUName().str();
    target.features = artifact::host_cpu_features();
  } else {
    std::unique_ptr<llvm::MCSubtargetInfo> info(llvm_target().createMCSubtargetInfo(triple(), "x86-64", ""));
    if (!info->isCPUStringValid(name))
      return base::fail(
          base::ErrorCode::InvalidArgument,
          fmt::format("'{}' is not a CPU that the compiler knows; try native, x86-64-v2, x86-64-v3 or znver4", name));
    info.reset(llvm_target().createMCSubtargetInfo(triple(), name, ""));
    for (std::string_view feature : artifact::known_cpu_features())
      if (info->checkFeatures("+" + std::string(feature))) target.features.emplace_back(feature);
    std::ranges::sort(target.features);
  }
  // What the CPU's name implies but the table does not list, or this host lacks, is turned off, so that the artifact's
  // list is the whole truth.
  for (std::string_view feature : artifact::known_cpu_features())
    target.feature_string +=
        fmt::format("{}{}{}", target.feature_string.empty() ? "" : ",", target.has(feature) ? '+' : '-', feature);
  target.feature_string += kTuning;
  return target;
}

std::unique_ptr<llvm::TargetMachine> make_target_machine(const Target& target, unsigned opt_level) {
  llvm::TargetOptions options;
  options.UniqueSectionNames = false;
  options.GuaranteedTailCallOpt = false; // tailcc says where a tail call is promised
  const llvm::CodeGenOptLevel level = opt_level == 0   ? llvm::CodeGenOptLevel::None
                                      : opt_level == 1 ? llvm::CodeGenOptLevel::Less
                                                       : llvm::CodeGenOptLevel::Default;
  return std::unique_ptr<llvm::TargetMachine>(llvm_target().createTargetMachine(
      triple(), target.cpu, target.feature_string, options, llvm::Reloc::PIC_, llvm::CodeModel::Small, level));
}

std::span<const std::uint8_t> guestlib_object(const Target& target) {
  const bool v3 =
      target.has("avx2") && target.has("bmi2") && target.has("fma") && target.has("lzcnt") && target.has("movbe");
  return v3 ? std::span(cusp_guestlib_x86_64_v3, cusp_guestlib_x86_64_v3_end)
            : std::span(cusp_guestlib_x86_64, cusp_guestlib_x86_64_end);
}

} // namespace cusp::compile
