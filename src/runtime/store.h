// A store is what core instances live in together: a stack to run on, the results area, limits, and what is pending after a trap.
// Store itself serves core modules linked one by one (`cusp run` of a module, `cusp wast`, the embedding API); a Slot (slot.h) is a store of
// fixed layout for one component instance. Used by one thread at a time; guest code runs on a fiber.
// Traps: call() returns them as values; host frames between are unwound by returning non-zero from HostFunc::function, never skipped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "abi/vm.h"
#include "artifact/line_table.h"
#include "artifact/trap_table.h"
#include "base/result.h"
#include "loop/event_loop.h"
#include "runtime/code.h"

namespace cusp::runtime {

// One frame of a guest backtrace, innermost first.
struct BacktraceFrame {
  std::shared_ptr<const Code> code;
  artifact::GuestFrame frame;
  std::string function_name;           // empty: unknown
  artifact::SourceLine source() const; // points into the artifact
};

struct TrapInfo {
  abi::Trap trap = abi::Trap::Internal;
  std::string message; // abi::trap_text, or the host function's sentence
  std::vector<BacktraceFrame> backtrace;
  std::string
  to_string() const; // several lines, Wasmtime-like: "wasm trap: …\nwasm backtrace:\n  0: 0x1f - name at file.c:12"
};

// Limits of one store; bytes. The memory limit counts linear memories, tables, exceptions and the heap of objects together.
struct StoreLimits {
  std::uint64_t memory_bytes = ~std::uint64_t{0};
  std::uint64_t table_elements = 10'000'000;
  std::uint32_t stack_bytes = 1024 * 1024; // for guest code, beyond the reserve for host code
  // Operators that guest code may execute before it traps; of code compiled with fuel, which alone counts.
  std::int64_t fuel = std::numeric_limits<std::int64_t>::max();
};

class Instance;
struct Execution;

// What an import is satisfied with. Pointers stay valid as long as the store; types are canonical (type_registry.h).
struct ExternFunc {
  abi::FuncRef* func = nullptr;
};
struct ExternTable {
  abi::TableRecord* table = nullptr;
  std::uint32_t element_type = 0;
  std::uint64_t min = 0;
  std::optional<std::uint64_t> max;
  bool index64 = false;
};
struct ExternMemory {
  abi::MemoryRecord* memory = nullptr;
  std::uint64_t min = 0;
  std::optional<std::uint64_t> max;
  bool memory64 = false, shared = false;
  std::uint8_t page_size_log2 = 16;
  std::shared_ptr<class SharedMemory> owner; // of a shared memory: other stores may import it, also on other threads
};
struct ExternGlobal {
  void* global = nullptr;
  std::uint32_t type = 0;
  bool is_mutable = false;
};
struct ExternTag {
  abi::TagRecord* tag = nullptr;
};
// In the order of artifact::ExternKind.
using Extern = std::variant<ExternFunc, ExternTable, ExternMemory, ExternGlobal, ExternTag>;

class Instance {
public:
  abi::VmContext* vmctx() const { return vmctx_; }
  const artifact::ModuleMeta& meta() const { return code_->module(module_); }
  const std::shared_ptr<const Code>& code() const { return code_; }
  std::uint32_t module_index() const { return module_; }
  // What host functions that this instance calls see as its memory: its export "memory". nullptr: it has none.
  const abi::MemoryRecord* exported_memory() const { return exported_memory_; }
  // By the module's own index spaces.
  abi::FuncRef* func(std::uint32_t index) const;
  abi::MemoryRecord* memory(std::uint32_t index) const;
  abi::TableRecord* table(std::uint32_t index) const;
  void* global(std::uint32_t index) const;
  abi::TagRecord* tag(std::uint32_t index) const;
  Extern item(artifact::ExternKind kind, std::uint32_t index) const;
  std::optional<Extern> exported(std::string_view name) const;

private:
  friend class Store;
  friend class Slot;
  friend struct Instantiation;
  friend struct InstanceAccess; // built-ins
  abi::VmContext* vmctx_ = nullptr;
  std::shared_ptr<const Code> code_;
  std::uint32_t module_ = 0;
  class Store* store_ = nullptr;
  const abi::MemoryRecord* exported_memory_ = nullptr;
  std::vector<bool> dropped_elems_, dropped_datas_;
  std::vector<std::vector<std::uint64_t>> elem_values_; // of segments of expressions, evaluated once
  std::vector<Extern> imports_; // by position in meta().imports: what is exported again keeps its own type
};

// What compiled adapters find of the component that they belong to (abi/component.h). Outlives the code's runs.
struct ComponentRecords {
  abi::InstanceRecord* const* instances = nullptr;
  const void* const* resources = nullptr;
};

class Store {
public:
  static Result<std::unique_ptr<Store>> create(const StoreLimits& limits);
  virtual ~Store();

