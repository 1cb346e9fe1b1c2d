#include "component/ast.h"

#include <fmt/format.h>

namespace cusp::component::ast {

namespace {

template <class... F> struct Overloaded : F... {
  using F::operator()...;
};
template <class... F> Overloaded(F...) -> Overloaded<F...>;

} // namespace

std::string_view sort_name(SortIndex what) {
  constexpr std::string_view kSorts[] = {"core item", "function", "value", "type", "component", "instance"};
  if (what.sort != Sort::Core) return kSorts[static_cast<std::size_t>(what.sort)];
  switch (what.core) {
  case CoreSort::Func: return "core function";
  case CoreSort::Table: return "core table";
  case CoreSort::Memory: return "core memory";
  case CoreSort::Global: return "core global";
  case CoreSort::Tag: return "core tag";
  case CoreSort::Type: return "core type";
  case CoreSort::Module: return "core module";
  case CoreSort::Instance: return "core instance";
  }
  return "core item";
}

SortIndex sort_of(const ExternDesc& desc) {
  switch (desc.kind) {
  case ExternKind::CoreModule: return {Sort::Core, CoreSort::Module, 0};
  case ExternKind::Func: return {Sort::Func, {}, 0};
  case ExternKind::Value: return {Sort::Value, {}, 0};
  case ExternKind::TypeEq:
  case ExternKind::TypeSub: return {Sort::Type, {}, 0};
  case ExternKind::Component: return {Sort::Component, {}, 0};
  case ExternKind::Instance: break;
  }
  return {Sort::Instance, {}, 0};
}

std::string_view Names::find(SortIndex what) const {
  for (const auto& [item, name] : items)
    if (item == what) return name;
  return {};
}

void Counts::add(Sort sort, CoreSort core, std::uint32_t count) {
  if (sort == Sort::Core) core_[static_cast<std::size_t>(core)] += count;
  else sorts_[static_cast<std::size_t>(sort)] += count;
}

std::optional<SortIndex> Counts::defines(const Definition& definition) const {
  auto next = [this](SortIndex what) {
    what.index = of(what.sort, what.core);
    return std::optional(what);
  };
  return std::visit(
      Overloaded{[&](std::uint32_t) { return next({Sort::Core, CoreSort::Module, 0}); },
                 [&](const CoreInstance&) { return next({Sort::Core, CoreSort::Instance, 0}); },
                 [&](const CoreTypeDecl&) { return next({Sort::Core, CoreSort::Type, 0}); },
                 [&](const std::shared_ptr<Component>&) { return next({Sort::Component, {}, 0}); },
                 [&](const Instance&) { return next({Sort::Instance, {}, 0}); },
                 [&](const Alias& alias) { return next({alias.sort, alias.core, 0}); },
                 [&](const TypeDecl&) { return next({Sort::Type, {}, 0}); },
                 [&](const Canon& canon) {
                   bool lift = canon.kind == Canon::Kind::Lift;
                   return next(lift ? SortIndex{Sort::Func, {}, 0} : SortIndex{Sort::Core, CoreSort::Func, 0});
                 },
                 [&](const Import& import) { return next(sort_of(import.desc)); },
                 [&](const Export& entry) { return next(entry.desc ? sort_of(*entry.desc) : entry.what); },
                 [](const auto&) { return std::optional<SortIndex>(); }},
      definition.what);
}

void Counts::add(const Definition& definition) {
  std::uint32_t count = 1;
  if (const auto* type = std::get_if<CoreTypeDecl>(&definition.what))
    if (const auto* group = std::get_if<CoreRecGroup>(type)) count = static_cast<std::uint32_t>(group->types.size());
  if (auto what = defines(definition)) add(what->sort, what->core, count);
  if (const auto* start = std::get_if<Start>(&definition.what)) add(Sort::Value, {}, start->results);
  if (std::holds_alternative<Value>(definition.what)) add(Sort::Value, {});
  aliases_ += std::holds_alternative<Alias>(definition.what);
  canons_ += std::holds_alternative<Canon>(definition.what);
  imports_ += std::holds_alternative<Import>(definition.what);
  exports_ += std::holds_alternative<Export>(definition.what);
}

std::string Counts::describe(const Definition& definition) const {
  if (const auto* import = std::get_if<Import>(&definition.what)) return fmt::format("import `{}`", import->name.text);
  if (const auto* entry = std::get_if<Export>(&definition.what)) return fmt::format("export `{}`", entry->name.text);
  if (std::holds_alternative<Alias>(definition.what)) return fmt::format("alias {}", aliases_);
  if (std::holds_alternative<Canon>(definition.what)) return fmt::format("canonical function {}", canons_);
  if (std::holds_alternative<Start>(definition.what)) return "start";
  auto what = defines(definition);
  return what ? fmt::format("{} {}", sort_name(*what), what->index) : fmt::format("value {}", of(Sort::Value, {}));
}

std::string Counts::describe(std::uint8_t section) const {
  switch (section) {
  case 1: return fmt::format("core module {}", of(Sort::Core, CoreSort::Module));
  case 2: return fmt::format("core instance {}", of(Sort::Core, CoreSort::Instance));
  case 3: return fmt::format("core type {}", of(Sort::Core, CoreSort::Type));
  case 4: return fmt::format("component {}", of(Sort::Component, {}));
  case 5: return fmt::format("instance {}", of(Sort::Instance, {}));
  case 6: return fmt::format("alias {}", aliases_);
  case 7: return fmt::format("type {}", of(Sort::Type, {}));
  case 8: return fmt::format("canonical function {}", canons_);
  case 9: return "start";
  case 10: return fmt::format("import {}", imports_);
  case 11: return fmt::format("export {}", exports_);
  case 12: return fmt::format("value {}", of(Sort::Value, {}));
  default: return {};
  }
}

} // namespace cusp::component::ast
