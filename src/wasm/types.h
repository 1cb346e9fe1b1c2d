// The types of core WebAssembly. A ValType is 32 bits: number types, v128, and references as (nullable, heap type),
// where a heap type is an abstract kind or a type of the module. Equal types have equal bits inside one module, because
// the reader replaces every type index by its canonical one (the first of all equivalent types), so that comparing
// types is comparing integers. Subtyping needs the module's types: Module::is_subtype. Spec: 2.3, 3.2, 5.3.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/index.h"

namespace cusp::wasm {

using TypeIndex = base::Index<struct TypeTag>;
using FuncIndex = base::Index<struct FuncTag>;               // imports first
using DefinedFuncIndex = base::Index<struct DefinedFuncTag>; // position in the code section
using TableIndex = base::Index<struct TableTag>;
using MemoryIndex = base::Index<struct MemoryTag>;
using GlobalIndex = base::Index<struct GlobalTag>;
using TagIndex = base::Index<struct TagTag>;
using ElemIndex = base::Index<struct ElemTag>;
using DataIndex = base::Index<struct DataTag>;
using LocalIndex = base::Index<struct LocalTag>;

enum class AbstractHeapType : std::uint8_t {
  Func,
  Extern,
  Any,
  Eq,
  I31,
  Struct,
  Array,
  Exn,
  None,
  NoFunc,
  NoExtern,
  NoExn,
  Bottom, // of code that cannot be reached; never in a module
};

// An abstract kind, or a type of the module.
class HeapType {
public:
  constexpr HeapType(AbstractHeapType kind) : bits_(static_cast<std::uint32_t>(kind) << 1) {}
  constexpr explicit HeapType(TypeIndex index) : bits_(index.value << 1 | 1) {}
  static constexpr HeapType from_bits(std::uint32_t bits) { return HeapType(bits, 0); }
  constexpr bool is_concrete() const { return (bits_ & 1) != 0; }
  constexpr AbstractHeapType abstract() const {
    return static_cast<AbstractHeapType>(bits_ >> 1);
  } // REQUIRES: !is_concrete()
  constexpr TypeIndex index() const { return TypeIndex(bits_ >> 1); } // REQUIRES: is_concrete()
  constexpr std::uint32_t bits() const { return bits_; }
  constexpr bool operator==(const HeapType&) const = default;

private:
  constexpr HeapType(std::uint32_t bits, int) : bits_(bits) {}
  std::uint32_t bits_;
};

class ValType {
public:
  enum class Kind : std::uint8_t { None, I32, I64, F32, F64, V128, Ref, Bottom };

  constexpr ValType() = default; // None: no type at all
  static constexpr ValType i32() { return ValType(Kind::I32); }
  static constexpr ValType i64() { return ValType(Kind::I64); }
  static constexpr ValType f32() { return ValType(Kind::F32); }
  static constexpr ValType f64() { return ValType(Kind::F64); }
  static constexpr ValType v128() { return ValType(Kind::V128); }
  static constexpr ValType bottom() {
    return ValType(Kind::Bottom);
  } // any type: operands that unreachable code conjures up
  static constexpr ValType ref(bool nullable, HeapType heap) {
    return from_raw(static_cast<std::uint32_t>(Kind::Ref) | (nullable ? kNullable : 0) | heap.bits() << kHeapShift);
  }
  static constexpr ValType funcref() { return ref(true, AbstractHeapType::Func); }
  static constexpr ValType externref() { return ref(true, AbstractHeapType::Extern); }
  static constexpr ValType anyref() { return ref(true, AbstractHeapType::Any); }
  static constexpr ValType exnref() { return ref(true, AbstractHeapType::Exn); }

  // For metadata that leaves this room. from_raw(t.raw()) == t.
  constexpr std::uint32_t raw() const { return raw_; }
  static constexpr ValType from_raw(std::uint32_t raw) {
    ValType type;
    type.raw_ = raw;
    return type;
  }

  constexpr Kind kind() const { return static_cast<Kind>(raw_ & kKindMask); }
  constexpr bool is_none() const { return raw_ == 0; }
  constexpr bool is_bottom() const { return kind() == Kind::Bottom; }
  constexpr bool is_ref() const { return kind() == Kind::Ref; }
  constexpr bool is_number() const { return kind() >= Kind::I32 && kind() <= Kind::F64; }
  constexpr bool is_vector() const { return kind() == Kind::V128; }
  constexpr bool is_nullable() const { return (raw_ & kNullable) != 0; }              // REQUIRES: is_ref()
  constexpr HeapType heap() const { return HeapType::from_bits(raw_ >> kHeapShift); } // REQUIRES: is_ref()
  constexpr ValType with_nullable(bool nullable) const {
    return from_raw(nullable ? raw_ | kNullable : raw_ & ~kNullable);
  }
  // Locals and table elements of such a type need no initial value.
  constexpr bool is_defaultable() const { return !is_ref() || is_nullable(); }
  constexpr bool operator==(const ValType&) const = default;

  std::string to_string() const; // "i32", "funcref", "(ref null 3)"

private:
  static constexpr std::uint32_t kKindMask = 7, kNullable = 8, kHeapShift = 4;
  constexpr explicit ValType(Kind kind) : raw_(static_cast<std::uint32_t>(kind)) {}
  std::uint32_t raw_ = 0;
};
static_assert(sizeof(ValType) == 4);

struct FuncType {
  std::vector<ValType> params, results;
  bool operator==(const FuncType&) const = default;
  std::string to_string() const; // "(i32 i64) -> (f32)"
};

enum class Packed : std::uint8_t { No, I8, I16 };

struct FieldType {
  ValType type; // i32 where packed
  Packed packed = Packed::No;
  bool is_mutable = false;
  bool operator==(const FieldType&) const = default;
};

struct StructType {
  std::vector<FieldType> fields;
};

struct ArrayType {
  FieldType element;
};

// One entry of the type index space. A type without explicit rec or sub is final, without supertype, and a group of its
// own.
struct SubType {
  std::variant<FuncType, StructType, ArrayType> composite;
  std::optional<TypeIndex> supertype; // canonical
  bool is_final = true;
  std::uint8_t depth = 0; // number of supertypes
  TypeIndex canonical;    // the first type of the module that is equivalent
  TypeIndex rec_group;    // first type of its own recursion group
};

struct Limits {
  std::uint64_t min = 0;
  std::optional<std::uint64_t> max;
  bool operator==(const Limits&) const = default;
};

struct MemoryType {
  Limits limits; // in pages
  bool memory64 = false;
  bool shared = false;
  std::uint8_t page_size_log2 = 16;
  constexpr ValType address_type() const { return memory64 ? ValType::i64() : ValType::i32(); }
};

struct TableType {
  ValType element;
  Limits limits;
  bool table64 = false;
  constexpr ValType address_type() const { return table64 ? ValType::i64() : ValType::i32(); }
};

struct GlobalType {
  ValType type;
  bool is_mutable = false;
  bool operator==(const GlobalType&) const = default;
};

struct TagType {
  TypeIndex type; // a function type without results
};

} // namespace cusp::wasm