  // Links, initialises and runs the start function. The instance belongs to the store, and stays (its writes too) when instantiation
  // traps. Error: Unlinkable (which import, what was expected and given); Trap (last_trap() tells more); LimitExceeded.
  Result<Instance*> instantiate(std::shared_ptr<const Code> code, std::uint32_t module,
                                std::span<const Extern> imports);

  // A host function of the given core type. `function` as in abi::HostFunc; bind.h makes both from a C++ signature. When an importing instance
  // is linked, it gets the host stub of its module, and a HostFunc of its own that names it as owner.
  // By the process-wide id of its type, or by a type that names no type of a module.
  abi::FuncRef* add_host_func(std::uint32_t type_id, std::uint32_t (*function)(abi::HostFunc*, abi::ValRaw*),
                              void* environment);
  abi::FuncRef* add_host_func(const artifact::FuncTypeMeta& type,
                              std::uint32_t (*function)(abi::HostFunc*, abi::ValRaw*), void* environment) {
    return add_host_func(intern_type(type), function, environment);
  }
  // Types in `meta` are canonical (type_registry.h).
  // Counted as an instance's own are. Error: LimitExceeded.
  Result<Extern> add_table(const artifact::TableMeta& meta);
  Result<Extern> add_memory(const artifact::MemoryMeta& meta);
  Extern add_global(const artifact::GlobalMeta& meta, abi::ValRaw value);

  // Runs a guest function on this store's stack. REQUIRES: on a fiber (EventLoop::run_one will do). `values` holds the parameters and takes the results.
  // Error: Trap. Reentrant: a host function may call back into the guest.
  Result<void> call(const abi::FuncRef& func, abi::ValRaw* values);
  // The same for a guest function whose entry trampoline is known already: the fast path, without look-ups.
  bool call_entry(const void* entry, abi::VmContext* callee, const void* code,
                  abi::ValRaw* values); // false: trapped, see last_trap()

  const TrapInfo& last_trap() const { return last_trap_; }
  // From a host function about to return non-zero.
  void set_pending_trap(abi::Trap trap, std::string message);

  // The last act of a host function that canon or an embedder gives: `return store.finish_host_call();`. Where the timer came while host
  // code ran, other fibers get their turn now, and a guest out of time is stopped. Non-zero: return it. (Functions of add_host_func
  // need not: theirs is called for them.)
  std::uint32_t finish_host_call();

  // Absolute steady-clock time at which running guest code is stopped with Trap::Timeout; nullopt: never. Works by timer signal.
  void set_deadline(std::optional<std::int64_t> steady_ns);
  // The same as a point in time for waits of host code.
  loop::TimePoint deadline() const;
  // Where its guest code runs; for canon's threads.
  Execution& execution();

  // References of the any hierarchy, whose objects only guests and constant expressions make (abi/gc.h). A host that keeps
  // one beyond a call into the guest must keep it in a global or table: collections do not see the host's own memory.
  enum class AnyKind : std::uint8_t { Null, I31, Struct, Array, Extern };
  AnyKind any_kind(std::uint32_t reference) const;
  // any.convert_extern and extern.convert_any. Error: LimitExceeded; Unsupported when no instance of the store has a heap.
  Result<std::uint32_t> any_from_extern(std::uint64_t reference);
  std::uint64_t extern_from_any(std::uint32_t reference);
  // Frees what no guest can reach. It happens by itself; this is for tests.
  void collect_garbage();

  std::uint64_t memory_in_use() const { return memory_in_use_; }
  std::uint64_t memory_left() const {
    return limits_.memory_bytes > memory_in_use_ ? limits_.memory_bytes - memory_in_use_ : 0;
  }
  // Counts bytes against the memory limit (a negative number in two's complement gives them back). False: the limit forbids them.
  bool charge(std::uint64_t bytes) {
    std::uint64_t after = memory_in_use_ + bytes;
    if (after > limits_.memory_bytes && after > memory_in_use_) return false;
    memory_in_use_ = after;
    return true;
  }
  void* user = nullptr; // the owner's (canon's component instance)

  struct State;
  // What is left of StoreLimits::fuel; negative once it has run out.
  std::int64_t fuel_left() const;
  State& state() { return *state_; } // for the rest of this room

protected:
  Store();
  friend struct Instantiation;
  Result<void> map_stack(); // stack and results area of a store without a slot
  void take_trap();
  Result<void> charge_initial(std::uint64_t bytes); // Error: LimitExceeded
  StoreLimits limits_;
  std::uint64_t memory_in_use_ = 0;
  std::uint8_t* results_ = nullptr;
  TrapInfo last_trap_;
  std::unique_ptr<State> state_;
};

// Process-wide: signal handlers (SIGSEGV, SIGBUS, SIGILL, SIGFPE, the preemption timer), once, before any guest code runs; idempotent.
// Also probes userfaultfd, PAGEMAP_SCAN, address space; features() tells what was found.
Result<void> initialize();
struct HostFeatures {
  bool userfaultfd_wp = false, pagemap_scan = false, pkeys = false;
  bool large_address_space = true;
};
const HostFeatures& host_features();

} // namespace cusp::runtime
