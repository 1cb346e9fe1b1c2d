// A component as its bytes say it, section by section, nothing resolved yet: what decoder.h produces and flattener.h consumes. Private to
// component/. Spec: Binary.md. Offsets are into the input.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "component/component.h"
#include "component/link_plan.h"
#include "component/types.h"

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
  std::optional<std::uint32_t> destructor; // core function index
};

enum class ExternKind : std::uint8_t { CoreModule, Func, Value, TypeEq, TypeSub, Component, Instance };
struct ExternDesc {
  ExternKind kind{};
  std::uint32_t index = 0;
};

struct Scope; // the declarations of a component or instance type
struct TypeDecl {
  std::variant<ValRef, DefType, FuncTypeRef, ResourceType, std::shared_ptr<Scope>> type;
  bool is_instance_type = false; // of a Scope
};
struct CoreTypeDecl {
  bool is_module = false;
};

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
    std::string_view name;
    SortIndex what;
  };
  std::vector<Item> items;
};

struct Options {
  StringEncoding encoding = StringEncoding::Utf8;
  std::optional<std::uint32_t> memory, realloc, post_return, callback;
  bool is_async = false;
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
  AddressType value = AddressType::I32;                             // V
  std::uint32_t slot = 0, table = 0;                                // N, T
};

struct Import {
  std::string_view name;
  ExternDesc desc;
};
struct Export {
  std::string_view name;
  SortIndex what;
  std::optional<ExternDesc> desc; // in a Scope, `desc` alone counts
};
struct Start {};

struct Component;
struct Definition {
  std::uint64_t offset = 0;
  std::variant<std::uint32_t /*core module: LinkedComponent::modules*/, CoreInstance, CoreTypeDecl,
               std::shared_ptr<Component>, Instance, Alias, TypeDecl, Canon, Start, Import, Export>
      what;
};

struct Scope {
  std::vector<Definition> definitions; // core types, types, aliases, imports, exports
};
struct Component {
  std::vector<Definition> definitions;
};

} // namespace cusp::component::ast
