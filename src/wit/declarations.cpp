#include "wit/declarations.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "wit/parser.h"

namespace cusp::wit {

using base::Result;

namespace {

std::string did_you_mean(std::string_view wanted, const std::vector<std::string>& names) {
  auto similar = similar_names(wanted, names);
  return similar.empty() ? std::string() : fmt::format("; did you mean `{}`?", fmt::join(similar, "`, `"));
}

} // namespace

Result<void> Declarations::declare(const std::vector<PackageSource>& packages) {
  for (const PackageSource& source : packages) CUSP_TRY(declare_source(source, &source == &packages.front()));
  return {};
}

Result<void> Declarations::declare_source(const PackageSource& source, bool root) {
  std::vector<syntax::File*> files;
  const syntax::Package* header = nullptr;
  std::string content;
  for (std::uint32_t file : source.files) {
    files_.push_back(CUSP_TRY(parse_file(sources_, file)));
    files.push_back(&files_.back());
    content += sources_[file].text;
    const auto& package = files_.back().package;
    if (!package) continue;
    if (header && !(header->name == package->name))
      return sources_.fail(package->span,
                           fmt::format("this file is of package {}, and {} beside it of {}; move one to another folder",
                                       package->name.to_string(), sources_[header->span.file].path,
                                       header->name.to_string()));
    if (header && !header->docs.empty() && !package->docs.empty())
      return sources_.fail(package->span, fmt::format("the package is already documented in {}; keep one documentation",
                                                      sources_[header->span.file].path));
    if (!header || header->docs.empty()) header = &*package;
  }
  DeclaredPackage* package = nullptr;
  if (header) {
    package = CUSP_TRY(add_package(*header, std::move(content)));
    if (root) graph_.root = package ? package->id : PackageId();
  }
  for (syntax::File* file : files) {
    bool empty = file->items.uses.empty() && file->items.interfaces.empty() && file->items.worlds.empty();
    if (!header && (!empty || root))
      return sources_.fail({file->file, 0, 0},
                           "no file here names its package; begin one with `package namespace:name;`");
    for (const syntax::Package& nested : file->nested) {
      DeclaredPackage* inner = CUSP_TRY(add_package(nested, std::string(sources_.text(nested.body))));
      if (inner) CUSP_TRY(add_scope(inner, nested.items));
    }
    if (package) CUSP_TRY(add_scope(package, file->items));
  }
  return {};
}

// Null: defined before, with the same text.
Result<DeclaredPackage*> Declarations::add_package(const syntax::Package& package, std::string content) {
  auto [found, fresh] = by_name_.try_emplace(package.name.to_string(), nullptr);
  if (!fresh) {
    if (found->second->content == content) return nullptr;
    return sources_.fail(package.span,
                         fmt::format("package {} is defined in {} too, with another content; keep one of them",
                                     package.name.to_string(), sources_[found->second->span.file].path));
  }
  DeclaredPackage& declared = packages_.emplace_back();
  declared.name = package.name;
  declared.span = package.span;
  declared.content = std::move(content);
  declared.id = graph_.add(Package{package.name, package.docs, {}, {}});
  found->second = &declared;
  return &declared;
}

Result<void> Declarations::add_scope(DeclaredPackage* package, const syntax::Items& items) {
  Scope& scope = scopes_.emplace_back();
  scope.package = package;
  scope.items = &items;
  for (const syntax::Interface& interface : items.interfaces) {
    Item item;
    item.interface = &interface, item.scope = &scope;
    CUSP_TRY(add_item(std::move(item)));
  }
  for (const syntax::World& world : items.worlds) {
    Item item;
    item.world = &world, item.scope = &scope;
    CUSP_TRY(add_item(std::move(item)));
  }
  for (const syntax::TopUse& use : items.uses) {
    const syntax::Id& name = use.as ? *use.as : use.from.name;
    bool own = !use.from.package && !use.as;
    bool here = std::ranges::any_of(items.interfaces, [&](const auto& item) { return item.name.name == name.name; }) ||
                std::ranges::any_of(items.worlds, [&](const auto& item) { return item.name.name == name.name; });
    if (own || here || !scope.uses.emplace(name.name, &use).second)
      return sources_.fail(name.span,
                           fmt::format("`{}` already has a meaning in this file; choose another with `as`", name.name));
  }
  return {};
}

Result<void> Declarations::add_item(Item item) {
  DeclaredPackage& package = *item.scope->package;
  std::string wanted = lower_case(item.name());
  for (const auto& [name, other] : package.items)
    if (lower_case(name) == wanted)
      return sources_.fail(item.span(),
                           fmt::format("`{}` is already defined in package {}, in {}; rename one", item.name(),
                                       package.name.to_string(), sources_[other->span().file].path));
  items_.push_back(item);
  package.items.emplace(item.name(), &items_.back());
  return {};
}

Result<Item*> Declarations::find(const syntax::Path& path, const Scope& scope) {
  std::set<const syntax::TopUse*> visited;
  return find(path, scope, visited);
}

Result<Item*> Declarations::find(const syntax::Path& path, const Scope& scope,
                                 std::set<const syntax::TopUse*>& visited) {
  if (!path.package) {
    auto use = scope.uses.find(path.name.name);
    if (use == scope.uses.end()) return find_in_package(path, scope.package);
    if (!visited.insert(use->second).second)
      return sources_.fail(path.span,
                           fmt::format("`{}` is a `use` of itself; name the interface that is meant", path.name.name));
    return find(use->second->from, scope, visited);
  }
  auto package = by_name_.find(path.package->to_string());
  if (package != by_name_.end()) return find_in_package(path, package->second);
  std::vector<std::string> names, versions;
  for (const auto& [name, other] : by_name_) {
    names.push_back(name);
    if (other->name.space == path.package->space && other->name.name == path.package->name) versions.push_back(name);
  }
  std::string advice = !versions.empty() ? fmt::format("; there is {}", fmt::join(versions, ", "))
                                         : did_you_mean(path.package->to_string(), names);
  if (advice.empty()) advice = "; put it into the `deps` folder, or define it here with `package … { … }`";
  return sources_.fail(path.span, fmt::format("there is no package {}{}", path.package->to_string(), advice));
}

Result<Item*> Declarations::find_in_package(const syntax::Path& path, DeclaredPackage* package) {
  auto item = package->items.find(path.name.name);
  if (item != package->items.end()) return item->second;
  std::vector<std::string> names;
  for (const auto& [name, _] : package->items) names.push_back(name);
  return sources_.fail(path.name.span,
                       fmt::format("package {} has no interface or world `{}`{}", package->name.to_string(),
                                   path.name.name, did_you_mean(path.name.name, names)));
}

Result<void> Declarations::check_uses() {
  for (const Scope& scope : scopes_)
    for (const syntax::TopUse& use : scope.items->uses) CUSP_TRY(find(use.from, scope));
  return {};
}

Result<std::string> Declarations::gate(const syntax::Attributes& attributes, const Scope& scope) const {
  const Gate& gate = attributes.gate;
  if (gate == Gate{}) return std::string();
  const PackageName& package = scope.package->name;
  for (const auto& version : {gate.since, gate.deprecated}) {
    if (version && !package.version)
      return sources_.fail(attributes.gate_span,
                           fmt::format("a gate with a version needs a package with one: `package {}@{};`",
                                       package.to_string(), version->to_string()));
  }
  if (gate.since && *package.version < *gate.since)
    return sources_.fail(attributes.gate_span, fmt::format("version {} is later than the package's own, {}",
                                                           gate.since->to_string(), package.version->to_string()));
  if (gate.unstable.empty() || options_.all_features || options_.features.contains(gate.unstable)) return std::string();
  return gate.unstable;
}

} // namespace cusp::wit
