// Components put together byte by byte, for tests. Each function gives the encoding of one production of Binary.md.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace cusp::component::test {

using Bytes = std::vector<std::uint8_t>;

inline Bytes cat(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}
inline Bytes leb(std::uint32_t value) {
  Bytes bytes;
  do {
    auto byte = static_cast<std::uint8_t>(value & 0x7f);
    value >>= 7;
    bytes.push_back(value ? byte | 0x80 : byte);
  } while (value);
  return bytes;
}
inline Bytes name(std::string_view text) {
  return cat({leb(static_cast<std::uint32_t>(text.size())), Bytes(text.begin(), text.end())});
}
inline Bytes vec(std::initializer_list<Bytes> items) {
  Bytes bytes = leb(static_cast<std::uint32_t>(items.size()));
  for (const Bytes& item : items) bytes.insert(bytes.end(), item.begin(), item.end());
  return bytes;
}
inline Bytes section(std::uint8_t id, const Bytes& body) {
  return cat({{id}, leb(static_cast<std::uint32_t>(body.size())), body});
}
inline Bytes component(std::initializer_list<Bytes> sections) {
  return cat({{0x00, 'a', 's', 'm', 0x0d, 0x00, 0x01, 0x00}, cat(sections)});
}

// Sections.
inline Bytes module(const Bytes& bytes) { return section(1, bytes); }
inline Bytes core_instances(std::initializer_list<Bytes> items) { return section(2, vec(items)); }
inline Bytes core_types(std::initializer_list<Bytes> items) { return section(3, vec(items)); }
inline Bytes nested(const Bytes& bytes) { return section(4, bytes); }
inline Bytes instances(std::initializer_list<Bytes> items) { return section(5, vec(items)); }
inline Bytes aliases(std::initializer_list<Bytes> items) { return section(6, vec(items)); }
inline Bytes types(std::initializer_list<Bytes> items) { return section(7, vec(items)); }
inline Bytes canons(std::initializer_list<Bytes> items) { return section(8, vec(items)); }
inline Bytes imports(std::initializer_list<Bytes> items) { return section(10, vec(items)); }
inline Bytes exports(std::initializer_list<Bytes> items) { return section(11, vec(items)); }

// Value types.
inline constexpr std::uint8_t kBool = 0x7f, kU8 = 0x7d, kU32 = 0x79, kU64 = 0x77, kChar = 0x74, kString = 0x73;

// Types.
struct Field {
  std::string_view label;
  std::uint8_t type;
};
inline Bytes fields(std::initializer_list<Field> list) {
  Bytes bytes = leb(static_cast<std::uint32_t>(list.size()));
  for (const Field& field : list) bytes = cat({bytes, name(field.label), {field.type}});
  return bytes;
}
inline Bytes record(std::initializer_list<Field> list) { return cat({{0x72}, fields(list)}); }
inline Bytes func(std::initializer_list<Field> params) { return cat({{0x40}, fields(params), {0x01, 0x00}}); }
inline Bytes func(std::initializer_list<Field> params, std::uint8_t result) {
  return cat({{0x40}, fields(params), {0x00, result}});
}
inline Bytes async_func(std::initializer_list<Field> params, std::uint8_t result) {
  return cat({{0x43}, fields(params), {0x00, result}});
}
inline Bytes list_of(std::uint8_t type) { return {0x70, type}; }
inline Bytes own(std::uint8_t type) { return {0x69, type}; }
inline Bytes borrow(std::uint8_t type) { return {0x68, type}; }
inline Bytes stream_of(std::uint8_t type) { return {0x66, 0x01, type}; }
inline Bytes resource() { return {0x3f, 0x7f, 0x00}; }
inline Bytes instance_type(std::initializer_list<Bytes> decls) { return cat({{0x42}, vec(decls)}); }
inline Bytes component_type(std::initializer_list<Bytes> decls) { return cat({{0x41}, vec(decls)}); }
inline Bytes type_decl(const Bytes& type) { return cat({{0x01}, type}); }
inline Bytes import_decl(std::string_view label, const Bytes& desc) { return cat({{0x03, 0x00}, name(label), desc}); }
inline Bytes export_decl(std::string_view label, const Bytes& desc) { return cat({{0x04, 0x00}, name(label), desc}); }

