// Types from bytes, for the sections and for the immediates in bodies. Errors are left in the cursor; what is returned
// is then of no use, but harmless. Private to wasm/. Spec: 5.3.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "wasm/cursor.h"
#include "wasm/immediates.h"
#include "wasm/module.h"

namespace cusp::wasm {

class TypeReader {
public:
  // `used` collects the features that what is read needs.
  TypeReader(Cursor& cursor, const Module& module, Features& used) : cursor_(cursor), module_(module), used_(used) {}
  // Inside a recursion group that ends before `group_end`: its types may be named, and keep their own index.
  TypeReader(Cursor& cursor, const Module& module, Features& used, std::uint32_t group_end)
      : cursor_(cursor), module_(module), used_(used), group_end_(group_end) {}

  ValType val_type();
  ValType ref_type();
  HeapType heap_type();
  BlockType block_type();
  TypeIndex type_index();      // canonical
  TypeIndex func_type_index(); // Error: Invalid when the type is not a function type
  bool need(Feature feature);  // false: it is off, and the error is set

private:
  TypeIndex checked(std::uint64_t index, std::uint64_t offset);

  Cursor& cursor_;
  const Module& module_;
  Features& used_;
  std::uint32_t group_end_ = 0; // 0: not inside a group
};

// Reads the type section: recursion groups, canonical indices, declared supertypes. Equivalent recursion groups get the
// same canonical indices: a group's shape is written as a key in which its own types appear by their position in it and
// all others by their index, canonical already. Spec: 3.1.2, 3.2.8, 5.5.4.
class TypeSectionReader {
public:
  TypeSectionReader(Cursor& cursor, Module& module) : cursor_(cursor), module_(module) {}
  void read();

private:
  void read_group(std::uint32_t size);
  SubType read_sub_type(TypeReader& types);
  void read_composite(TypeReader& types, SubType& type);
  FieldType read_field(TypeReader& types);
  bool canonicalise(std::uint32_t start, std::uint32_t size); // true: the first such group
  bool check_supertype(std::uint32_t index);
  bool composite_matches(const SubType& sub, const SubType& super) const;
  bool field_matches(const FieldType& sub, const FieldType& super) const;

  Cursor& cursor_;
  Module& module_;
  std::vector<std::uint64_t> offsets_;                    // of every type of the group at hand
  std::unordered_map<std::string, std::uint32_t> groups_; // by shape: first type of the first such group
};

} // namespace cusp::wasm
