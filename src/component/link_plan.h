// The link plan: what is left of a component after compile time has resolved nesting, aliases, arguments and types. Component
// instantiation is flattened: nested components are inlined once per instantiation, instances that only bundle items have vanished, and the
// run time runs `steps` front to back. Stored in the artifact; executed by canon/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/archive.h"
#include "base/index.h"
#include "component/types.h"

namespace cusp::component {

using CoreInstanceIndex = base::Index<struct CoreInstanceTag>;           // LinkPlan::core_instances
using ComponentInstanceIndex = base::Index<struct ComponentInstanceTag>; // one handle table each; 0 is the root
using HostImportIndex = base::Index<struct HostImportTag>;
using LiftIndex = base::Index<struct LiftTag>;
using TrampolineIndex = base::Index<struct TrampolineTag>;

// An item of a core instance: `index` is in the module's own index space of the kind that the context asks for.
struct CoreItem {
  CoreInstanceIndex instance;
  std::uint32_t index = 0;
  template <class A> void fields(A& a) { a(instance, index); }
};

// A core function: an instance's, or one that the canonical ABI defines.
using CoreFunc = std::variant<CoreItem, TrampolineIndex>;

// What the canonical ABI can do besides lift, lower and resources (canon_builtins.def).
enum class BuiltinKind : std::uint8_t {
#define BUILTIN(opcode, Name, text, immediates, params, results) Name,
#include "component/canon_builtins.def"
};
std::string_view builtin_name(BuiltinKind kind); // "stream.cancel-read"
// The letters of its row.
std::string_view builtin_immediates(BuiltinKind kind);
std::string_view builtin_params(BuiltinKind kind);
std::string_view builtin_results(BuiltinKind kind);

enum class StringEncoding : std::uint8_t { Utf8, Utf16, Latin1Utf16 };

struct CanonicalOptions {
  StringEncoding string_encoding = StringEncoding::Utf8;
  std::optional<CoreItem> memory;
  AddressType addresses = AddressType::I32; // of the memory, of what realloc takes and gives
  std::optional<CoreFunc> realloc;
  std::optional<CoreFunc> post_return;
  bool is_async = false;
  std::optional<CoreFunc> callback; // of an async lift; without it the lift is stackful
  template <class A> void fields(A& a) {
    a(string_encoding, memory, addresses, realloc, post_return, is_async, callback);
  }
};

// A component function: the host's, or a lifted core function of this plan.
using Func = std::variant<HostImportIndex, LiftIndex>;

// Spec: canon lift.
struct Lift {
  ComponentInstanceIndex instance; // whose function it is
  CoreFunc core;
  std::uint32_t type = 0; // TypeTable::funcs, resources named as `instance` sees them
  CanonicalOptions options;
  template <class A> void fields(A& a) { a(instance, core, type, options); }
};

// Spec: canon lower. The caller is `instance`.
struct Lower {
  Func callee;
  std::uint32_t type = 0; // TypeTable::funcs
  CanonicalOptions options;
  template <class A> void fields(A& a) { a(callee, type, options); }
};
struct ResourceNew {
  ResourceIndex resource;
  template <class A> void fields(A& a) { a(resource); }
};
struct ResourceRep {
  ResourceIndex resource;
  template <class A> void fields(A& a) { a(resource); }
};
struct ResourceDrop {
  ResourceIndex resource;
  template <class A> void fields(A& a) { a(resource); }
};
// A built-in with its immediates; those that its row in canon_builtins.def does not name keep their defaults.
struct Builtin {
  BuiltinKind kind{};
  std::optional<ValType> type;          // S, F: the stream or future type. R: the result, if any
  CanonicalOptions options;             // O; M: the memory alone
  bool is_async = false;                // a: does not block (stream.read and its like: options.is_async)
  bool is_cancellable = false;          // c
  bool is_shared = false;               // s
  AddressType value = AddressType::I32; // V: the type of the slot. Y: of the start function's parameter
  std::uint32_t slot = 0;               // N
  std::optional<CoreItem> table;        // T
  AddressType table_addresses = AddressType::I32;
  template <class A> void fields(A& a) {
    a(kind, type, options, is_async, is_cancellable, is_shared, value, slot, table, table_addresses);
  }
};

// What a compiled adapter leaves to canon/: what does not go the ordinary way. `instance` of the trampoline: whose handles.
struct Assist {
  enum class Kind : std::uint8_t {
    Fault,  // (fault, place, number: i32): traps; see AdapterFault
    Own,    // (rep: i64) -> handle: i32
    Borrow, // the same
    Take,   // (handle: i32) -> rep: i64; as an own handle is lifted
    Lend,   // the same, as a borrow is
    String, // (pointer, code units: i32) -> the same in the other component
  };
  Kind kind{};
  ResourceIndex resource{};     // Own, Borrow, Take, Lend
  std::uint32_t trampoline = 0; // String: the lowered function that is called
  bool is_result = false;       // String: of the callee for the caller
  template <class A> void fields(A& a) { a(kind, resource, trampoline, is_result); }
};
enum class AdapterFault : std::uint8_t {
  Unaligned,     // number: the alignment
  OutOfBounds,   // a pointer and length
  TooLong,       // number: the bytes
  ReallocResult, // unaligned
  ReallocBounds, // the result is
  Discriminant,
  Char,
  Utf8, // number: base::Utf8
  BorrowsRemain,
};
enum class AdapterPlace : std::uint8_t { Parameters, Result, ResultArea, List, String };

// A core function that the canonical ABI makes. It becomes an abi::HostFunc in the slot. Where an adapter was compiled for it,
// core instances import that instead, and the host's function only serves what takes the function otherwise.
struct Trampoline {
  ComponentInstanceIndex instance;
  std::variant<Lower, ResourceNew, ResourceRep, ResourceDrop, Builtin, Assist> kind;
  std::optional<CoreItem> adapter{};
  template <class A> void fields(A& a) { a(instance, kind, adapter); }
};

// A concrete resource type: one per instantiation of the component that defines it.
struct Resource {
  std::string name;      // for messages and host look-up
  std::string interface; // imported: "wasi:io/streams@0.2.12"; empty otherwise
  bool imported = false;
  ComponentInstanceIndex instance; // the definer
  AddressType rep = AddressType::I32;
  std::optional<CoreFunc> destructor;
  template <class A> void fields(A& a) { a(name, interface, imported, instance, rep, destructor); }
};

// A function that the host must give.
struct HostImport {
  std::string interface; // as the component writes it, with its version; empty: an import of the root world
  std::string name;      // "[method]input-stream.read"
  std::uint32_t type = 0;
  template <class A> void fields(A& a) { a(interface, name, type); }
};

// One import of a core instance, in the order of the module's import section.
using CoreArgument = std::variant<CoreItem, TrampolineIndex>;

struct InstantiateCore {
  CoreInstanceIndex instance;
  std::uint32_t module = 0; // ArtifactMeta::modules
  std::vector<CoreArgument> arguments;
  template <class A> void fields(A& a) { a(instance, module, arguments); }
};

using Step = std::variant<InstantiateCore>;

struct ExportedFunc {
  LiftIndex lift;
  template <class A> void fields(A& a) { a(lift); }
};
// An import that is exported again.
struct ExportedHostFunc {
  HostImportIndex import;
  template <class A> void fields(A& a) { a(import); }
};
struct ExportedType {
  std::optional<ValType> type;
  std::optional<ResourceIndex> resource;
  template <class A> void fields(A& a) { a(type, resource); }
};
struct Export {
  std::string
      interface; // "wasi:http/incoming-handler@0.2.0"; empty: an export of the root world. Nested instances: "outer/inner"
  std::string name; // "handle"
  std::variant<ExportedFunc, ExportedHostFunc, ExportedType> item;
  template <class A> void fields(A& a) { a(interface, name, item); }
};

struct LinkPlan {
  TypeTable types;
  std::uint32_t component_instances = 1;
  // The enclosing instance of every component instance (the root's: itself). Entering one enters those around it too, so that canon/
  // can tell a re-entrance from a child that calls its parent. Empty: all are children of the root.
  std::vector<std::uint32_t> component_parents;
  std::vector<std::uint32_t> core_instances; // module of every core instance
  std::vector<Resource> resources;
  std::vector<HostImport> host_imports;
  std::vector<Lift> lifts;
  std::vector<Trampoline> trampolines;
  std::vector<Step> steps;
  std::vector<Export> exports;
  template <class A> void fields(A& a) {
    a(types, component_instances, component_parents, core_instances, resources, host_imports, lifts, trampolines, steps,
      exports);
  }
};

} // namespace cusp::component
