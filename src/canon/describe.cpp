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

std::string wit_label(std::string_view cpp) {
  std::string text(cpp.substr(0, cpp.size() - cpp.ends_with('_')));
  for (char& c : text)
    if (c == '_') c = '-';
  return text;
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
  switch (type.kind) {
  case TypeKind::List: return fmt::format("list<{}>", member(type.members[0]));
  case TypeKind::Option: return fmt::format("option<{}>", member(type.members[0]));
  case TypeKind::Tuple: return fmt::format("tuple<{}>", joined(type.members, member));
  case TypeKind::Record: {
    std::size_t i = 0;
    return fmt::format("record {{{}}}", joined(type.members, [&](const TypeDesc* m) {
                         return wit_label(type.labels[i++]) + ": " + member(m);
                       }));
  }
  case TypeKind::Variant:
    return fmt::format("variant {{{}}}",
                       joined(type.members, [&](const TypeDesc* m) { return m ? "(" + member(m) + ")" : "_"; }));
  case TypeKind::Enum: return fmt::format("enum {{{}}}", joined(type.labels, wit_label));
  case TypeKind::Flags: return fmt::format("flags {{{}}}", joined(type.labels, wit_label));
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

namespace {

// Goes down both types together. On the way back from where they part, each level puts its step in front of the place.
class Matching {
public:
  Matching(const TypeTable& types, std::span<const ResourceType* const> resources)
      : types_(types), resources_(resources) {}

  bool function(const FuncDesc& desc, const component::FuncType& type) {
    if (desc.params.size() != type.params.size())
      return parts(fmt::format("{} parameters", type.params.size()), fmt::format("{}", desc.params.size()));
    for (std::size_t i = 0; i < desc.params.size(); ++i)
      if (!value(*desc.params[i], type.params[i].type))
        return inside(fmt::format("parameter `{}`", type.params[i].name));
    return optional("result", desc.result, type.result);
  }

  bool value(const TypeDesc& desc, ValType type) {
    bool is_handle = type.kind == TypeKind::Own || type.kind == TypeKind::Borrow;
    if (is_handle && type.kind == desc.kind)
      return (type.index < resources_.size() && (!desc.resource || resources_[type.index] == desc.resource)) ||
             parts(to_string(types_, type) + ", of another resource", to_string(desc));
    if (desc.kind <= TypeKind::String || type.kind <= TypeKind::String || is_handle ||
        type.kind == TypeKind::ErrorContext || type.index >= types_.defs.size())
      return (desc.kind <= TypeKind::String && type.kind == desc.kind) || differ(desc, type);
    const TypeDef& def = types_.defs[type.index];
    if (desc.kind == TypeKind::Tuple && type.kind == TypeKind::FixedList) { // std::array stands for both
      if (desc.members.size() != def.length) return differ(desc, type);
      for (const TypeDesc* member : desc.members)
        if (!optional("element", member, def.element)) return false;
      return true;
    }
    if (desc.kind == TypeKind::List && type.kind == TypeKind::Map) { // a list of pairs
      const TypeDesc& pair = *desc.members[0];
      if (pair.kind != TypeKind::Tuple || pair.members.size() != 2) return differ(desc, type);
      return optional("key", pair.members[0], def.element) && optional("value", pair.members[1], def.error);
    }
    return type.kind == desc.kind ? defined(desc, type, def) : differ(desc, type);
  }

  // REQUIRES: one of the above was false.
  Mismatch take() { return std::move(mismatch_); }

private:
  bool defined(const TypeDesc& desc, ValType type, const TypeDef& def) {
    switch (desc.kind) {
    case TypeKind::List:
    case TypeKind::Stream:
    case TypeKind::Future: return optional("element", desc.members[0], def.element);
    case TypeKind::Option: return optional("some", desc.members[0], def.element);
    case TypeKind::Result:
      return optional("ok", desc.members[0], def.element) && optional("error", desc.members[1], def.error);
    case TypeKind::Tuple: return members("element", desc, type, def);
    case TypeKind::Variant: return members("case", desc, type, def);
    case TypeKind::Record: return labels("field", desc, def) && members("field", desc, type, def);
    case TypeKind::Enum: return labels("case", desc, def);
    case TypeKind::Flags: return labels("flag", desc, def);
    default: return differ(desc, type);
    }
  }

  bool members(std::string_view what, const TypeDesc& desc, ValType type, const TypeDef& def) {
    if (desc.members.size() != def.labels.size()) return differ(desc, type);
    for (std::size_t i = 0; i < def.labels.size(); ++i) {
      const std::string& name = def.labels[i].name;
      if (!optional(name.empty() ? fmt::format("{} {}", what, i) : fmt::format("{} `{}`", what, name), desc.members[i],
                    def.labels[i].type))
        return false;
    }
    return true;
  }

  bool labels(std::string_view what, const TypeDesc& desc, const TypeDef& def) {
    std::size_t count = std::min(desc.labels.size(), def.labels.size());
    for (std::size_t i = 0; i < count; ++i)
      if (!same_label(desc.labels[i], def.labels[i].name))
        return parts(fmt::format("the {} `{}`", what, def.labels[i].name),
                     fmt::format("`{}`", wit_label(desc.labels[i])));
    if (desc.labels.size() > count)
      return parts("no more", fmt::format("the {} `{}`", what, wit_label(desc.labels[count])));
    if (def.labels.size() > count) return parts(fmt::format("the {} `{}`", what, def.labels[count].name), "no more");
    return true;
  }

  bool optional(std::string_view step, const TypeDesc* desc, const std::optional<ValType>& type) {
    if (!desc && !type) return true;
    if (desc && type) return value(*desc, *type) || inside(step);
    parts(type ? to_string(types_, *type) : "nothing", desc ? to_string(*desc) : "nothing");
    return inside(step);
  }

  bool differ(const TypeDesc& desc, ValType type) { return parts(to_string(types_, type), to_string(desc)); }
  bool parts(std::string component, std::string host) {
    mismatch_ = {{}, std::move(component), std::move(host)};
    return false;
  }
  bool inside(std::string_view step) {
    mismatch_.place = mismatch_.place.empty() ? std::string(step) : fmt::format("{}, {}", step, mismatch_.place);
    return false;
  }

  const TypeTable& types_;
  std::span<const ResourceType* const> resources_;
  Mismatch mismatch_;
};

} // namespace

std::optional<Mismatch> find_mismatch(const TypeDesc& desc, const TypeTable& types, ValType type,
                                      std::span<const ResourceType* const> resources) {
  Matching matching(types, resources);
  if (matching.value(desc, type)) return std::nullopt;
  return matching.take();
}

std::optional<Mismatch> find_mismatch(const FuncDesc& desc, const TypeTable& types, const component::FuncType& type,
                                      std::span<const ResourceType* const> resources) {
  Matching matching(types, resources);
  if (matching.function(desc, type)) return std::nullopt;
  return matching.take();
}

} // namespace cusp::canon
