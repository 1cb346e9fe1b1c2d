// What compiled code and canon/ share of a component's instances: who may be entered and left, and their handle tables. Adapters
// (compile/adapter) read and write these in line; whatever does not go the ordinary way they leave to canon/, which has the same
// records. They lie outside the slot and are put right by whoever resets it. Spec: CanonicalABI.md, "Component Instance State",
// "Table State", "Resource State".
#pragma once

#include <cstdint>

namespace cusp::abi {

enum class HandleKind : std::uint8_t { Free, Resource, Waitable, WaitableSet, ErrorContext };

struct HandleEntry {
  HandleKind kind = HandleKind::Free;
  bool own = false;           // Resource
  std::uint32_t lends = 0;    // Resource: calls in flight that borrowed it
  const void* type = nullptr; // Resource: the identity of its type; of no other kind
  union {
    std::uint64_t rep = 0;   // Resource: the guest's number, or a host object
    void* object;            // the other kinds: canon's
    std::uint32_t next_free; // Free; 0: none
  };
  std::uint32_t* borrows = nullptr; // a borrow handle: counts those that a task must drop before it returns
};
static_assert(sizeof(HandleEntry) == 32);

// Index 0 is never a handle; freed indices are reused last in, first out.
struct HandleTable {
  HandleEntry* entries = nullptr;
  std::uint32_t length = 0; // of what was ever used, index 0 included
  std::uint32_t first_free = 0;
  std::uint32_t alive = 0;
};

struct InstanceRecord {
  bool may_enter = true;
  bool may_leave = true;
  // Borrow handles that the adapter's call in flight has lowered and the callee has not dropped. One counter will do: nobody
  // enters an instance that is entered.
  std::uint32_t borrows = 0;
  HandleTable* table = nullptr; // invariant
};

} // namespace cusp::abi
