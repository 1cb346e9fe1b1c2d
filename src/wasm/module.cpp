#include "wasm/module.h"

#include <algorithm>

#include "wasm/cursor.h"
#include "wasm/names.h"

namespace cusp::wasm {

const Export* Module::find_export(std::string_view name) const {
  for (const Export& entry : exports)
    if (entry.name == name) return &entry;
  return nullptr;
}

std::string_view NameMap::find(std::uint32_t index) const {
  auto it = std::lower_bound(entries.begin(), entries.end(), index,
                             [](const auto& entry, std::uint32_t i) { return entry.first < i; });
  return it != entries.end() && it->first == index ? it->second : std::string_view();
}

AbstractHeapType Module::top_of(HeapType type) const {
  if (type.is_concrete())
    return std::holds_alternative<FuncType>(types[type.index().value].composite) ? AbstractHeapType::Func
                                                                                 : AbstractHeapType::Any;
  switch (type.abstract()) {
  case AbstractHeapType::Func:
  case AbstractHeapType::NoFunc: return AbstractHeapType::Func;
  case AbstractHeapType::Extern:
  case AbstractHeapType::NoExtern: return AbstractHeapType::Extern;
  case AbstractHeapType::Exn:
  case AbstractHeapType::NoExn: return AbstractHeapType::Exn;
  default: return AbstractHeapType::Any;
  }
}

bool Module::is_type_subtype(TypeIndex sub, TypeIndex super) const {
  for (;;) {
    if (sub == super) return true;
    const SubType& type = types[sub.value];
    if (!type.supertype) return false;
    sub = *type.supertype;
  }
}

bool Module::is_heap_subtype(HeapType sub, HeapType super) const {
  using enum AbstractHeapType;
  if (sub == super) return true;
  if (!sub.is_concrete() && sub.abstract() == Bottom) return true;
  if (super.is_concrete()) {
    if (sub.is_concrete()) return is_type_subtype(sub.index(), super.index());
    return top_of(super) == Func ? sub.abstract() == NoFunc : sub.abstract() == None;
  }
  AbstractHeapType top = super.abstract();
  if (sub.is_concrete()) {
    const auto& composite = types[sub.index().value].composite;
    if (std::holds_alternative<FuncType>(composite)) return top == Func;
    if (top == Any || top == Eq) return true;
    return std::holds_alternative<StructType>(composite) ? top == Struct : top == Array;
  }
  switch (sub.abstract()) {
  case None: return top == Any || top == Eq || top == I31 || top == Struct || top == Array;
  case I31:
  case Struct:
  case Array: return top == Any || top == Eq;
  case Eq: return top == Any;
  case NoFunc: return top == Func;
  case NoExtern: return top == Extern;
  case NoExn: return top == Exn;
  default: return false;
  }
}

bool Module::is_subtype_slow(ValType sub, ValType super) const {
  if (sub.is_bottom()) return true;
  if (!sub.is_ref() || !super.is_ref()) return false;
  if (sub.is_nullable() && !super.is_nullable()) return false;
  return is_heap_subtype(sub.heap(), super.heap());
}

Names parse_names(std::span<const std::uint8_t> bytes) {
  Names names;
  Cursor in(bytes, 0);
  auto map = [](Cursor part) {
    NameMap result;
    for (std::uint32_t n = part.u32(); n != 0 && part.ok(); --n) {
      std::uint32_t index = part.u32();
      std::string_view text = part.name();
      if (part.ok()) result.entries.emplace_back(index, text);
    }
    std::sort(result.entries.begin(), result.entries.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    return result;
  };
  while (in.ok() && !in.at_end()) {
    std::uint8_t id = in.u8();
    std::uint32_t size = in.u32();
    Cursor part(in.bytes(size), 0);
    if (!in.ok()) break;
    switch (id) {
    case 0: names.module = part.name(); break;
    case 1: names.functions = map(part); break;
    case 4: names.types = map(part); break;
    case 5: names.tables = map(part); break;
    case 6: names.memories = map(part); break;
    case 7: names.globals = map(part); break;
    case 8: names.elems = map(part); break;
    case 9: names.data = map(part); break;
    case 11: names.tags = map(part); break;
    default: break;
    }
  }
  return names;
}

} // namespace cusp::wasm
