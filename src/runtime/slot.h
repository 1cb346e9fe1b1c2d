// A slot is everything one running component instance needs, at fixed addresses: VM contexts, tables, fiber stack, memories, and a
// trailer of bytes for the owner (canon's per-instance records that core code points at, e.g. abi::HostFunc). Slots are reset, never unmapped: a page
// fault costs more than copying the page back. The layout is computed once per component from its modules.
// Life: create → the owner instantiates (instantiate_core per step) → seal() takes what was written as the clean image → then for every
// request acquire / run / reset. Pages written after seal() are learned once (write fault) and copied back at every reset.
// Owned by SlotPool. Used by one thread at a time. Never: allocates or takes a lock on acquire() of a free slot.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/store.h"

namespace cusp::runtime {

enum class WriteTracking : std::uint8_t {
  Automatic, // userfaultfd where it works, else mprotect
  Userfaultfd,
  Mprotect,
  Scan, // PAGEMAP_SCAN + memcpy
};

struct SlotOptions {
  StoreLimits limits;
  WriteTracking tracking = WriteTracking::Automatic;
  std::uint32_t owner_bytes = 0; // size of the owner's area, reset with the slot
};

class SlotLayout {
public:
  // core_instances: the module of every core instance, as in LinkPlan. Table and memory reservations come from the modules' own limits.
  static Result<std::shared_ptr<const SlotLayout>>
  create(std::shared_ptr<const Code> code, std::span<const std::uint32_t> core_instances, SlotOptions options);
  const Code& code() const;
  std::uint64_t address_space() const; // bytes that each slot reserves
  struct State;
  ~SlotLayout();

private:
  SlotLayout();
  friend class Slot;
  std::unique_ptr<State> state_;
};

class Slot final : public Store {
public:
  static Result<std::unique_ptr<Slot>> create(std::shared_ptr<const SlotLayout> layout);
  ~Slot() override;

  Instance& core_instance(std::uint32_t index);
  std::uint8_t* owner_area();

  // For the core instances that are made from now on.
  void set_component(const ComponentRecords& records);
  // Links and initialises core instance `index` (data, elements, globals), but does not run its start function: returns whether there is one.
  Result<bool> instantiate_core(std::uint32_t index, std::span<const Extern> imports);
  Result<void> run_start(std::uint32_t index);
  // The first argument of a function of this slot: a VmContext, or the HostFunc behind a function that has no code.
  void* callee_context(const abi::FuncRef& func) const;
  // An import that is one of the owner's host functions: `host` lies in owner_area().
  Extern host_func(abi::HostFunc* host, const artifact::FuncTypeMeta& type);

  // What is in the slot now is the clean state.
  Result<void> seal();
  // Exactly the clean state again. After a trap too.
  Result<void> reset();

  std::uint32_t learned_pages() const;

private:
  Slot();
  Result<void> take_back_growth();
  struct SlotState;
  std::unique_ptr<SlotState> slot_state_;
};

} // namespace cusp::runtime
