#include "compose/composition.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compose/to_wit.h"

namespace cusp::compose {

using base::ErrorCode;
using base::Result;

namespace {

const wit::WorldItem* find_item(const wit::Graph& graph, const std::vector<wit::WorldItem>& items,
                                std::string_view name) {
  const wit::WorldItem* best = nullptr;
  std::optional<wit::Version> version;
  for (const wit::WorldItem& item : items) {
    std::string other = graph.extern_name(item);
    if (other == name) return &item;
    if (!wit::compatible_names(other, name)) continue;
    auto parsed = wit::parse_interface_name(other);
    if (best && !(version < parsed->package.version)) continue;
    best = &item, version = parsed->package.version;
  }
  return best;
}

std::string names(const wit::Graph& graph, const std::vector<wit::WorldItem>& items) {
  std::vector<std::string> list;
  for (const wit::WorldItem& item : items) list.push_back(graph.extern_name(item));
  return list.empty() ? "nothing" : fmt::format("{}", fmt::join(list, ", "));
}

// File names without their folder and ending; a number where two are the same.
std::string instance_name(const std::string& file, const std::vector<PartInstance>& taken) {
  std::string name = file.substr(file.rfind('/') + 1);
  name = name.substr(0, name.rfind('.'));
  auto used = [&](const std::string& candidate) {
    return std::ranges::any_of(taken, [&](const PartInstance& other) { return other.name == candidate; });
  };
  std::string unique = name;
  for (int n = 2; used(unique); ++n) unique = fmt::format("{}-{}", name, n);
  return unique;
}

// Says of each export of a plug why nobody took it.
std::unexpected<base::Error> unused_plug(const Composition& plan, std::size_t plug) {
  const Part& part = plan.part_of(plug);
  std::string reasons;
  for (const wit::WorldItem& item : part.world().exports) {
    std::string name = part.graph.extern_name(item);
    std::string reason = "nobody imports it";
    for (std::size_t j = 0; j < plan.instances.size(); ++j) {
      const Part& other = plan.part_of(j);
      for (const wit::WorldItem& import : other.world().imports) {
        std::string wanted = other.graph.extern_name(import);
        if (j == plug || wanted.substr(0, wanted.find('@')) != name.substr(0, name.find('@'))) continue;
        Source source = plan.source(j, wanted);
        reason = source.instance
                     ? fmt::format("{} gets it from {}", other.file, plan.part_of(*source.instance).file)
                     : fmt::format("{} imports {}, and the versions are not compatible", other.file, wanted);
      }
    }
    reasons += fmt::format("\n  {}: {}", name, reason);
  }
  return base::fail(
      ErrorCode::InvalidArgument,
      fmt::format("nothing makes use of the plug {}; leave it out, or see whether names and versions agree{}",
                  part.file, reasons));
}

} // namespace

const wit::WorldItem* Part::find_export(std::string_view name) const { return find_item(graph, world().exports, name); }
const wit::WorldItem* Part::find_import(std::string_view name) const { return find_item(graph, world().imports, name); }

Result<Part> make_part(std::string file, std::vector<std::uint8_t> bytes) {
  auto failed = [&](base::Error error) {
    error.file = file;
    return std::unexpected(std::move(error));
  };
  if (!component::is_component(bytes)) {
    return failed(base::Error{.code = ErrorCode::InvalidArgument,
                              .message = "this is not a component; `cusp componentize` makes one of a core module",
                              .file = {}});
  }
  auto graph = component_to_wit(bytes);
  if (!graph) return failed(std::move(graph).error());
  return Part{std::move(file), std::move(bytes), std::move(*graph)};
}

Source Composition::source(std::size_t instance, const std::string& import) const {
  const auto& imports = instances[instance].imports;
  auto found = imports.find(import);
  return found == imports.end() ? Source{std::nullopt, import} : found->second;
}

Result<Composition> plan_plugs(std::vector<Part> parts) {
  Composition plan;
  plan.parts = std::move(parts);
  std::size_t count = plan.parts.size();
  for (std::size_t i = 0; i < count; ++i) {
    PartInstance instance;
    instance.name = instance_name(plan.parts[i].file, plan.instances);
    instance.part = i;
    plan.instances.push_back(std::move(instance));
  }
  std::vector<bool> used(count);
  for (std::size_t i = 0; i < count; ++i) {
    for (const wit::WorldItem& import : plan.parts[i].world().imports) {
      if (std::holds_alternative<wit::TypeId>(import.what)) continue; // follows the interface that it is of
      std::string name = plan.parts[i].graph.extern_name(import);
      for (std::size_t step = 1; step < count; ++step) {
        std::size_t other = (i + step) % count;
        if (other == 0) continue; // the front is what everything plugs into, never a plug
        const wit::WorldItem* found = plan.parts[other].find_export(name);
        if (!found) continue;
        plan.instances[i].imports[name] = {other, plan.parts[other].graph.extern_name(*found)};
        used[other] = true;
        break;
      }
    }
  }
  for (std::size_t i = 1; i < count; ++i)
    if (!used[i]) return unused_plug(plan, i);
  for (const wit::WorldItem& item : plan.parts[0].world().exports) {
    std::string name = plan.parts[0].graph.extern_name(item);
    plan.exports.push_back({name, 0, name});
  }
  return plan;
}

namespace {

class FilePlanner {
public:
  FilePlanner(const CompositionFile& file, std::vector<Part> parts) : file_(file) { plan_.parts = std::move(parts); }

