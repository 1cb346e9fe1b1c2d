#include "compile/unwind_sites.h"

#include <algorithm>
#include <array>

#include <llvm/ADT/DenseMap.h>
#include <llvm/BinaryFormat/ELF.h>
#include <llvm/CodeGen/AsmPrinter.h>
#include <llvm/CodeGen/AsmPrinterHandler.h>
#include <llvm/CodeGen/MachineFrameInfo.h>
#include <llvm/CodeGen/MachineFunction.h>
#include <llvm/CodeGen/MachineInstr.h>
#include <llvm/CodeGen/TargetRegisterInfo.h>
#include <llvm/CodeGen/TargetSubtargetInfo.h>
#include <llvm/IR/Function.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCSectionELF.h>
#include <llvm/MC/MCStreamer.h>

namespace cusp::compile {

namespace {

// In the order of FrameLayout::slots: their numbers in the System V ABI's DWARF mapping.
constexpr std::array<int, artifact::kSavedRegisters> kSavedDwarfNumbers = {3, 12, 13, 14, 15};

class UnwindCollector final : public llvm::AsmPrinterHandler {
public:
  UnwindCollector(llvm::AsmPrinter& printer, UnwindSites& sites) : printer_(printer), sites_(sites) {}

  void beginFunction(const llvm::MachineFunction* function) override {
    start_ = printer_.CurrentFnSym;
    pads_.clear();
    ends_.clear();
    pad_ = nullptr;
    const bool has_pads = !function->getLandingPads().empty();
    const artifact::FrameLayout layout = layout_of(*function);
    sites_.functions.push_back({start_->getName().str(), layout,
                                has_pads ? stack_pointer(*function, layout) : artifact::StackPointer{},
                                static_cast<std::uint32_t>(labels_.size()), 0});
    for (const llvm::LandingPadInfo& pad : function->getLandingPads())
      for (std::size_t i = 0; i < pad.BeginLabels.size(); ++i) {
        pads_[pad.BeginLabels[i]] = pad.LandingPadLabel;
        ends_[pad.EndLabels[i]] = pad.LandingPadLabel;
      }
  }

  void beginInstruction(const llvm::MachineInstr* instruction) override {
    if (pads_.empty()) return;
    is_call_ = instruction->isCall();
    if (instruction->isEHLabel()) {
      const llvm::MCSymbol* label = instruction->getOperand(0).getMCSymbol();
      if (auto pad = pads_.find(label); pad != pads_.end()) pad_ = pad->second;
      else if (ends_.contains(label)) pad_ = nullptr;
    }
  }

  void endInstruction() override {
    if (pads_.empty() || !is_call_ || pad_ == nullptr) return;
    llvm::MCSymbol* after = printer_.OutContext.createTempSymbol();
    printer_.OutStreamer->emitLabel(after);
    labels_.push_back({after, pad_, start_});
  }

  void endFunction(const llvm::MachineFunction*) override {
    UnwindFunction& function = sites_.functions.back();
    function.calls = static_cast<std::uint32_t>(labels_.size()) - function.first_call;
  }

  void endModule() override {
    if (labels_.empty()) return;
    printer_.OutStreamer->switchSection(printer_.OutContext.getELFSection(kUnwindSection, llvm::ELF::SHT_PROGBITS, 0));
    for (const Labels& call : labels_) {
      printer_.OutStreamer->emitAbsoluteSymbolDiff(call.after, call.start, 4);
      printer_.OutStreamer->emitAbsoluteSymbolDiff(call.pad, call.start, 4);
    }
  }

private:
  struct Labels {
    llvm::MCSymbol *after, *pad, *start;
  };

  // Offsets of frame objects count from the address above the return address, so that a frame without a gap has the
  // caller's rbp at -16.
  artifact::FrameLayout layout_of(const llvm::MachineFunction& function) {
    const llvm::MachineFrameInfo& frame = function.getFrameInfo();
    const llvm::TargetRegisterInfo& registers = *function.getSubtarget().getRegisterInfo();
    std::int64_t rbp = -std::int64_t{1} << 40;
    for (int i = frame.getObjectIndexBegin(); i < 0; ++i)
      if (frame.isSpillSlotObjectIndex(i)) rbp = std::max(rbp, frame.getObjectOffset(i));
    artifact::FrameLayout layout;
    const std::int64_t gap = (-16 - rbp) / 8;
    bool fits = gap >= 0 && gap <= artifact::FrameLayout::kMaxGap;
    layout.gap = static_cast<std::uint16_t>(gap);
    for (const llvm::CalleeSavedInfo& saved : frame.getCalleeSavedInfo()) {
      const int number = registers.getDwarfRegNum(saved.getReg(), false);
      const auto* found = std::ranges::find(kSavedDwarfNumbers, number);
      const std::int64_t slot = saved.isSpilledToReg() ? 0 : (rbp - frame.getObjectOffset(saved.getFrameIdx())) / 8;
      fits = fits && found != kSavedDwarfNumbers.end() && slot >= 1 && slot <= 15;
      if (fits)
        layout.slots[static_cast<std::size_t>(found - kSavedDwarfNumbers.begin())] = static_cast<std::uint8_t>(slot);
    }
    if (!fits) sites_.problem = start_->getName().str();
    return layout;
  }

  // X86FrameLowering::emitPrologue: rbp, the saved registers, the alignment, the rest, which is a multiple of it. What the
  // frame's size counts begins below the return address and has the gap in it.
  artifact::StackPointer stack_pointer(const llvm::MachineFunction& function, const artifact::FrameLayout& layout) {
    const llvm::MachineFrameInfo& frame = function.getFrameInfo();
    const auto pushed = static_cast<std::uint8_t>(frame.getCalleeSavedInfo().size());
    std::uint64_t bytes = frame.getStackSize() - 8 - 8 * std::uint64_t{pushed} - 8 * std::uint64_t{layout.gap};
    std::uint8_t align_log2 = 0;
    if (function.getSubtarget().getRegisterInfo()->hasStackRealignment(function)) {
      align_log2 = static_cast<std::uint8_t>(llvm::Log2(frame.getMaxAlign()));
      bytes = llvm::alignTo(bytes, frame.getMaxAlign());
    }
    if (frame.hasVarSizedObjects() || bytes % 8 != 0 || bytes / 8 > artifact::StackPointer::kMaxWords)
      sites_.problem = start_->getName().str();
    return {static_cast<std::uint32_t>(bytes / 8), pushed, align_log2};
  }

  llvm::AsmPrinter& printer_;
  UnwindSites& sites_;
  llvm::MCSymbol* start_ = nullptr;
  bool is_call_ = false;
  llvm::DenseMap<const llvm::MCSymbol*, llvm::MCSymbol*> pads_, ends_; // of the function's invokes
  llvm::MCSymbol* pad_ = nullptr;                                      // of the invoke at hand
  std::vector<Labels> labels_;
};

} // namespace

std::unique_ptr<llvm::AsmPrinterHandler> make_unwind_collector(llvm::AsmPrinter& printer, UnwindSites& sites) {
  return std::make_unique<UnwindCollector>(printer, sites);
}

} // namespace cusp::compile
