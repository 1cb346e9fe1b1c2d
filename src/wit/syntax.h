// A WIT text as it is written, nothing resolved: what parser.h produces and resolver.h consumes. Views point into Sources. Private to wit/.
// Spec: WIT.md, the grammar from "Top-level items" on.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wit/graph.h"
#include "wit/source.h"

namespace cusp::wit::syntax {

struct Id {
  std::string_view name;
  Span span;
};

// "types", or "wasi:http/types@0.2.0".
struct Path {
  std::optional<PackageName> package;
  Id name;
  Span span; // all of it
};

struct Attributes {
  std::string docs;
  Gate gate;
  std::string external_id;
  Span gate_span;
};

enum class TypeForm : std::uint8_t {
  Primitive,
  Name,
  Tuple,
  List,
  FixedList,
  Map,
  Option,
  Result,
  Borrow,
  Own,
  Stream,
  Future
};
// `arguments`: nullptr where the text has `_` or nothing.
struct Type {
  TypeForm form{};
  Primitive primitive{};
  Id name; // Name, Borrow, Own
  std::vector<std::unique_ptr<Type>> arguments;
  std::uint32_t length = 0; // FixedList
  Span span;
};

struct Param {
  Id name;
  Type type;
};
struct Func {
  Attributes attributes;
  Id name;
  bool is_async = false;
  bool is_static = false, is_constructor = false;
  std::vector<Param> params;
  std::optional<Type> result;
};

// A field, case, flag or enum label.
struct Member {
  std::string docs;
  Id name;
  std::optional<Type> type;
};
enum class DefForm : std::uint8_t { Alias, Record, Variant, Enum, Flags, Resource };
struct TypeDef {
  Attributes attributes;
  DefForm form{};
  Id name;
  std::optional<Type> alias;
  std::vector<Member> members;
  std::vector<Func> functions; // of a resource
};

struct Use {
  Attributes attributes;
  Path from;
  struct Item {
    Id name;
    std::optional<Id> as;
  };
  std::vector<Item> items;
};

// One item of an interface, in order.
struct InterfaceItem {
  enum class Kind : std::uint8_t { Use, Type, Func } kind{};
  Use use;
  TypeDef type;
  Func func;
};
struct Interface {
  Attributes attributes;
  Id name;
  std::vector<InterfaceItem> items;
};

struct Extern {
  enum class Kind : std::uint8_t { Path, Func, Interface, NamedPath } kind{};
  Attributes attributes;
  bool is_export = false;
  Id name; // but for Path
  Path path;
  Func func;
  Interface interface;
};
struct Include {
  Attributes attributes;
  Path from;
  struct Rename {
    Id from, to;
  };
  std::vector<Rename> renames;
};
struct WorldItem {
  enum class Kind : std::uint8_t { Extern, Use, Type, Include } kind{};
  Extern external;
  Use use;
  TypeDef type;
  Include include;
};
struct World {
  Attributes attributes;
  Id name;
  std::vector<WorldItem> items;
};

struct TopUse {
  Path from;
  std::optional<Id> as;
};

// The items of a file, or of a nested package's braces: one scope of top-level names.
struct Items {
  std::vector<TopUse> uses;
  std::vector<Interface> interfaces;
  std::vector<World> worlds;
};
struct Package {
  std::string docs;
  PackageName name;
  Span span; // of the name
  Span body; // of a nested package: its braces and what is between
  Items items;
};
struct File {
  std::uint32_t file = 0;
  std::optional<Package> package; // its header alone; its items are `items`
  Items items;
  std::vector<Package> nested;
};

} // namespace cusp::wit::syntax
