// What is behind a Store. Private to the room.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "runtime/activation.h"
#include "runtime/exception_heap.h"
#include "runtime/gc_heap.h"
#include "runtime/shared_memory.h"
#include "runtime/store.h"

namespace cusp::runtime {

// FuncRef::reserved of a host function: `vmctx_delta` leads to its abi::HostFunc. `code` is a host stub, or null in the record that
// stands for the function itself: stubs belong to importing modules.
inline constexpr std::uint32_t kHostFuncRef = 1;

// A host function made by Store::add_host_func.
struct HostFuncRecord {
  abi::HostFunc host{}; // first: HostFunc* is HostFuncRecord*
  std::uint32_t (*function)(abi::HostFunc*, abi::ValRaw*) = nullptr;
  Store* store = nullptr;
  abi::FuncRef ref{};
};

struct Store::State {
  Execution execution; // first: see of()
  static State* of(Execution& execution) { return reinterpret_cast<State*>(&execution); }
  std::uint64_t store_base = 0; // FuncRef::vmctx_delta counts from here
  // The HostFunc that `importer` calls: a copy owned by it, or `host` itself when it is made for one importer already (a slot's).
  abi::HostFunc* for_importer(abi::HostFunc* host, abi::VmContext* importer);
  // Set when a memory or table grew: a slot then has more to put back than pages.
  bool grown = false;
  bool dropped = false;  // a segment was dropped
  std::int64_t fuel = 0; // left; negative once it has run out

  ComponentRecords component; // of a slot's

  // What a host function that failed left, and whether the last trap came that way.
  struct {
    bool set = false, raised = false;
    TrapInfo info;
  } pending;

  ExceptionHeap exceptions;

  std::vector<std::unique_ptr<Instance>> instances;
  std::deque<HostFuncRecord> host_funcs;
  std::deque<abi::MemoryRecord> memories;
  std::deque<abi::TableRecord> tables;
  std::deque<abi::ValRaw> globals;
  std::vector<OwnedSpace> spaces;
  std::vector<std::shared_ptr<SharedMemory>> shared_memories; // made here; instances keep those that they import
  std::vector<std::unique_ptr<abi::FuncRef[]>> funcrefs;
  GcHeap* gc_heap = nullptr;          // null until an instance needs it
  std::vector<std::uint32_t> gc_grey; // marked objects whose references are to be followed; kept for its memory
  std::vector<Instance*> linked;      // all whose globals and tables are there
  struct FreeAligned {
    void operator()(void* memory) const;
  };
  std::vector<std::unique_ptr<void, FreeAligned>> vm_contexts;
};

// After a trap: makes the heap fit for use again, and, when no guest of the store runs any more, clears what the trap left on
// the stack, where the next call's frames would keep dead objects alive with it.
void recover_heap(Store& store);

// A guest that spends its time in built-ins is hardly ever found in its own code: they look for the timer's note themselves, at
// their end and between pieces. Ends the guest when its time is up.
void give_way(Store& store);

// Built-ins (builtins.cpp), one per row of builtins.def.
extern const void* const kBuiltins[abi::kBuiltinCount];

// Instances as built-ins see them.
struct InstanceAccess {
  static std::vector<bool>& dropped_elems(Instance& instance) { return instance.dropped_elems_; }
  static std::vector<bool>& dropped_datas(Instance& instance) { return instance.dropped_datas_; }
  static const std::vector<std::vector<std::uint64_t>>& elem_values(Instance& instance) {
    return instance.elem_values_;
  }
};

inline Instance& instance_of(const abi::VmContext* vmctx) { return *static_cast<Instance*>(vmctx->instance); }
inline Store& store_of(const abi::VmContext* vmctx) { return *static_cast<Store*>(vmctx->store); }

// memory.grow and table.grow. Old size in pages or elements, or all ones when the record's maximum, the store's limits or the system
// refuse.
std::uint64_t grow_memory(Store& store, abi::MemoryRecord& memory, std::uint64_t delta_pages);
std::uint64_t grow_table(Store& store, abi::TableRecord& table, std::uint64_t delta, void* init);

// An element segment as it is now (nothing once dropped), and one of its values.
std::uint64_t elem_size(Instance& instance, std::uint32_t elem);
std::uint64_t elem_value(Instance& instance, std::uint32_t elem, std::uint64_t item);

// The current size; another agent may be growing a shared one.
inline std::uint64_t byte_length(abi::MemoryRecord& memory) {
  return std::atomic_ref(memory.byte_length).load(std::memory_order_acquire);
}

// table.init and memory.init; false: out of bounds, and nothing was written.
bool init_table(Instance& instance, std::uint32_t table, std::uint32_t elem, std::uint64_t to, std::uint64_t from,
                std::uint64_t count);
bool init_memory(Instance& instance, std::uint32_t memory, std::uint32_t data, std::uint64_t to, std::uint64_t from,
                 std::uint64_t count);

// nullopt: an object that the expression makes found no room.
std::optional<abi::ValRaw> evaluate(const Instance& instance, const artifact::ConstExpr& expression);

// Where the memories and tables that a module defines come to lie.
class Placement {
public:
  virtual ~Placement() = default;
  // Opens the pages of the minimum size, with the image in them, and fills in the record: `record`, or the shared memory's own, which
  // is returned.
  virtual Result<abi::MemoryRecord*> memory(std::uint32_t defined, const artifact::MemoryMeta& meta,
                                            abi::MemoryRecord& record) = 0;
  virtual Result<void> table(std::uint32_t defined, const artifact::TableMeta& meta, abi::TableRecord& record) = 0;
  // The store's heap, empty.
  virtual Result<GcHeap*> gc_heap() = 0;
};

// How much address space a memory or table takes, and how far it can grow in it.
struct MemorySpace {
  std::uint64_t reserve = 0, max_bytes = 0;
};
MemorySpace memory_space(const artifact::MemoryMeta& meta, const StoreLimits& limits);
// What is given for an import or export of this type.
Extern memory_extern(abi::MemoryRecord* record, const artifact::MemoryMeta& meta);
// A shared memory with this record. Returns the record that counts from now on.
abi::MemoryRecord* share_memory(std::vector<std::shared_ptr<SharedMemory>>& owners, const abi::MemoryRecord& record,
                                OwnedSpace space);
std::uint64_t table_capacity(const artifact::TableMeta& meta, const StoreLimits& limits);
// Maps the image at the start of an open memory from the artifact's file.
Result<void> map_memory_image(const artifact::Artifact& artifact, const artifact::MemoryMeta& meta, std::uint8_t* base);
// A memory's size before it grew.
Result<std::uint64_t> initial_memory_bytes(const artifact::MemoryMeta& meta);

// The steps of instantiation, shared by stores and slots. REQUIRES: vmctx and funcrefs allocated (vmctx zeroed).
struct Instantiation {
  Store& store;
  Instance& instance;
  std::span<const Extern> imports;
  abi::FuncRef* funcrefs; // of the instance; written by fill_funcrefs()

  static void prepare(Instance& instance, Store& store, std::shared_ptr<const Code> code, std::uint32_t module,
                      abi::VmContext* vmctx);
  Result<void> check_imports() const;
  Result<void> link(); // VM context: head, function imports, memory and table entries of imports, imported globals
  Result<void> define(Placement& placement);
  Result<void> define_gc_heap(Placement& placement);
  Result<void> initialise(); // globals, tables, active segments. Error: Trap
  bool evaluate_items();     // of element segments; false: no room
  Result<void> run_start();
};

} // namespace cusp::runtime
