// A component as its bytes say it, section by section, nothing resolved yet: what decoder.h produces and flattener.h consumes. For this room
// and compose/. Spec: Binary.md. Offsets are into the input.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "component/component.h"
#include "component/link_plan.h"
#include "component/types.h"
#include "wasm/module.h"

namespace cusp::component::ast {

enum class CoreSort : std::uint8_t {
  Func = 0,
  Table = 1,
  Memory = 2,
  Global = 3,
  Tag = 4,
  Type = 0x10,
  Module = 0x11,
  Instance = 0x12
};
enum class Sort : std::uint8_t { Core = 0, Func = 1, Value = 2, Type = 3, Component = 4, Instance = 5 };

struct SortIndex {
  Sort sort{};
  CoreSort core{};
  std::uint32_t index = 0;
  bool operator==(const SortIndex&) const = default;
};

// A primitive type, or a type by index.
struct ValRef {
  std::optional<TypeKind> primitive;
  std::uint32_t index = 0;
};
struct LabelRef {
  std::string_view name;
  std::optional<ValRef> type;
};
struct DefType {
  TypeKind kind{};
  std::vector<LabelRef> labels;
  std::optional<ValRef> element, error;
  std::uint32_t length = 0;
  std::uint32_t resource = 0; // own, borrow: a type index
};
struct FuncTypeRef {
  std::vector<LabelRef> params;
  std::optional<ValRef> result;
  bool is_async = false;
};
struct ResourceType {
  AddressType rep = AddressType::I32;
  std::optional<std::uint32_t> destructor; // core function index
};

enum class ExternKind : std::uint8_t { CoreModule, Func, Value, TypeEq, TypeSub, Component, Instance };
struct ExternDesc {
  ExternKind kind{};
  std::uint32_t index = 0;
  ValRef value; // Value
};
// The name of an import or export, with its attributes.
struct Name {
  std::string_view text;
  std::optional<std::string_view> implements, version_suffix, external_id;
};
// The exports of an instance, as far as its type tells of them; null: not an instance. The validator writes it where a type may hide some.
struct Shape {
  std::vector<std::pair<std::string, std::shared_ptr<const Shape>>> exports;
};

struct Scope; // the declarations of a component or instance type
struct TypeDecl {
  std::variant<ValRef, DefType, FuncTypeRef, ResourceType, std::shared_ptr<Scope>> type;
  bool is_instance_type = false; // of a Scope
};
// A recursion group. Type indices are as written: into the core types of the scope.
struct CoreRecGroup {
  std::vector<wasm::SubType> types;
};
struct CoreExternType {
  wasm::ExternKind kind{};
  std::uint32_t type = 0; // Func, Tag
  wasm::TableType table;
  wasm::MemoryType memory;
  wasm::GlobalType global;
};
struct CoreOuterAlias {
  std::uint32_t count = 0, index = 0;
};
struct CoreImport {
  std::string_view module, name;
  CoreExternType type;
};
struct CoreExport {
  std::string_view name;
  CoreExternType type;
};
struct CoreModuleType {
  std::vector<std::variant<CoreRecGroup, CoreOuterAlias, CoreImport, CoreExport>> declarations;
};
using CoreTypeDecl = std::variant<CoreRecGroup, CoreModuleType>;

struct Alias {
  enum class Kind : std::uint8_t { Export, CoreExport, Outer } kind{};
  Sort sort{};
  CoreSort core{};
  std::uint32_t index = 0; // the instance, or the outer item
  std::uint32_t count = 0; // Outer: how many scopes up
  std::string_view name;
};

struct CoreInstance {
  bool inline_exports = false;
  std::uint32_t module = 0;
  struct Item {
    std::string_view name;
    CoreSort sort{};
    std::uint32_t index = 0;
  };
  std::vector<Item> items; // arguments (sort Instance) or exports
};
struct Instance {
  bool inline_exports = false;
  std::uint32_t component = 0;
  struct Item {
    Name name;
    SortIndex what;
  };
  std::vector<Item> items;
};

// Options in the order in which they stand: that none is given twice is for the validator.
struct Option {
  enum class Kind : std::uint8_t {
    Utf8,
    Utf16,
    Latin1Utf16,
    Memory,
    Realloc,
    PostReturn,
    Async,
    Callback,
    CoreType,
    Gc
  } kind{};
  std::uint32_t index = 0;
};
struct Options {
  std::vector<Option> list;
  bool has(Option::Kind kind) const { return find(kind) != nullptr; }
  const Option* find(Option::Kind kind) const {
    for (const Option& option : list)
      if (option.kind == kind) return &option;
    return nullptr;
  }
};
struct Canon {
  enum class Kind : std::uint8_t { Lift, Lower, ResourceNew, ResourceDrop, ResourceRep, Builtin } kind{};
  std::uint32_t func = 0; // core function of a lift, function of a lower
  std::uint32_t type = 0; // of a lift; of the resource, stream or future; core function type of a thread
  Options options;
  // Of a built-in, by the letters of canon_builtins.def.
  BuiltinKind builtin{};
  std::optional<ValRef> result;                                     // R
  bool is_async = false, is_cancellable = false, is_shared = false; // a, c, s
  AddressType value = AddressType::I32;                             // V; Y: the validator writes it
  std::uint32_t slot = 0, table = 0;                                // N, T
};

struct Import {
  Name name;
  ExternDesc desc;
  std::shared_ptr<const Shape> shape;
};
struct Export {
  Name name;
  SortIndex what;
  std::optional<ExternDesc> desc; // in a Scope, `desc` alone counts
  std::shared_ptr<const Shape> shape;
};
struct Start {
  std::uint32_t func = 0;
  std::vector<std::uint32_t> arguments; // values
  std::uint32_t results = 0;
};
struct Value {
  ValRef type;
  std::span<const std::uint8_t> bytes;
  std::uint64_t offset = 0; // of the bytes
};

// What the component-name section says; a broken section names nothing. Spec: Binary.md, "Name Section".
struct Names {
  std::string_view component;
  std::vector<std::pair<SortIndex, std::string_view>> items;
  std::string_view find(SortIndex what) const;
};

struct Component;
struct Definition {
  std::uint64_t offset = 0;
  std::variant<std::uint32_t /*core module: LinkedComponent::modules*/, CoreInstance, CoreTypeDecl,
               std::shared_ptr<Component>, Instance, Alias, TypeDecl, Canon, Start, Import, Export, Value>
      what;
};

// How many of each sort there are so far, for saying which one is meant.
class Counts {
public:
  void add(const Definition& definition);
  // "import `a`", "core instance 3", "canonical function 0": the definition that is to be added next.
  std::string describe(const Definition& definition) const;
  // The same of one that could not be read, by the section that it is in.
  std::string describe(std::uint8_t section) const;
  // What it defines: the index that it is about to get. Nothing: start, values.
  std::optional<SortIndex> defines(const Definition& definition) const;

private:
  void add(Sort sort, CoreSort core, std::uint32_t count = 1);
  std::uint32_t of(Sort sort, CoreSort core) const {
    return sort == Sort::Core ? core_[static_cast<std::size_t>(core)] : sorts_[static_cast<std::size_t>(sort)];
  }
  std::array<std::uint32_t, 6> sorts_{};
  std::array<std::uint32_t, 0x13> core_{};
  std::uint32_t aliases_ = 0, canons_ = 0, imports_ = 0, exports_ = 0;
};

struct Scope {
  std::vector<Definition> definitions; // core types, types, aliases, imports, exports
};
struct Component {
  std::uint64_t offset = 0; // of its preamble
  std::vector<Definition> definitions;
  Names names;
};

std::string_view sort_name(SortIndex what); // "core memory"
SortIndex sort_of(const ExternDesc& desc);  // index: 0

} // namespace cusp::component::ast
