// The trap table maps a program counter in compiled code to the operator it came from, through inlined frames: the
// innermost function first, then the functions it was inlined into. Sorted by text offset, looked up by binary search;
// built by the compiler from line information.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cusp::artifact {

struct GuestFrame {
  std::uint32_t module = 0;      // index into ArtifactMeta::modules
  std::uint32_t func = 0;        // FuncIndex
  std::uint32_t wasm_offset = 0; // of the operator, in bytes from the start of the module
  bool operator==(const GuestFrame&) const = default;
  template <class A> void fields(A& a) { a(module, func, wasm_offset); }
};

// One run of code bytes with the same origin: [text_offset, next entry's text_offset).
struct TrapSite {
  std::uint32_t text_offset = 0;
  std::vector<GuestFrame> frames; // innermost first; empty: no guest operator (trampolines, stubs)
};

// REQUIRES: sites sorted by text_offset.
std::vector<std::uint8_t> write_trap_table(const std::vector<TrapSite>& sites);

// Fills `frames` innermost first and returns how many there are; 0 when the offset is not guest code. Does not
// allocate; async-signal-safe. Damaged bytes give 0.
std::size_t lookup_trap_site(std::span<const std::uint8_t> table, std::uint32_t text_offset,
                             std::span<GuestFrame> frames);

} // namespace cusp::artifact
