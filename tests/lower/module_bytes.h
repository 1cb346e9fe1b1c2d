// Writes small core modules as bytes, section by section, for tests that need no text parser.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

namespace cusp::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint8_t kI32 = 0x7f, kI64 = 0x7e, kF32 = 0x7d, kF64 = 0x7c, kV128 = 0x7b, kFuncref = 0x70,
                              kExnref = 0x69;

inline void append(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

inline Bytes leb(std::uint64_t value) {
  Bytes out;
  do {
    const bool more = value >= 0x80;
    out.push_back(static_cast<std::uint8_t>((value & 0x7f) | (more ? 0x80 : 0)));
    value >>= 7;
  } while (value != 0);
  return out;
}

inline Bytes sleb(std::int64_t value) {
  Bytes out;
  for (;;) {
    const auto byte = static_cast<std::uint8_t>(value & 0x7f);
    value >>= 7;
    const bool last = (value == 0 && (byte & 0x40) == 0) || (value == -1 && (byte & 0x40) != 0);
    out.push_back(static_cast<std::uint8_t>(byte | (last ? 0 : 0x80)));
    if (last) return out;
  }
}

class ModuleBytes {
public:
  // One entry of the type section as its bytes say: a sub type, or a recursion group (which is then several types).
  void raw_type(const Bytes& entry) { add(types_, entry); }
  // Returns the type's index, where every entry before is one type.
  std::uint32_t type(const Bytes& params, const Bytes& results) {
    Bytes type{0x60};
    append(type, leb(params.size())), append(type, params), append(type, leb(results.size())), append(type, results);
    return add(types_, type);
  }
  // Imports come first. Returns the function's index.
  std::uint32_t import_func(std::uint32_t type) {
    Bytes entry{1, 'm', 1, 'f', 0};
    append(entry, leb(type));
    add(imports_, entry);
    return imported_++;
  }
  // Returns the tag's index; imports come first.
  std::uint32_t import_tag(std::uint32_t type) {
    Bytes entry{1, 'm', 1, 't', 4, 0};
    append(entry, leb(type));
    add(imports_, entry);
    return imported_tags_++;
  }
  std::uint32_t tag(std::uint32_t type) {
    Bytes entry{0};
    append(entry, leb(type));
    return imported_tags_ + add(tags_, entry);
  }
  // `code`: operators without the final `end`. Returns the function's index.
  std::uint32_t func(std::uint32_t type, const Bytes& code, const Bytes& locals = {}) {
    Bytes declarations = leb(locals.size());
    for (std::uint8_t local : locals) declarations.push_back(1), declarations.push_back(local);
    return func_with(type, declarations, code);
  }
  // `declarations`: of locals, as the binary format has them.
  std::uint32_t func_with(std::uint32_t type, const Bytes& declarations, const Bytes& code) {
    add(functions_, leb(type));
    Bytes body = declarations;
    append(body, code);
    body.push_back(0x0b);
    Bytes entry = leb(body.size());
    append(entry, body);
    return imported_ + add(bodies_, entry);
  }
  // One page; `flags` as in the binary format (1: a maximum, 2: shared, 4: 64-bit).
  void memory(std::uint8_t flags = 0) { add(memories_, (flags & 1) != 0 ? Bytes{flags, 1, 1} : Bytes{flags, 1}); }
  // The same with a maximum of `max` pages where the flags have one.
  void memory_type(std::uint8_t flags, std::uint8_t max) { add(memories_, memory_limits(flags, max)); }
  void import_memory(std::uint8_t flags, std::uint8_t max) {
    Bytes entry{1, 'm', 1, 'y', 2};
    append(entry, memory_limits(flags, max));
    add(imports_, entry);
  }
  void import_table(std::uint8_t length) { add(imports_, {1, 'm', 1, 't', 1, kFuncref, 0, length}); }
  // `kind` as in the binary format: 0 a function, 1 a table, 2 a memory.
  void export_item(char name, std::uint8_t kind, std::uint32_t index) {
    Bytes entry{1, static_cast<std::uint8_t>(name), kind};
    append(entry, leb(index));
    add(exports_, entry);
  }
  void custom(std::string_view name, const Bytes& content) {
    Bytes section = leb(name.size());
    section.insert(section.end(), name.begin(), name.end());
    append(section, content);
    customs_.push_back(section);
  }
  void memory(std::uint64_t min, std::uint64_t max) { add(memories_, limits({1}, min, max)); }
  void table(std::uint8_t length) { add(tables_, {kFuncref, 0, length}); }
  void table_of(std::uint8_t element, std::uint8_t length) { add(tables_, {element, 0, length}); }
  void table(std::uint64_t min, std::uint64_t max) { add(tables_, limits({kFuncref, 1}, min, max)); }
  void export_func(std::string_view name, std::uint32_t func) {
    Bytes entry = leb(name.size());
    entry.insert(entry.end(), name.begin(), name.end());
    entry.push_back(0), append(entry, leb(func));
    add(exports_, entry);
  }
  void start(std::uint32_t func) { start_ = leb(func); }
  // Active segments of memory 0 and table 0; passive without an offset. The result is the segment's index.
  std::uint32_t data(std::optional<std::int32_t> offset, const Bytes& bytes) {
    Bytes entry = segment(offset);
    append(entry, leb(bytes.size())), append(entry, bytes);
    return add(datas_, entry);
  }
  std::uint32_t elem(std::optional<std::int32_t> offset, const std::vector<std::uint32_t>& funcs) {
    Bytes entry = segment(offset);
    if (!offset) entry.push_back(0); // element kind
    append(entry, leb(funcs.size()));
    for (std::uint32_t func : funcs) append(entry, leb(func));
    return add(elems_, entry);
  }
  void raw_table(const Bytes& entry) { add(tables_, entry); }
  void global(std::uint8_t type, bool is_mutable, const Bytes& init) { global(Bytes{type}, is_mutable, init); }
  void global(const Bytes& type, bool is_mutable, const Bytes& init) {
    Bytes entry = type;
    entry.push_back(is_mutable);
    append(entry, init), entry.push_back(0x0b);
    add(globals_, entry);
  }

  // `entry` from its flags on.
  void raw_elem(const Bytes& entry) { add(elems_, entry); }

  Bytes bytes() const {
    Bytes out{0, 'a', 's', 'm', 1, 0, 0, 0};
    auto section = [&](std::uint8_t id, const Items& items) {
      if (items.count == 0) return;
      Bytes content = leb(items.count);
      append(content, items.bytes);
      out.push_back(id), append(out, leb(content.size())), append(out, content);
    };
    section(1, types_), section(2, imports_), section(3, functions_), section(4, tables_), section(5, memories_);
    section(13, tags_), section(6, globals_), section(7, exports_);
    if (!start_.empty()) out.push_back(8), append(out, leb(start_.size())), append(out, start_);
    section(9, elems_);
    if (datas_.count != 0)
      out.push_back(12), append(out, leb(leb(datas_.count).size())), append(out, leb(datas_.count));
    for (const Bytes& custom : customs_) out.push_back(0), append(out, leb(custom.size())), append(out, custom);
    section(10, bodies_), section(11, datas_);
    return out;
  }

private:
  struct Items {
    std::uint32_t count = 0;
    Bytes bytes;
  };
  static std::uint32_t add(Items& items, const Bytes& entry) {
    append(items.bytes, entry);
    return items.count++;
  }
  static Bytes limits(Bytes head, std::uint64_t min, std::uint64_t max) {
    append(head, leb(min)), append(head, leb(max));
    return head;
  }
  static Bytes memory_limits(std::uint8_t flags, std::uint8_t max) {
    return (flags & 1) != 0 ? Bytes{flags, 1, max} : Bytes{flags, 1};
  }
  static Bytes segment(std::optional<std::int32_t> offset) {
    if (!offset) return {1};
    Bytes head{0, 0x41};
    append(head, sleb(*offset)), head.push_back(0x0b);
    return head;
  }
  Items types_, imports_, functions_, tables_, memories_, tags_, globals_, exports_, elems_, bodies_, datas_;
  Bytes start_;
  std::vector<Bytes> customs_; // before the code
  std::uint32_t imported_ = 0, imported_tags_ = 0;
};

} // namespace cusp::test
