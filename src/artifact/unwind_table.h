// The unwind table: what a throw needs to know of compiled code. For every function, where its frame keeps the caller's
// callee-saved registers; for every call inside a try, its landing pad. Two sorted arrays, looked up by binary
// search, written by the compiler from its own frame layouts; no DWARF is made or read. x86-64.
//
// A frame, once its function calls: [rbp] the caller's rbp, [rbp - 8*slot] saved registers, [rbp + 8 + 8*gap] the return
// address. The gap is there in functions that make tail calls with more stack arguments than they were given.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace cusp::artifact {

inline constexpr unsigned kSavedRegisters = 5; // rbx r12 r13 r14 r15; rbp is in every frame

struct FrameLayout {
  std::array<std::uint8_t, kSavedRegisters> slots{}; // 0: not saved; at most 15
  std::uint16_t gap = 0;                             // in words; at most kMaxGap
  static constexpr std::uint16_t kMaxGap = 0xfff;
  bool operator==(const FrameLayout&) const = default;
  template <class A> void fields(A& a) { a(slots, gap); }
};

// [text_offset, next entry's text_offset)
struct FrameSite {
  std::uint32_t text_offset = 0;
  FrameLayout layout;
};

// Where rsp is in a function with a landing pad: from rbp down by the saved registers, to a multiple of the alignment, and
// down by the words of its own. (Where the callee's return address lies does not tell: on the way to the throw, tail calls
// may have moved it.)
struct StackPointer {
  std::uint32_t words = 0; // at most kMaxWords
  std::uint8_t pushed = 0; // registers
  std::uint8_t align_log2 = 0;
  static constexpr std::uint32_t kMaxWords = 0xff'ffff;
  std::uintptr_t from(std::uintptr_t rbp) const {
    return ((rbp - 8 * std::uintptr_t{pushed}) >> align_log2 << align_log2) - 8 * std::uintptr_t{words};
  }
  bool operator==(const StackPointer&) const = default;
  template <class A> void fields(A& a) { a(words, pushed, align_log2); }
};

// A call whose callee may throw, inside a try.
struct LandingPad {
  std::uint32_t return_address = 0, pad = 0; // text offsets
  StackPointer stack;
  bool operator==(const LandingPad&) const = default;
};

// REQUIRES: frames sorted by text_offset, pads by return_address. The last of several frames at one offset counts.
std::vector<std::uint8_t> write_unwind_table(std::span<const FrameSite> frames, std::span<const LandingPad> pads);

// Neither allocates; async-signal-safe. Damaged bytes: nothing is found.
std::optional<FrameLayout> lookup_frame(std::span<const std::uint8_t> table, std::uint32_t text_offset);
std::optional<LandingPad> lookup_landing_pad(std::span<const std::uint8_t> table, std::uint32_t return_address);

} // namespace cusp::artifact
