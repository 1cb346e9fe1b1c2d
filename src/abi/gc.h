// References and objects of garbage-collected types, and the ids of types, as compiled code and the runtime see them.
//
// References
//  any hierarchy     32 bits. 0: null. Lowest bit set: an i31, its value in the upper 31 bits. Otherwise the offset of an
//                    object from VmContext::gc_heap, a multiple of kGcAlign. In a ValRaw, table element or global: zero-extended.
//  extern hierarchy  64 bits. 0: null. Below 2^63: the host's own. Highest bit set: what extern.convert_any made of the
//                    any reference in the low 32 bits.
//  func hierarchy    FuncRef*, or null
// Objects begin with a GcHeader and never move. Their memory is zero when a built-in returns it.
// Type ids are process-wide: id = serial << 2 | TypeKind; equal ids, equal types. VmContext::types leads to one TypeRecord
// for each serial.
#pragma once

#include <bit>
#include <cstdint>

namespace cusp::abi {

inline constexpr std::uint32_t kGcAlign = 16;
inline constexpr std::uint64_t kExternIsAny = std::uint64_t{1} << 63;
inline constexpr std::uint32_t kMaxSubtypeDepth = 63;
inline constexpr std::uint32_t kInlineSupers = 8;

enum class TypeKind : std::uint32_t { Func, Struct, Array, Extern };
inline constexpr std::uint32_t kTypeKindMask = 3;
// In the header of the box in which any.convert_extern keeps a reference of the host's. It is no type's id: serials start at 1.
inline constexpr std::uint32_t kExternBoxId = static_cast<std::uint32_t>(TypeKind::Extern);

// Rows never move and never change once code has their id.
struct TypeRecord {
  // The id of the supertype at each depth, the type itself at its own; 0 beyond.
  std::uint32_t supers[kInlineSupers];
  const std::uint32_t* all_supers; // kMaxSubtypeDepth + 1 of them; all 0 for a type less deep than kInlineSupers
  const void* shape;               // the runtime's own: where references are in an object
  std::uint64_t reserved[2];
};
static_assert(sizeof(TypeRecord) == 64);

struct GcHeader {
  std::uint32_t type_id;
  std::uint32_t length; // arrays: elements. A structure's first field may lie here.
};
struct GcExternBox {
  GcHeader header;
  std::uint64_t value;
};

// Small objects are cells of one of these sizes: four to each doubling, then whole parts of what a block of the heap holds.
inline constexpr std::uint32_t kGcClasses = 34;
inline constexpr std::uint32_t kGcCellBytes[kGcClasses] = {
    16,  32,  48,   64,   80,   96,   112,  128,  160,  192,  224,  256,  320,  384,  448,  512,   640,
    768, 896, 1024, 1280, 1536, 1792, 2048, 2464, 2928, 3568, 4016, 4592, 5360, 6432, 8048, 10736, 16112};
inline constexpr std::uint32_t kGcMaxSmall = kGcCellBytes[kGcClasses - 1];
// REQUIRES: bytes <= kGcMaxSmall
constexpr std::uint32_t gc_class_of(std::uint32_t bytes) {
  if (bytes <= 128) return bytes == 0 ? 0 : (bytes - 1) / 16;
  if (bytes <= 2048) {
    const auto top = static_cast<std::uint32_t>(std::bit_width(bytes - 1)); // 8 for 129..256
    return 8 + (top - 8) * 4 + ((bytes - 1) >> (top - 3) & 3);
  }
  std::uint32_t which = 24;
  while (kGcCellBytes[which] < bytes) ++which;
  return which;
}
// A heap begins with one of these for each class: zeroed cells from `cursor` to `end`, which compiled code takes one after the
// other as the built-ins do. Equal: there are none, and a built-in looks for more. (Nothing else of a store runs while guest
// code of it is between two instructions, so that taking one needs no care.)
struct GcRun {
  std::uint32_t cursor, end;
};

// How a field or element is kept.
enum class GcStorage : std::uint8_t { I8, I16, I32, I64, F32, F64, V128, Any, Extern, Func, Exn };

constexpr std::uint32_t storage_size(GcStorage storage) {
  switch (storage) {
  case GcStorage::I8: return 1;
  case GcStorage::I16: return 2;
  case GcStorage::I32:
  case GcStorage::F32:
  case GcStorage::Any: return 4;
  case GcStorage::I64:
  case GcStorage::F64:
  case GcStorage::Extern:
  case GcStorage::Func:
  case GcStorage::Exn: return 8;
  case GcStorage::V128: return 16;
  }
  return 0;
}

// Where the fields of a structure lie: in order, each at its own size, vectors at 8. A subtype's fields come after its
// supertype's, so that both agree.
class GcStructLayout {
public:
  constexpr std::uint32_t add(GcStorage storage) {
    const std::uint32_t size = storage_size(storage), align = size > 8 ? 8 : size;
    const std::uint32_t offset = (size_ + align - 1) / align * align;
    size_ = offset + size;
    return offset;
  }
  constexpr std::uint32_t size() const { return size_; } // bytes of an object

private:
  std::uint32_t size_ = sizeof(GcHeader::type_id);
};

// Offset of an array's first element, given the size of one. One element's worth of bytes always lies before it and, in
// what the heap gives, behind the last: pointers that an optimiser steps one too far still lead to the array.
constexpr std::uint32_t array_data_offset(std::uint32_t element_size) { return element_size > 8 ? 16 : 8; }

} // namespace cusp::abi
