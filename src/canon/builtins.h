// The canonical built-ins other than lift, lower and resource.*: one function per row of canon_builtins.def; a forgotten one fails to
// link. Private to the room. Spec: CanonicalABI.md, "Canonical Definitions".
#pragma once

#include "canon/component_state.h"
#include "canon/copy.h"

namespace cusp::canon {

// One call of a built-in. A trap is left in `cx`, or noted in the scheduler.
struct BuiltinCall {
  TrampolineRecord& record;
  const component::Builtin& plan;
  Scheduler& scheduler;
  abi::ValRaw* values;
  LiftLowerContext cx;

  InstanceState& instance() const { return *record.instance; }
  std::uint32_t argument(std::uint32_t i) const { return values[i].i32; }
  void give(std::uint64_t value) { values[0].i64 = value; }
  // For operations that wait: traps at once where that is not allowed.
  bool may_block() {
    if (scheduler.may_block()) return true;
    cx.trap(std::string(kCannotBlock));
    return false;
  }
  // False: the thread was ended while it was blocked, and there is a trap to take it down.
  bool goes_on(Woke woke) {
    if (woke != Woke::Ended) return true;
    if (!scheduler.failed()) cx.trap(std::string(kInstanceEnded));
    return false;
  }
  // Spec: Waitable.wait_for_pending_event. False as above.
  bool wait_for_event(Waitable& waitable);
  // Puts `waitable` into the guest's table. 0 after a trap.
  std::uint32_t add(std::unique_ptr<Waitable> waitable);
  void store_event(Event event, std::uint32_t pointer);
};

inline constexpr std::string_view kSyncInSet = "waitable cannot be used synchronously while added to a waitable set";

struct Builtins {
#define BUILTIN(opcode, Name, text, immediates, params, results) static void Name(BuiltinCall& call);
#include "component/canon_builtins.def"
};

} // namespace cusp::canon
