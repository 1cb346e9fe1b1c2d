// Where in the machine code each guest operator went, taken from the code generator itself as it prints instructions: a
// label wherever the debug location changes, and its distance from the function's start as a number in a section of the
// object. No DWARF is made or read: for a 13 MB module that saves hundreds of megabytes and a good part of the compile
// time, and inlined frames come for free.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/trap_table.h"
#include "base/result.h"

namespace llvm {
class AsmPrinter;
class AsmPrinterHandler;
} // namespace llvm

namespace cusp::compile {

inline constexpr const char* kSitesSection = ".cusp.sites";

struct SiteOrigin {
  std::uint32_t first_frame = 0, frames = 0; // in TrapSites::frames, innermost first
  template <class A> void fields(A& a) { a(first_frame, frames); }
};

struct FunctionSites {
  std::string symbol;
  std::uint32_t first = 0, count = 0; // in TrapSites::origins
  template <class A> void fields(A& a) { a(symbol, first, count); }
};

// The sites of one object; the k-th entry of the section kSitesSection is the offset of the k-th origin from its
// function's symbol.
struct TrapSites {
  std::vector<FunctionSites> functions;
  std::vector<SiteOrigin> origins;
  // Offsets count from the function's body, beginning at 1; 0: only the function is known.
  std::vector<artifact::GuestFrame> frames;
  template <class A> void fields(A& a) { a(functions, origins, frames); }
};

// Collects into `sites`, which must outlive the code generator's passes.
std::unique_ptr<llvm::AsmPrinterHandler> make_site_collector(llvm::AsmPrinter& printer, TrapSites& sites);

// The contents of a section of 32-bit words; empty where there is none.
std::vector<std::uint32_t> read_words(std::span<const std::uint8_t> object, std::string_view section);

} // namespace cusp::compile
