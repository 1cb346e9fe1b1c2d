// Operators and types of the gc proposal as bytes, beside code_bytes.h.
#pragma once

#include "lower/code_bytes.h"

namespace cusp::test::code {

inline constexpr std::uint8_t kRec = 0x4e, kSub = 0x50, kArrayOf = 0x5e, kStructOf = 0x5f, kFuncOf = 0x60;
inline constexpr std::uint8_t kRefNull = 0x63, kRef = 0x64, kAnyref = 0x6e, kEqref = 0x6d, kI31ref = 0x6c,
                              kStructref = 0x6b, kArrayref = 0x6a, kExternref = 0x6f, kI8 = 0x78;
inline constexpr std::uint8_t kConst = 0, kMut = 1;

inline Bytes gc(std::uint8_t number, std::uint32_t first) { return Bytes{0xfb, number} + leb(first); }
inline Bytes gc(std::uint8_t number, std::uint32_t first, std::uint32_t second) {
  return gc(number, first) + leb(second);
}
inline Bytes struct_new(std::uint32_t type) { return gc(0, type); }
inline Bytes struct_new_default(std::uint32_t type) { return gc(1, type); }
inline Bytes struct_get(std::uint32_t type, std::uint32_t field) { return gc(2, type, field); }
inline Bytes struct_set(std::uint32_t type, std::uint32_t field) { return gc(5, type, field); }
inline Bytes array_new(std::uint32_t type) { return gc(6, type); }
inline Bytes array_new_default(std::uint32_t type) { return gc(7, type); }
inline Bytes array_new_elem(std::uint32_t type, std::uint32_t elem) { return gc(10, type, elem); }
inline Bytes array_get(std::uint32_t type) { return gc(11, type); }
inline Bytes array_set(std::uint32_t type) { return gc(14, type); }
inline Bytes array_len() { return {0xfb, 15}; }
inline Bytes array_fill(std::uint32_t type) { return gc(16, type); }
inline Bytes array_copy(std::uint32_t to, std::uint32_t from) { return gc(17, to, from); }
inline Bytes ref_test(std::uint8_t heap) { return {0xfb, 20, heap}; }
inline Bytes ref_cast(std::uint8_t heap) { return {0xfb, 22, heap}; }
inline Bytes any_convert_extern() { return {0xfb, 26}; }
inline Bytes extern_convert_any() { return {0xfb, 27}; }
inline Bytes ref_i31() { return {0xfb, 28}; }
inline Bytes i31_get_u() { return {0xfb, 30}; }
inline Bytes ref_is_null() { return op(0xd1); }
inline Bytes ref_as_non_null() { return op(0xd4); }
inline Bytes ref_func(std::uint32_t func) { return with_index(0xd2, func); }
inline Bytes call_ref(std::uint32_t type) { return with_index(0x14, type); }
inline Bytes call_indirect(std::uint32_t type) { return with_index(0x11, type) + leb(0); }

} // namespace cusp::test::code
