#include "compile/trap_sites.h"

#include <cstring>
#include <string_view>

#include <llvm/ADT/DenseMap.h>
#include <llvm/BinaryFormat/ELF.h>
#include <llvm/CodeGen/AsmPrinter.h>
#include <llvm/CodeGen/AsmPrinterHandler.h>
#include <llvm/CodeGen/MachineFunction.h>
#include <llvm/CodeGen/MachineInstr.h>
#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/Function.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCSectionELF.h>
#include <llvm/MC/MCStreamer.h>

#include "compile/lower/symbols.h"

namespace cusp::compile {

namespace {

class SiteCollector final : public llvm::AsmPrinterHandler {
public:
  SiteCollector(llvm::AsmPrinter& printer, TrapSites& sites) : printer_(printer), sites_(sites) {}

  void beginFunction(const llvm::MachineFunction* function) override {
    start_ = printer_.CurrentFnSym;
    sites_.functions.push_back({start_->getName().str(), static_cast<std::uint32_t>(sites_.origins.size()), 0});
    here_ = nullptr;
    // The prologue belongs to the function and to none of its operators.
    const bool is_guest = function->getFunction().hasFnAttribute(kGuestAttribute);
    const auto first = static_cast<std::uint32_t>(sites_.frames.size());
    if (is_guest) sites_.frames.push_back(frame(function->getName(), 0));
    add(start_, {first, is_guest ? 1u : 0u});
  }

  void beginInstruction(const llvm::MachineInstr* instruction) override {
    if (instruction->isMetaInstruction()) return;
    const llvm::DILocation* location = instruction->getDebugLoc().get();
    if (location == nullptr || location == here_) return; // no location: that of the instruction before
    here_ = location;
    llvm::MCSymbol* label = printer_.OutContext.createTempSymbol();
    printer_.OutStreamer->emitLabel(label);
    add(label, origin(location));
  }

  void endFunction(const llvm::MachineFunction*) override {
    FunctionSites& function = sites_.functions.back();
    function.count = static_cast<std::uint32_t>(sites_.origins.size()) - function.first;
  }

  void endModule() override {
    if (labels_.empty()) return;
    printer_.OutStreamer->switchSection(printer_.OutContext.getELFSection(kSitesSection, llvm::ELF::SHT_PROGBITS, 0));
    for (auto [label, start] : labels_) printer_.OutStreamer->emitAbsoluteSymbolDiff(label, start, 4);
  }

private:
  void add(llvm::MCSymbol* label, SiteOrigin origin) {
    labels_.emplace_back(label, start_);
    sites_.origins.push_back(origin);
  }

  SiteOrigin origin(const llvm::DILocation* location) {
    auto [known, inserted] = origins_.try_emplace(location);
    if (!inserted) return known->second;
    const auto first = static_cast<std::uint32_t>(sites_.frames.size());
    for (const llvm::DILocation* at = location; at != nullptr; at = at->getInlinedAt())
      sites_.frames.push_back(frame(at->getScope()->getSubprogram()->getName(), at->getLine()));
    return known->second = {first, static_cast<std::uint32_t>(sites_.frames.size()) - first};
  }

  // Guest functions and their subprograms are named "f<module>.<func>" (lowering.h).
  static artifact::GuestFrame frame(llvm::StringRef name, std::uint32_t wasm_offset) {
    artifact::GuestFrame frame{.module = 0, .func = 0, .wasm_offset = wasm_offset};
    name.consume_front("f");
    name.consumeInteger(10, frame.module);
    name.consume_front(".");
    name.consumeInteger(10, frame.func);
    return frame;
  }

  llvm::AsmPrinter& printer_;
  TrapSites& sites_;
  llvm::MCSymbol* start_ = nullptr;
  const llvm::DILocation* here_ = nullptr;
  std::vector<std::pair<llvm::MCSymbol*, llvm::MCSymbol*>> labels_; // and the function's start
  llvm::DenseMap<const llvm::DILocation*, SiteOrigin> origins_;
};

} // namespace

std::unique_ptr<llvm::AsmPrinterHandler> make_site_collector(llvm::AsmPrinter& printer, TrapSites& sites) {
  return std::make_unique<SiteCollector>(printer, sites);
}

std::vector<std::uint32_t> read_words(std::span<const std::uint8_t> object, std::string_view wanted) {
  llvm::ELF::Elf64_Ehdr header;
  std::memcpy(&header, object.data(), sizeof header);
  auto section = [&](unsigned index) {
    llvm::ELF::Elf64_Shdr s;
    std::memcpy(&s, object.data() + header.e_shoff + index * sizeof s, sizeof s);
    return s;
  };
  const char* names = reinterpret_cast<const char*>(object.data()) + section(header.e_shstrndx).sh_offset;
  std::vector<std::uint32_t> words;
  for (unsigned i = 1; i < header.e_shnum; ++i) {
    llvm::ELF::Elf64_Shdr s = section(i);
    if (std::string_view(names + s.sh_name) != wanted) continue;
    words.resize(s.sh_size / 4);
    std::memcpy(words.data(), object.data() + s.sh_offset, words.size() * 4);
  }
  return words;
}

} // namespace cusp::compile
