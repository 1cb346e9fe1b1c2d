// Component-level types after resolution: every alias followed, every resource concrete. One TypeTable per component artifact;
// types refer to each other by index into it. Layouts (size, alignment, flattening) are computed once, when the table is made.
// Spec: CanonicalABI.md ("Despecialization", "Alignment", "Element Size", "Flattening").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/archive.h"
#include "base/index.h"

namespace cusp::component {

enum class TypeKind : std::uint8_t {
  Bool,
  S8,
  U8,
  S16,
  U16,
  S32,
  U32,
  S64,
  U64,
  F32,
  F64,
  Char,
  String, // primitive: ValType::index unused
  List,
  FixedList,
  Record,
  Tuple,
  Variant,
  Enum,
  Option,
  Result,
  Flags,
  Map, // index: TypeTable::defs
  Own,
  Borrow, // index: ResourceIndex
  Stream,
  Future,
  ErrorContext, // index: TypeTable::defs (none for ErrorContext)
};

// A type of this kind has a layout of its own in TypeTable::defs. Streams and futures are handles, whatever they carry.
bool has_layout(TypeKind kind);

using ResourceIndex = base::Index<struct ResourceIndexTag>; // LinkPlan::resources

struct ValType {
  TypeKind kind = TypeKind::Bool;
  std::uint32_t index = 0;
  bool operator==(const ValType&) const = default;
  template <class A> void fields(A& a) { a(kind, index); }
};

enum class FlatType : std::uint8_t { I32, I64, F32, F64 };

inline constexpr std::uint32_t kMaxFlatParams = 16;
inline constexpr std::uint32_t kMaxFlatAsyncParams = 4; // of an async-lowered function
inline constexpr std::uint32_t kMaxFlatResults = 1;

// A record field, variant case (type absent: no payload), enum or flags label.
struct Label {
  std::string name;
  std::optional<ValType> type;
  bool operator==(const Label&) const = default;
  template <class A> void fields(A& a) { a(name, type); }
};

// How a type travels: in a memory, and as core values.
struct Layout {
  std::uint32_t size = 0, alignment = 1;
  std::vector<std::uint32_t> offsets; // Record, Tuple: of every field. Variant, Option, Result: one, of the payload
  std::vector<FlatType> flat;         // empty when longer than kMaxFlatParams: see flat_count
  std::uint32_t flat_count = 0;
  bool operator==(const Layout&) const = default;
  template <class A> void fields(A& a) { a(size, alignment, offsets, flat, flat_count); }
};

enum class AddressType : std::uint8_t { I32, I64 }; // of a memory

// The layout that it is itself holds under a 32-bit memory.
struct TypeDef : Layout {
  TypeKind kind{};
  std::vector<Label> labels;          // Record, Variant, Enum, Flags; Tuple: labels without names
  std::optional<ValType> element;     // List, FixedList, Option, Stream, Future; Result: ok; Map: key
  std::optional<ValType> error;       // Result: error; Map: value
  std::uint32_t length = 0;           // FixedList
  std::uint8_t discriminant_size = 0; // Variant, Enum, Option, Result: 1, 2 or 4
  bool has_pointers = false;          // contains a string, list or handle anywhere
  Layout wide;                        // under a 64-bit memory
  const Layout& layout(AddressType addresses) const {
    return addresses == AddressType::I32 ? static_cast<const Layout&>(*this) : wide;
  }
  template <class A> void fields(A& a) {
    Layout::fields(a);
    a(kind, labels, element, error, length, discriminant_size, has_pointers, wide);
  }
};

struct Param {
  std::string name;
  ValType type;
  bool operator==(const Param&) const = default;
  template <class A> void fields(A& a) { a(name, type); }
};

struct FuncType {
  std::vector<Param> params;
  std::optional<ValType> result;
  bool is_async = false;
  bool operator==(const FuncType&) const = default;
  template <class A> void fields(A& a) { a(params, result, is_async); }
};

// No two entries are alike, so that types are equal when their ValTypes are.
struct TypeTable {
  std::vector<TypeDef> defs;
  std::vector<FuncType> funcs;
  template <class A> void fields(A& a) { a(defs, funcs); }

  std::uint32_t size(ValType type, AddressType addresses = AddressType::I32) const;
  std::uint32_t alignment(ValType type, AddressType addresses = AddressType::I32) const;
  std::uint32_t flat_count(ValType type) const; // the same for all memories
  void append_flat(ValType type, std::vector<FlatType>& out, AddressType addresses = AddressType::I32) const;
};

} // namespace cusp::component
