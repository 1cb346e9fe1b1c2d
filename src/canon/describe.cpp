#include "canon/describe.h"

#include <fmt/format.h>

#include "canon/resource.h"

namespace cusp::canon {

using component::TypeDef;
using component::TypeKind;
using component::TypeTable;
using component::ValType;

namespace {

std::string_view primitive_name(TypeKind kind) {
  constexpr std::string_view kNames[] = {"bool", "s8",  "u8",  "s16", "u16",  "s32",   "u32",
                                         "s64",  "u64", "f32", "f64", "char", "string"};
  return kind <= TypeKind::String ? kNames[static_cast<unsigned>(kind)] : std::string_view();
}

// The C++ name of a field as the interface writes it: `mount_point_` is "mount-point".
bool same_label(std::string_view cpp, std::string_view wit) {
  if (cpp.ends_with('_')) cpp.remove_suffix(1);
  if (cpp.size() != wit.size()) return false;
  for (std::size_t i = 0; i < cpp.size(); ++i)
    if (cpp[i] != wit[i] && !(cpp[i] == '_' && wit[i] == '-')) return false;
  return true;
}

bool same_labels(std::span<const std::string_view> names, const std::vector<component::Label>& labels) {
  if (names.size() != labels.size()) return false;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!same_label(names[i], labels[i].name)) return false;
  return true;
}

template <class Items, class Print> std::string joined(const Items& items, Print print) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + print(item);
  return text;
}

std::string result_text(const std::string& ok, const std::string& error) {
  if (error.empty()) return ok.empty() ? "result" : fmt::format("result<{}>", ok);
  return fmt::format("result<{}, {}>", ok.empty() ? "_" : ok, error);
}

} // namespace

std::string to_string(const TypeDesc& type) {
  auto member = [](const TypeDesc* m) { return m ? to_string(*m) : std::string(); };
  auto label = [](std::string_view name) {
    std::string text(name.substr(0, name.size() - name.ends_with('_')));
    for (char& c : text)
      if (c == '_') c = '-';
    return text;
  };
  switch (type.kind) {
  case TypeKind::List: return fmt::format("list<{}>", member(type.members[0]));
  case TypeKind::Option: return fmt::format("option<{}>", member(type.members[0]));
  case TypeKind::Tuple: return fmt::format("tuple<{}>", joined(type.members, member));
  case TypeKind::Record: {
    std::size_t i = 0;
    return fmt::format("record {{{}}}", joined(type.members, [&](const TypeDesc* m) {
                         return label(type.labels[i++]) + ": " + member(m);
                       }));
  }
  case TypeKind::Variant:
    return fmt::format("variant {{{}}}",
                       joined(type.members, [&](const TypeDesc* m) { return m ? "(" + member(m) + ")" : "_"; }));
  case TypeKind::Enum: return fmt::format("enum {{{}}}", joined(type.labels, label));
  case TypeKind::Flags: return fmt::format("flags {{{}}}", joined(type.labels, label));
  case TypeKind::Result: return result_text(member(type.members[0]), member(type.members[1]));
  case TypeKind::Own: return "own<host resource>";
  case TypeKind::Borrow: return "borrow<host resource>";
  case TypeKind::Stream: return type.members[0] ? "stream<" + member(type.members[0]) + ">" : "stream";
  case TypeKind::Future: return type.members[0] ? "future<" + member(type.members[0]) + ">" : "future";
  default: return std::string(primitive_name(type.kind));
  }
}

std::string to_string(const FuncDesc& type) {
  std::string text = fmt::format("func({})", joined(type.params, [](const TypeDesc* m) { return to_string(*m); }));
  return type.result ? text + " -> " + to_string(*type.result) : text;
}

