#include "compose/check_world.h"

#include <fmt/format.h>

#include "wit/printer.h"

namespace cusp::compose {

namespace {

const wit::WorldItem* find_item(const wit::Graph& graph, const std::vector<wit::WorldItem>& items,
                                std::string_view name) {
  for (const wit::WorldItem& item : items)
    if (wit::compatible_names(graph.extern_name(item), name)) return &item;
  return nullptr;
}

std::string item_text(const wit::Graph& graph, const wit::WorldItem& item, std::string_view direction) {
  if (const auto* function = std::get_if<wit::Function>(&item.what))
    return fmt::format("{} {};", direction, wit::print_function(graph, *function));
  if (const auto* type = std::get_if<wit::TypeId>(&item.what)) return wit::print_definition(graph, *type);
  return fmt::format("{} {};", direction, graph.extern_name(item));
}

} // namespace

std::vector<Difference> check_world(const wit::Graph& component_graph, const wit::World& component,
                                    const wit::Graph& graph, const wit::World& world) {
  std::vector<Difference> all;
  // `wanted` must be served by an item of the other side.
  auto check = [&](const wit::Graph& wanted_graph, const wit::WorldItem& wanted, const wit::Graph& given_graph,
                   const std::vector<wit::WorldItem>& given, std::string_view direction) {
    std::string name = wanted_graph.extern_name(wanted);
    std::string what = fmt::format("{} `{}`", direction, name);
    const wit::WorldItem* found = find_item(given_graph, given, name);
    bool interface = std::holds_alternative<wit::InterfaceId>(wanted.what);
    if (!found && interface) {
      all.push_back(
          {fmt::format("{}: {}", what,
                       direction == "import" ? "the world does not give it" : "the component does not have it"),
           {},
           {}});
      return;
    }
    if (!found || found->what.index() != wanted.what.index()) {
      all.push_back(
          {what, item_text(wanted_graph, wanted, direction), found ? item_text(given_graph, *found, direction) : ""});
      return;
    }
    Matcher matcher(wanted_graph, given_graph);
    if (const auto* id = std::get_if<wit::InterfaceId>(&wanted.what))
      matcher.interface(*id, std::get<wit::InterfaceId>(found->what));
    else if (const auto* function = std::get_if<wit::Function>(&wanted.what))
      matcher.function(*function, std::get<wit::Function>(found->what));
    else matcher.named(std::get<wit::TypeId>(wanted.what), std::get<wit::TypeId>(found->what));
    for (Difference difference : matcher.differences()) {
      difference.what = fmt::format("{}: {}", what, difference.what);
      all.push_back(std::move(difference));
    }
  };
  for (const wit::WorldItem& item : component.imports) check(component_graph, item, graph, world.imports, "import");
  for (const wit::WorldItem& item : world.exports) check(graph, item, component_graph, component.exports, "export");
  return all;
}

} // namespace cusp::compose
