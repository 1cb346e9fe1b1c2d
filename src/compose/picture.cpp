#include "compose/picture.h"

#include <fmt/format.h>

namespace cusp::compose {

namespace {

struct Edge {
  std::string import;
  Source source;
};

// Types come with their interfaces and are no edges of their own.
std::vector<Edge> edges(const Composition& plan, std::size_t instance) {
  std::vector<Edge> result;
  const Part& part = plan.part_of(instance);
  for (const wit::WorldItem& item : part.world().imports) {
    if (std::holds_alternative<wit::TypeId>(item.what)) continue;
    std::string name = part.graph.extern_name(item);
    result.push_back({name, plan.source(instance, name)});
  }
  return result;
}

std::string quoted(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return '"' + out + '"';
}

} // namespace

std::string draw_dot(const Composition& plan) {
  std::string out = "digraph composition {\n  rankdir = LR;\n  node [shape = box];\n";
  std::map<std::string, bool> outside;
  for (std::size_t i = 0; i < plan.instances.size(); ++i) {
    const PartInstance& instance = plan.instances[i];
    out += fmt::format("  {} [label = {}];\n", quoted("i:" + instance.name),
                       quoted(instance.name + "\n" + plan.part_of(i).file));
  }
  for (std::size_t i = 0; i < plan.instances.size(); ++i) {
    std::string from = quoted("i:" + plan.instances[i].name);
    for (const Edge& edge : edges(plan, i)) {
      std::string to = edge.source.instance ? quoted("i:" + plan.instances[*edge.source.instance].name)
                                            : quoted("o:" + edge.source.name);
      if (!edge.source.instance && outside.emplace(edge.source.name, true).second)
        out += fmt::format("  {} [label = {}, shape = plaintext];\n", to, quoted(edge.source.name));
      out += edge.source.instance ? fmt::format("  {} -> {} [label = {}];\n", from, to, quoted(edge.import))
                                  : fmt::format("  {} -> {} [style = dashed];\n", from, to);
    }
  }
  for (const ComposedExport& entry : plan.exports)
    out += fmt::format("  {0} [label = {1}, shape = plaintext];\n  {0} -> {2};\n", quoted("e:" + entry.name),
                       quoted(entry.name), quoted("i:" + plan.instances[entry.instance].name));
  return out + "}\n";
}

std::string draw_text(const Composition& plan) {
  std::string out;
  for (std::size_t i = 0; i < plan.instances.size(); ++i) {
    out += fmt::format("{}  ({})\n", plan.instances[i].name, plan.part_of(i).file);
    std::vector<std::string> lines;
    for (const ComposedExport& entry : plan.exports)
      if (entry.instance == i)
        lines.push_back(fmt::format("{} → outside{}", entry.of, entry.name == entry.of ? "" : " as " + entry.name));
    for (const Edge& edge : edges(plan, i)) {
      std::string other = edge.source.instance ? plan.instances[*edge.source.instance].name : "outside";
      bool renamed = edge.source.name != edge.import;
      lines.push_back(
          fmt::format("{} ← {}{}", edge.import, other, renamed ? fmt::format(" ({})", edge.source.name) : ""));
    }
    for (std::size_t n = 0; n < lines.size(); ++n) out += (n + 1 == lines.size() ? "└─ " : "├─ ") + lines[n] + "\n";
  }
  return out;
}

} // namespace cusp::compose
