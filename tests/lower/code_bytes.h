// Bodies as bytes, operator by operator: i32_const(1) + local_get(0) + ...
#pragma once

#include "lower/module_bytes.h"

namespace cusp::test::code {

inline constexpr std::uint8_t kVoid = 0x40;

inline Bytes operator+(Bytes left, const Bytes& right) {
  append(left, right);
  return left;
}
inline Bytes& operator+=(Bytes& left, const Bytes& right) {
  append(left, right);
  return left;
}
inline Bytes op(std::uint8_t byte) { return {byte}; }
inline Bytes with_index(std::uint8_t byte, std::uint64_t index) { return op(byte) + leb(index); }

inline Bytes signed_leb(std::int64_t value) {
  Bytes out;
  for (;;) {
    const auto byte = static_cast<std::uint8_t>(value & 0x7f);
    value >>= 7;
    const bool last = (value == 0 && (byte & 0x40) == 0) || (value == -1 && (byte & 0x40) != 0);
    out.push_back(static_cast<std::uint8_t>(byte | (last ? 0 : 0x80)));
    if (last) return out;
  }
}

inline Bytes unreachable() { return op(0x00); }
inline Bytes block(std::uint8_t type = kVoid) { return {0x02, type}; }
inline Bytes block_of(std::uint32_t type) { return op(0x02) + leb(type); } // a type below 64
inline Bytes loop(std::uint8_t type = kVoid) { return {0x03, type}; }
inline Bytes if_(std::uint8_t type = kVoid) { return {0x04, type}; }
inline Bytes else_() { return op(0x05); }
inline Bytes end() { return op(0x0b); }
inline Bytes br(std::uint32_t depth) { return with_index(0x0c, depth); }
inline Bytes br_if(std::uint32_t depth) { return with_index(0x0d, depth); }
inline Bytes return_() { return op(0x0f); }
inline Bytes call(std::uint32_t func) { return with_index(0x10, func); }
inline Bytes return_call(std::uint32_t func) { return with_index(0x12, func); }
inline Bytes drop() { return op(0x1a); }
inline Bytes local_get(std::uint32_t local) { return with_index(0x20, local); }
inline Bytes local_set(std::uint32_t local) { return with_index(0x21, local); }
inline Bytes local_tee(std::uint32_t local) { return with_index(0x22, local); }
inline Bytes global_get(std::uint32_t global) { return with_index(0x23, global); }
inline Bytes global_set(std::uint32_t global) { return with_index(0x24, global); }
inline Bytes table_get(std::uint32_t table) { return with_index(0x25, table); }
inline Bytes table_set(std::uint32_t table) { return with_index(0x26, table); }
inline Bytes i32_load(std::uint32_t offset) { return Bytes{0x28, 2} + leb(offset); }
inline Bytes i32_store(std::uint32_t offset) { return Bytes{0x36, 2} + leb(offset); }
inline Bytes i32_const(std::int32_t value) { return op(0x41) + signed_leb(value); }
inline Bytes i64_const(std::int64_t value) { return op(0x42) + signed_leb(value); }
inline Bytes i32_eqz() { return op(0x45); }
inline Bytes i32_add() { return op(0x6a); }
inline Bytes i32_sub() { return op(0x6b); }
inline Bytes i32_mul() { return op(0x6c); }
inline Bytes i64_add() { return op(0x7c); }
inline Bytes i64_mul() { return op(0x7e); }
inline Bytes ref_null(std::uint8_t heap) { return {0xd0, heap}; }

inline Bytes throw_(std::uint32_t tag) { return with_index(0x08, tag); }
inline Bytes throw_ref() { return op(0x0a); }
inline Bytes catch_clause(std::uint32_t tag, std::uint32_t depth) { return op(0) + leb(tag) + leb(depth); }
inline Bytes catch_ref_clause(std::uint32_t tag, std::uint32_t depth) { return op(1) + leb(tag) + leb(depth); }
inline Bytes catch_all_clause(std::uint32_t depth) { return op(2) + leb(depth); }
inline Bytes catch_all_ref_clause(std::uint32_t depth) { return op(3) + leb(depth); }
inline Bytes try_table(std::uint8_t type, std::initializer_list<Bytes> clauses) {
  Bytes out{0x1f, type, static_cast<std::uint8_t>(clauses.size())};
  for (const Bytes& clause : clauses) append(out, clause);
  return out;
}

// The legacy form.
inline Bytes try_(std::uint8_t type = kVoid) { return {0x06, type}; }
inline Bytes catch_(std::uint32_t tag) { return with_index(0x07, tag); }
inline Bytes catch_all() { return op(0x19); }
inline Bytes rethrow(std::uint32_t depth) { return with_index(0x09, depth); }
inline Bytes delegate(std::uint32_t depth) { return with_index(0x18, depth); }

} // namespace cusp::test::code