// What imports and exports are.
inline Bytes func_desc(std::uint8_t type) { return {0x01, type}; }
inline Bytes type_eq(std::uint8_t type) { return {0x03, 0x00, type}; }
inline Bytes sub_resource() { return {0x03, 0x01}; }
inline Bytes component_desc(std::uint8_t type) { return {0x04, type}; }
inline Bytes instance_desc(std::uint8_t type) { return {0x05, type}; }

inline Bytes import(std::string_view label, const Bytes& desc) { return cat({{0x00}, name(label), desc}); }
inline Bytes export_of(std::string_view label, std::uint8_t sort, std::uint8_t index) {
  return cat({{0x00}, name(label), {sort, index, 0x00}});
}
inline Bytes export_as(std::string_view label, std::uint8_t sort, std::uint8_t index, const Bytes& desc) {
  return cat({{0x00}, name(label), {sort, index, 0x01}, desc});
}
inline constexpr std::uint8_t kFunc = 1, kType = 3, kComponent = 4, kInstance = 5;

// Instances, aliases.
inline Bytes with(std::string_view label, std::uint8_t sort, std::uint8_t index) {
  return cat({name(label), {sort, index}});
}
inline Bytes instantiate(std::uint8_t what, std::initializer_list<Bytes> arguments) {
  return cat({{0x00, what}, vec(arguments)});
}
inline Bytes core_with(std::string_view label, std::uint8_t instance) { return cat({name(label), {0x12, instance}}); }
inline Bytes bundle(std::initializer_list<Bytes> items) { return cat({{0x01}, vec(items)}); }
inline Bytes core_item(std::string_view label, std::uint8_t sort, std::uint8_t index) {
  return cat({name(label), {sort, index}});
}
inline Bytes core_alias(std::uint8_t sort, std::uint8_t instance, std::string_view label) {
  return cat({{0x00, sort, 0x01, instance}, name(label)});
}
inline Bytes alias_export(std::uint8_t sort, std::uint8_t instance, std::string_view label) {
  return cat({{sort, 0x00, instance}, name(label)});
}
inline Bytes alias_outer(std::uint8_t sort, std::uint8_t count, std::uint8_t index) {
  return {sort, 0x02, count, index};
}

// Canonical definitions.
inline Bytes lift(std::uint8_t core_func, std::initializer_list<Bytes> options, std::uint8_t type) {
  return cat({{0x00, 0x00, core_func}, vec(options), {type}});
}
inline Bytes lower(std::uint8_t func, std::initializer_list<Bytes> options) {
  return cat({{0x01, 0x00, func}, vec(options)});
}
inline Bytes with_memory(std::uint8_t index) { return {0x03, index}; }
inline Bytes with_realloc(std::uint8_t index) { return {0x04, index}; }
inline Bytes with_async() { return {0x06}; }
inline Bytes with_callback(std::uint8_t index) { return {0x07, index}; }

// A module with a memory "m", a table "t" of functions and the functions of `signatures`, exported as "0", "1" …; every body traps.
struct Signature {
  Bytes params, results; // value types
};
inline Bytes core_module(std::initializer_list<Signature> signatures, std::uint8_t memory_flags = 0) {
  auto count = static_cast<std::uint32_t>(signatures.size());
  Bytes type = leb(count), func = leb(count), code = leb(count);
  Bytes exported = cat({leb(count + 2), name("m"), {0x02, 0x00}, name("t"), {0x01, 0x00}});
  std::uint8_t index = 0;
  for (const Signature& signature : signatures) {
    auto list = [](const Bytes& t) { return cat({leb(static_cast<std::uint32_t>(t.size())), t}); };
    type = cat({type, {0x60}, list(signature.params), list(signature.results)});
    func = cat({func, {index}});
    exported = cat({exported, {0x01, static_cast<std::uint8_t>('0' + index), 0x00, index}});
    code = cat({code, {0x03, 0x00, 0x00, 0x0b}}); // unreachable
    ++index;
  }
  return cat({{0x00, 'a', 's', 'm', 0x01, 0x00, 0x00, 0x00},
              section(1, type),
              section(3, func),
              section(4, {0x01, 0x70, 0x00, 0x00}),
              section(5, {0x01, memory_flags, 0x01}),
              section(7, exported),
              section(10, code)});
}
inline constexpr std::uint8_t kI32 = 0x7f, kI64 = 0x7e;
inline const Signature kRealloc{{kI32, kI32, kI32, kI32}, {kI32}};

} // namespace cusp::component::test