std::string to_string(const TypeTable& types, ValType type) {
  if (type.kind <= TypeKind::String) return std::string(primitive_name(type.kind));
  if (type.kind == TypeKind::Own) return fmt::format("own<resource {}>", type.index);
  if (type.kind == TypeKind::Borrow) return fmt::format("borrow<resource {}>", type.index);
  if (type.kind == TypeKind::ErrorContext) return "error-context";
  const TypeDef& def = types.defs[type.index];
  auto maybe = [&](const std::optional<ValType>& t) { return t ? to_string(types, *t) : std::string(); };
  auto name = [](const component::Label& l) { return l.name; };
  switch (type.kind) {
  case TypeKind::List: return fmt::format("list<{}>", maybe(def.element));
  case TypeKind::FixedList: return fmt::format("list<{}, {}>", maybe(def.element), def.length);
  case TypeKind::Option: return fmt::format("option<{}>", maybe(def.element));
  case TypeKind::Result: return result_text(maybe(def.element), maybe(def.error));
  case TypeKind::Map: return fmt::format("map<{}, {}>", maybe(def.element), maybe(def.error));
  case TypeKind::Tuple:
    return fmt::format("tuple<{}>", joined(def.labels, [&](const auto& l) { return maybe(l.type); }));
  case TypeKind::Record:
    return fmt::format("record {{{}}}",
                       joined(def.labels, [&](const auto& l) { return l.name + ": " + maybe(l.type); }));
  case TypeKind::Variant:
    return fmt::format("variant {{{}}}", joined(def.labels, [&](const auto& l) {
                         return l.type ? l.name + "(" + maybe(l.type) + ")" : l.name;
                       }));
  case TypeKind::Enum: return fmt::format("enum {{{}}}", joined(def.labels, name));
  case TypeKind::Flags: return fmt::format("flags {{{}}}", joined(def.labels, name));
  case TypeKind::Stream: return def.element ? fmt::format("stream<{}>", maybe(def.element)) : "stream";
  case TypeKind::Future: return def.element ? fmt::format("future<{}>", maybe(def.element)) : "future";
  default: return "unknown";
  }
}

std::string to_string(const TypeTable& types, const component::FuncType& type) {
  std::string text = fmt::format(
      "func({})", joined(type.params, [&](const auto& p) { return p.name + ": " + to_string(types, p.type); }));
  if (type.is_async) text = "async " + text;
  return type.result ? text + " -> " + to_string(types, *type.result) : text;
}

bool matches(const TypeDesc& desc, const TypeTable& types, ValType type,
             std::span<const ResourceType* const> resources) {
  auto member = [&](const TypeDesc* m, const std::optional<ValType>& t) {
    return m ? t && matches(*m, types, *t, resources) : !t.has_value();
  };
  if (desc.kind == TypeKind::Own || desc.kind == TypeKind::Borrow)
    return type.kind == desc.kind && type.index < resources.size() &&
           (!desc.resource || resources[type.index] == desc.resource);
  if (desc.kind <= TypeKind::String) return type.kind == desc.kind;
  bool is_handle = type.kind >= TypeKind::Own && type.kind != TypeKind::Stream && type.kind != TypeKind::Future;
  if (type.kind <= TypeKind::String || is_handle || type.index >= types.defs.size()) return false;
  const TypeDef& def = types.defs[type.index];
  auto all_members = [&] {
    if (desc.members.size() != def.labels.size()) return false;
    for (std::size_t i = 0; i < def.labels.size(); ++i)
      if (!member(desc.members[i], def.labels[i].type)) return false;
    return true;
  };
  if (desc.kind == TypeKind::Tuple && type.kind == TypeKind::FixedList) { // std::array stands for both
    if (desc.members.size() != def.length) return false;
    for (const TypeDesc* m : desc.members)
      if (!member(m, def.element)) return false;
    return true;
  }
  if (desc.kind == TypeKind::List && type.kind == TypeKind::Map) { // a list of pairs
    const TypeDesc& pair = *desc.members[0];
    return pair.kind == TypeKind::Tuple && pair.members.size() == 2 && member(pair.members[0], def.element) &&
           member(pair.members[1], def.error);
  }
  if (type.kind != desc.kind) return false;
  switch (desc.kind) {
  case TypeKind::List:
  case TypeKind::Stream:
  case TypeKind::Future:
  case TypeKind::Option: return member(desc.members[0], def.element);
  case TypeKind::Result: return member(desc.members[0], def.element) && member(desc.members[1], def.error);
  case TypeKind::Tuple:
  case TypeKind::Variant: return all_members();
  case TypeKind::Record: return same_labels(desc.labels, def.labels) && all_members();
  case TypeKind::Enum:
  case TypeKind::Flags: return same_labels(desc.labels, def.labels);
  default: return false;
  }
}

bool matches(const FuncDesc& desc, const TypeTable& types, const component::FuncType& type,
             std::span<const ResourceType* const> resources) {
  if (desc.params.size() != type.params.size() || (desc.result != nullptr) != type.result.has_value()) return false;
  for (std::size_t i = 0; i < desc.params.size(); ++i)
    if (!matches(*desc.params[i], types, type.params[i].type, resources)) return false;
  return !desc.result || matches(*desc.result, types, *type.result, resources);
}

} // namespace cusp::canon
