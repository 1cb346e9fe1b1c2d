// The contract of compiled code and runtime: layouts, calling conventions, numbers. Data only; both sides include this and
// the .def tables, and abi_hash() over them is part of every artifact's key.
//
// Calling conventions
//  guest function      R f(ptr vmctx, params...): tailcc where the artifact has tail calls or is linkable (artifact.h), else ccc. R: see returns_in_registers(); otherwise R is void and result i is
//                      at vmctx->results + 16*i (of any VM context: all of one store share the area).
//  entry trampoline    ccc void entry(ptr vmctx, ptr code, ValRaw* values): loads the parameters of one function type from values[i],
//                      calls code (a guest function), stores result i to values[i]. One per function type, in the artifact.
//  host stub           like a guest function of its type, but its first argument is a HostFunc*: stores the parameters to a
//                      ValRaw array on the stack, calls host->function(host, values); non-zero: calls raise_pending through
//                      host->builtins; otherwise takes the results from values[i]. One per function type of imports.
//  built-in            ccc, first argument the caller's VmContext.
//  trap stub           one per row of traps.def, kTrapStubSize bytes apart, each `ud2` first; called (never jumped to) by guest code with an aligned
//                      or unaligned stack; the return address on the stack tells where. The runtime's SIGILL handler does the rest.
// Guest functions keep a frame pointer (rbp chain) and, where they call anything, begin by touching
// [rsp - kHostStackReserve]: a host call or signal frame always finds that much stack.
// Exceptions: a frame is found through the rbp chain and artifact/unwind_table.h says how it is left: throw_exception restores the
// callee-saved registers on the way up and continues at the landing pad of the first call that has one, with the Exception in rax and rsp as it
// is outside calls. Compiled code compares tags there, and throws again when no clause takes the exception.
// References: abi/gc.h; exnref = Exception* or null.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "abi/component.h"
#include "abi/gc.h"