  Result<Composition> run() {
    for (const auto& [name, _] : file_.components) part_index_[name] = part_index_.size();
    for (const auto& [name, instance] : file_.instances) {
      auto part = part_index_.find(instance.component);
      if (part == part_index_.end())
        return fail(instance.line, fmt::format("instance `{}` is of component `{}`, which [components] does not have",
                                               name, instance.component));
      index_[name] = plan_.instances.size();
      plan_.instances.push_back({name, part->second, {}, instance.line});
    }
    for (std::size_t i = 0; i < plan_.instances.size(); ++i) CUSP_TRY(imports(i, file_.instances[i].second));
    CUSP_TRY(exports());
    return std::move(plan_);
  }

private:
  std::unexpected<base::Error> fail(std::uint32_t line, std::string message) const {
    base::Error error{.code = ErrorCode::InvalidArgument, .message = std::move(message), .file = file_.path};
    if (line != 0) error.line = line;
    return std::unexpected(std::move(error));
  }

  Result<std::size_t> instance(const std::string& name, std::uint32_t line) const {
    auto found = index_.find(name);
    if (found != index_.end()) return found->second;
    std::vector<std::string> all;
    for (const auto& [other, _] : index_) all.push_back(other);
    return fail(line, fmt::format("there is no instance `{}`; there are {}", name, fmt::join(all, ", ")));
  }

  Result<std::string> export_of(std::size_t from, const std::string& name, std::uint32_t line) const {
    const Part& part = plan_.part_of(from);
    const wit::WorldItem* item = part.find_export(name);
    if (item) return part.graph.extern_name(*item);
    return fail(line, fmt::format("instance `{}` does not export `{}`; it exports {}", plan_.instances[from].name, name,
                                  names(part.graph, part.world().exports)));
  }

  Result<void> imports(std::size_t index, const FileInstance& said) {
    PartInstance& instance = plan_.instances[index];
    const Part& part = plan_.part_of(index);
    for (const auto& [name, from] : said.imports) {
      const wit::WorldItem* item = part.find_import(name);
      if (!item)
        return fail(said.line, fmt::format("instance `{}` does not import `{}`; it imports {}", instance.name, name,
                                           names(part.graph, part.world().imports)));
      std::string own = part.graph.extern_name(*item);
      if (from.first.empty()) {
        instance.imports[own] = {std::nullopt, from.second};
        continue;
      }
      std::size_t other = CUSP_TRY(this->instance(from.first, said.line));
      instance.imports[own] = {other, CUSP_TRY(export_of(other, from.second.empty() ? name : from.second, said.line))};
    }
    for (const std::string& plug : said.plug) {
      std::size_t other = CUSP_TRY(this->instance(plug, said.line));
      bool used = false;
      for (const wit::WorldItem& item : part.world().imports) {
        std::string own = part.graph.extern_name(item);
        const wit::WorldItem* found =
            std::holds_alternative<wit::TypeId>(item.what) ? nullptr : plan_.part_of(other).find_export(own);
        if (!found || instance.imports.contains(own)) continue;
        instance.imports[own] = {other, plan_.part_of(other).graph.extern_name(*found)};
        used = true;
      }
      if (!used)
        return fail(said.line,
                    fmt::format("`{}` exports nothing that `{}` still needs: it exports {}", plug, instance.name,
                                names(plan_.part_of(other).graph, plan_.part_of(other).world().exports)));
    }
    return {};
  }

  Result<void> exports() {
    for (const std::string& name : file_.export_all) {
      std::size_t from = CUSP_TRY(instance(name, 0));
      for (const wit::WorldItem& item : plan_.part_of(from).world().exports) {
        std::string own = plan_.part_of(from).graph.extern_name(item);
        plan_.exports.push_back({own, from, own});
      }
    }
    for (const auto& [name, from] : file_.exports) {
      std::size_t other = CUSP_TRY(instance(from.first, 0));
      plan_.exports.push_back({name, other, CUSP_TRY(export_of(other, from.second.empty() ? name : from.second, 0))});
    }
    if (plan_.exports.empty())
      return fail(0, "nothing is exported; say `export = \"instance\"`, or name exports under [exports]");
    std::map<std::string, std::size_t> seen;
    for (const ComposedExport& entry : plan_.exports)
      if (!seen.emplace(entry.name, entry.instance).second)
        return fail(0,
                    fmt::format("`{}` is exported twice; give one of them another name under [exports]", entry.name));
    return {};
  }

  const CompositionFile& file_;
  Composition plan_;
  std::map<std::string, std::size_t> part_index_, index_;
};

} // namespace

Result<Composition> plan_file(const CompositionFile& file, std::vector<Part> parts) {
  return FilePlanner(file, std::move(parts)).run();
}

} // namespace cusp::compose
