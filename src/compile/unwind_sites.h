// What the unwind table (artifact/unwind_table.h) is made of, taken from the code generator as it prints functions: where
// each frame keeps the callee-saved registers, which calls have a landing pad. Labels become distances from the function's
// start in a section of the object, as in trap_sites.h; no .gcc_except_table is made, and .eh_frame is of no use to us.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "artifact/unwind_table.h"

namespace llvm {
class AsmPrinter;
class AsmPrinterHandler;
} // namespace llvm

namespace cusp::compile {

inline constexpr const char* kUnwindSection = ".cusp.unwind";

struct UnwindFunction {
  std::string symbol;
  artifact::FrameLayout layout;
  artifact::StackPointer stack;
  std::uint32_t first_call = 0, calls = 0; // that have a landing pad
  template <class A> void fields(A& a) { a(symbol, layout, stack, first_call, calls); }
};

// Functions in the order of the text. Call k of the object has two words in the section: the offsets of its return address
// and of its pad from its function's symbol.
struct UnwindSites {
  std::vector<UnwindFunction> functions;
  std::string problem; // a function whose frame the table cannot describe; empty: none
  template <class A> void fields(A& a) { a(functions, problem); }
};

// Collects into `sites`, which must outlive the code generator's passes.
std::unique_ptr<llvm::AsmPrinterHandler> make_unwind_collector(llvm::AsmPrinter& printer, UnwindSites& sites);

} // namespace cusp::compile