namespace cusp::abi {

inline constexpr std::uint64_t kWasmPageSize = 65536;
inline constexpr std::uint64_t kHostPageSize = 4096;
// memory32 with guard pages: this much address space per memory, all of it inaccessible beyond the current size.
inline constexpr std::uint64_t kMemory32Reservation = (std::uint64_t{4} << 30);
inline constexpr std::uint64_t kMemoryGuardSize = (std::uint64_t{32} << 20);
// A static offset beyond this is checked in code: base + zext(index) + offset then stays inside reservation + guard.
inline constexpr std::uint64_t kMaxUncheckedOffset = kMemoryGuardSize - 64;
inline constexpr std::uint32_t kHostStackReserve = 128 * 1024;
inline constexpr std::uint32_t kTrapStubSize = 16;
inline constexpr std::uint32_t kMaxResults = 1000;
inline constexpr std::uint32_t kResultsAreaSize = kMaxResults * 16;

enum class Trap : std::uint8_t {
#define TRAP(Name, text) Name,
#include "abi/traps.def"
#undef TRAP
};
inline constexpr unsigned kTrapCount = 0
#define TRAP(Name, text) +1
#include "abi/traps.def"
#undef TRAP
    ;
std::string_view trap_text(Trap trap);

enum class Builtin : std::uint32_t {
#define BUILTIN(name, ...) name,
#include "abi/builtins.def"
#undef BUILTIN
};
inline constexpr unsigned kBuiltinCount = 0
#define BUILTIN(name, ...) +1
#include "abi/builtins.def"
#undef BUILTIN
    ;

// One value at a host boundary. i32 and f32 use the low four bytes; the rest is unspecified.
union alignas(16) ValRaw {
  std::uint32_t i32;
  std::uint64_t i64;
  float f32;
  double f64;
  void* ref;
  std::uint8_t v128[16];
};
static_assert(sizeof(ValRaw) == 16);

struct VmContext;

// What a funcref points at. Immutable once made; in a component the records belong to the loaded artifact and serve all slots.
struct FuncRef {
  const void* code;         // guest function or host stub
  std::int64_t vmctx_delta; // callee's first argument = store_base + vmctx_delta
  std::uint32_t type_id;    // process-wide id of its type (abi/gc.h)
  std::uint32_t reserved;
};
static_assert(sizeof(FuncRef) == 24);

// An imported function, in the importing VM context.
struct FuncImport {
  const void* code;
  void* vmctx; // VmContext* of a guest function, HostFunc* of a host function
};

struct MemoryRecord {
  std::uint8_t* base;        // never moves
  std::uint64_t byte_length; // current size
  std::uint64_t max_bytes;   // it may grow up to here
  std::uint64_t page_size;   // bytes
  void* shared = nullptr;    // the runtime's own, of a shared memory; otherwise null
};

struct TableRecord {
  void** elements; // never moves
  std::uint64_t length;
  std::uint64_t max_length;
};

// The entry of a memory or table in a VM context, imported or defined alike; `base` and `record` are invariant. The record of a memory or
// table that the module defines is in the VM context, at memory_record() or table_record(); a shared memory's is where the runtime has it.
struct MemoryEntry {
  std::uint8_t* base;
  MemoryRecord* record;
};
struct TableEntry {
  void** elements;
  TableRecord* record;
};

// A tag's identity is the address of this record, which lies in the VM context of the instance that defines the tag.
struct TagRecord {
  std::uint32_t type_id; // canonical id of its type
  std::uint32_t reserved;
};
static_assert(sizeof(TagRecord) == 8);

// A thrown exception. Payload value i is the ValRaw that follows at sizeof(Exception) + 16*i; it never changes once thrown.
struct alignas(16) Exception {
  const TagRecord* tag;
  std::uint64_t reserved;
};
static_assert(sizeof(Exception) == 16);

struct HostFunc {
  // Returns 0, or non-zero after leaving a trap or error pending in the store.
  std::uint32_t (*function)(HostFunc* self, ValRaw* values);
  const void* const* builtins; // compiled code reads this at offset 8, as it does in a VmContext
  void* environment;           // the host's own
  void* owner;                 // the VmContext of the importing instance, or null
};

struct VmContext {
#define VMCTX_FIELD(name, type) type name;
#include "abi/vm_layout.def"
#undef VMCTX_FIELD
};
static_assert(offsetof(VmContext, builtins) == offsetof(HostFunc, builtins));

// Sizes of the index spaces that shape a VM context.
struct ModuleShape {
  std::uint32_t imported_funcs = 0;
  std::uint32_t imported_memories = 0, defined_memories = 0;
  std::uint32_t imported_tables = 0, defined_tables = 0;
  std::uint32_t imported_globals = 0, defined_globals = 0;
  std::uint32_t imported_tags = 0, defined_tags = 0;
};

// Where the variable part of a VM context lies, in bytes from its start. Order: function imports, memory entries, table entries,
// imported globals (pointers), imported tags (pointers), memory records, table records, tag records, defined globals (16 bytes each,
// 16-aligned).
class VmLayout {
public:
  constexpr explicit VmLayout(const ModuleShape& s) : shape_(s) {
    std::uint32_t at = sizeof(VmContext);
    func_imports_ = at, at += s.imported_funcs * sizeof(FuncImport);
    memory_entries_ = at, at += (s.imported_memories + s.defined_memories) * sizeof(MemoryEntry);
    table_entries_ = at, at += (s.imported_tables + s.defined_tables) * sizeof(TableEntry);
    imported_globals_ = at, at += s.imported_globals * 8;
    imported_tags_ = at, at += s.imported_tags * 8;
    memory_records_ = at, at += s.defined_memories * sizeof(MemoryRecord);
    table_records_ = at, at += s.defined_tables * sizeof(TableRecord);
    tag_records_ = at, at += s.defined_tags * sizeof(TagRecord);
    defined_globals_ = at = (at + 15) & ~15u, at += s.defined_globals * 16;
    size_ = at;
  }
  constexpr std::uint32_t func_import(std::uint32_t i) const { return func_imports_ + i * sizeof(FuncImport); }
  constexpr std::uint32_t memory_entry(std::uint32_t memory) const {
    return memory_entries_ + memory * sizeof(MemoryEntry);
  }
  constexpr std::uint32_t table_entry(std::uint32_t table) const { return table_entries_ + table * sizeof(TableEntry); }
  // A pointer to the global's 16-byte storage.
  constexpr std::uint32_t imported_global(std::uint32_t global) const { return imported_globals_ + global * 8; }
  // A pointer to the tag's record.
  constexpr std::uint32_t imported_tag(std::uint32_t tag) const { return imported_tags_ + tag * 8; }
  constexpr std::uint32_t memory_record(std::uint32_t defined) const {
    return memory_records_ + defined * sizeof(MemoryRecord);
  }
  constexpr std::uint32_t table_record(std::uint32_t defined) const {
    return table_records_ + defined * sizeof(TableRecord);
  }
  constexpr std::uint32_t tag_record(std::uint32_t defined) const { return tag_records_ + defined * sizeof(TagRecord); }
  constexpr std::uint32_t defined_global(std::uint32_t defined) const { return defined_globals_ + defined * 16; }
  constexpr std::uint32_t size() const { return size_; }
  constexpr const ModuleShape& shape() const { return shape_; }

private:
  ModuleShape shape_;
  std::uint32_t func_imports_ = 0, memory_entries_ = 0, table_entries_ = 0, imported_globals_ = 0, imported_tags_ = 0,
                memory_records_ = 0, table_records_ = 0, tag_records_ = 0, defined_globals_ = 0, size_ = 0;
};

// How a function's results travel: in registers when there is one, or at most three integers/references and at most two floats or
// vectors; otherwise through VmContext::results. `kinds`: 'i' for i32, i64 and references, 'f' for f32, f64 and v128.
constexpr bool returns_in_registers(std::string_view kinds) {
  unsigned integers = 0, floats = 0;
  for (char kind : kinds) (kind == 'i' ? integers : floats)++;
  return kinds.size() <= 1 || (integers <= 3 && floats <= 2);
}

// A hash over every table and layout above: artifacts made under another one are refused.
std::uint64_t abi_hash();

} // namespace cusp::abi
