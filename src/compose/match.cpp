#include "compose/match.h"

#include <algorithm>

#include <fmt/format.h>

#include "wit/printer.h"

namespace cusp::compose {

namespace {

std::string_view noun(const wit::TypeDef& def) {
  if (std::holds_alternative<wit::Record>(def.kind)) return "record";
  if (std::holds_alternative<wit::Variant>(def.kind)) return "variant";
  if (std::holds_alternative<wit::Enum>(def.kind)) return "enum";
  if (std::holds_alternative<wit::Flags>(def.kind)) return "flags";
  if (std::holds_alternative<wit::Resource>(def.kind)) return "resource";
  return "type";
}

// `text` on lines of its own, indented.
std::string block(std::string_view title, std::string_view text) {
  std::string out = fmt::format("    {:9}", title);
  std::string_view rest = text;
  for (bool first = true; !rest.empty() || first; first = false) {
    std::size_t end = std::min(rest.find('\n'), rest.size());
    out += fmt::format("{}{}\n", first ? "" : "             ", rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (rest.empty()) break;
  }
  return out;
}

const wit::Function* find_function(const wit::Graph& graph, wit::InterfaceId id, std::string_view name) {
  for (const wit::Function& function : graph.interface(id).functions)
    if (graph.extern_name(function) == name) return &function;
  return nullptr;
}

} // namespace

std::string to_text(const std::vector<Difference>& differences) {
  std::string out;
  for (const Difference& difference : differences) {
    out += fmt::format("  {}\n", difference.what);
    if (difference.expected.empty() && difference.found.empty()) continue;
    out += block("expected", difference.expected);
    out += block("found", difference.found.empty() ? "nothing" : difference.found);
  }
  return out;
}

void Matcher::interface(wit::InterfaceId expected, wit::InterfaceId found) {
  expected_interface_ = expected, found_interface_ = found;
  for (wit::TypeId type : expected_.interface(expected).types) {
    const std::string& name = expected_.type(type).name;
    if (auto other = found_.find_type(found, name)) named(type, *other);
    else
      differences_.push_back(
          {fmt::format("{} `{}`", noun(expected_.type(type)), name), wit::print_definition(expected_, type), {}});
  }
  for (const wit::Function& wanted : expected_.interface(expected).functions) {
    std::string name = expected_.extern_name(wanted);
    if (const wit::Function* other = find_function(found_, found, name)) function(wanted, *other);
    else differences_.push_back({fmt::format("function `{}`", name), wit::print_function(expected_, wanted), {}});
  }
}

void Matcher::function(const wit::Function& expected, const wit::Function& found) {
  std::string what = fmt::format("function `{}`", expected_.extern_name(expected));
  auto same_name = [](const wit::Param& a, const wit::Param& b) { return a.name == b.name; };
  if (expected.is_async != found.is_async || !std::ranges::equal(expected.params, found.params, same_name)) {
    differences_.push_back({what, wit::print_function(expected_, expected), wit::print_function(found_, found)});
    return;
  }
  std::optional<Parting> parting;
  auto compare = [&] {
    bool equal = true;
    for (std::size_t i = 0; i < expected.params.size(); ++i)
      equal = same_at(fmt::format("parameter `{}`", expected.params[i].name), expected.params[i].type,
                      found.params[i].type) &&
              equal;
    return same_at("result", expected.result, found.result) && equal;
  };
  if (!compare_afresh(compare, parting))
    differences_.push_back({what + ", " + parting->place, parting->expected, parting->found});
}

void Matcher::named(wit::TypeId expected, wit::TypeId found) {
  std::size_t before = differences_.size();
  if (!same(expected, found) && differences_.size() == before)
    differences_.push_back({fmt::format("{} `{}`", noun(expected_.type(expected)), expected_.type(expected).name),
                            wit::print_definition(expected_, expected), wit::print_definition(found_, found)});
}

template <class F> bool Matcher::compare_afresh(F compare, std::optional<Parting>& parting) {
  auto steps = std::exchange(steps_, {});
  auto outer = std::exchange(parting_, std::nullopt);
  bool equal = compare();
  parting = std::exchange(parting_, std::move(outer));
  steps_ = std::move(steps);
  return equal;
}

bool Matcher::part(std::string expected, std::string found) {
  if (parting_) return false;
  std::string place;
  for (const std::string& step : steps_) place += (place.empty() ? "" : ", ") + step;
  parting_ = Parting{std::move(place), std::move(expected), std::move(found)};
  return false;
}

bool Matcher::same_at(std::string step, const std::optional<wit::Type>& expected,
                      const std::optional<wit::Type>& found) {
  if (!expected && !found) return true;
  steps_.push_back(std::move(step));
  bool equal = expected && found ? same(*expected, *found)
                                 : part(expected ? wit::print_type(expected_, *expected) : "nothing",
                                        found ? wit::print_type(found_, *found) : "nothing");
  steps_.pop_back();
  return equal;
}

namespace {

// Aliases followed; a named owning handle is the resource that it is of.
wit::Type resolved(const wit::Graph& graph, wit::Type type) {
  type = graph.resolve(type);
  const auto* id = std::get_if<wit::TypeId>(&type);
  const auto* own = id ? std::get_if<wit::Own>(&graph.type(*id).kind) : nullptr;
  return own ? graph.resolve(own->resource) : type;
}

} // namespace

bool Matcher::same(wit::Type expected, wit::Type found) {
  expected = resolved(expected_, expected), found = resolved(found_, found);
  auto differ = [&] { return part(wit::print_type(expected_, expected), wit::print_type(found_, found)); };
  const auto* a = std::get_if<wit::TypeId>(&expected);
  const auto* b = std::get_if<wit::TypeId>(&found);
  if (!a || !b) return expected == found || differ();
  if (auto known = known_.find({*a, *b}); known != known_.end()) return known->second || differ();
  const wit::TypeDef& x = expected_.type(*a);
  const wit::TypeDef& y = found_.type(*b);
  auto compare = [&] {
    if (std::holds_alternative<wit::Resource>(x.kind) && std::holds_alternative<wit::Resource>(y.kind))
      return same_resource(*a, *b);
    return same_definition(x, y);
  };
  bool equal = false;
  if (!x.name.empty() && x.name == y.name) {
    std::optional<Parting> parting;
    if (!compare_afresh(compare, parting)) tell_named(*a, *b, parting);
    equal = true; // said once; what mentions it is not to blame
  } else {
    equal = compare() || differ();
  }
  known_[{*a, *b}] = equal;
  return equal;
}

void Matcher::tell_named(wit::TypeId expected, wit::TypeId found, const std::optional<Parting>& parting) {
  const wit::TypeDef& def = expected_.type(expected);
  std::string what = fmt::format("{} `{}`", noun(def), def.name);
  if (std::holds_alternative<wit::Resource>(def.kind))
    differences_.push_back({what, "the one of " + identity(expected_, expected_identity_, expected),
                            "the one of " + identity(found_, found_identity_, found)});
  else if (parting) differences_.push_back({what + ", " + parting->place, parting->expected, parting->found});
  else differences_.push_back({what, wit::print_definition(expected_, expected), wit::print_definition(found_, found)});
}

std::string Matcher::identity(const wit::Graph& graph, const Identity& given, wit::TypeId resource) const {
  if (given) return given(resource);
  const wit::TypeDef& def = graph.type(resource);
  const auto* owner = std::get_if<wit::InterfaceId>(&def.owner);
  return fmt::format("{}.{}", owner ? wit::name_track(graph.interface_name(*owner)) : "the world", def.name);
}

bool Matcher::same_resource(wit::TypeId expected, wit::TypeId found) {
  const wit::TypeDef& x = expected_.type(expected);
  const wit::TypeDef& y = found_.type(found);
  if (!expected_interface_.is_none() && x.owner == wit::Owner(expected_interface_) &&
      y.owner == wit::Owner(found_interface_))
    return x.name == y.name;
  return identity(expected_, expected_identity_, expected) == identity(found_, found_identity_, found);
}

bool Matcher::same_members(const std::vector<wit::Member>& expected, const std::vector<wit::Member>& found,
                           const char* what, bool typed) {
  auto same_name = [](const wit::Member& a, const wit::Member& b) { return a.name == b.name; };
  if (!std::ranges::equal(expected, found, same_name)) return false;
  bool equal = true;
  for (std::size_t i = 0; typed && i < expected.size(); ++i)
    equal = same_at(fmt::format("{} `{}`", what, expected[i].name), expected[i].type, found[i].type) && equal;
  return equal;
}

bool Matcher::same_definition(const wit::TypeDef& expected, const wit::TypeDef& found) {
  if (expected.kind.index() != found.kind.index()) return false;
  return std::visit(
      [&](const auto& mine) { return same_kind(mine, std::get<std::decay_t<decltype(mine)>>(found.kind)); },
      expected.kind);
}

bool Matcher::same_kind(const wit::Alias& a, const wit::Alias& b) { return same(a.type, b.type); }
bool Matcher::same_kind(const wit::Record& a, const wit::Record& b) {
  return same_members(a.fields, b.fields, "field", true);
}
bool Matcher::same_kind(const wit::Variant& a, const wit::Variant& b) {
  return same_members(a.cases, b.cases, "case", true);
}
bool Matcher::same_kind(const wit::Enum& a, const wit::Enum& b) {
  return same_members(a.cases, b.cases, "case", false);
}
bool Matcher::same_kind(const wit::Flags& a, const wit::Flags& b) {
  return same_members(a.labels, b.labels, "flag", false);
}
bool Matcher::same_kind(const wit::Resource&, const wit::Resource&) { return false; } // same_resource decides
bool Matcher::same_kind(const wit::Tuple& a, const wit::Tuple& b) {
  if (a.types.size() != b.types.size()) return false;
  for (std::size_t i = 0; i < a.types.size(); ++i)
    if (!same_at(fmt::format("element {}", i), a.types[i], b.types[i])) return false;
  return true;
}
bool Matcher::same_kind(const wit::List& a, const wit::List& b) {
  return a.length == b.length && same_at("element", a.element, b.element);
}
bool Matcher::same_kind(const wit::Map& a, const wit::Map& b) {
  return same_at("key", a.key, b.key) && same_at("value", a.value, b.value);
}
bool Matcher::same_kind(const wit::Option& a, const wit::Option& b) { return same_at("some", a.type, b.type); }
bool Matcher::same_kind(const wit::ResultType& a, const wit::ResultType& b) {
  return same_at("ok", a.ok, b.ok) && same_at("error", a.error, b.error);
}
bool Matcher::same_kind(const wit::Own& a, const wit::Own& b) { return same(a.resource, b.resource); }
bool Matcher::same_kind(const wit::Borrow& a, const wit::Borrow& b) { return same(a.resource, b.resource); }
bool Matcher::same_kind(const wit::Stream& a, const wit::Stream& b) { return same_at("element", a.element, b.element); }
bool Matcher::same_kind(const wit::Future& a, const wit::Future& b) { return same_at("element", a.element, b.element); }

} // namespace cusp::compose
