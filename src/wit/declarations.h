// What the packages declare at top level, and the look-up of a path to it: the first half of resolution. Private to wit/.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "wit/resolver.h"
#include "wit/syntax.h"

namespace cusp::wit {

struct Scope;

// An interface or a world as declared, and what has become of it.
struct Item {
  const syntax::Interface* interface = nullptr;
  const syntax::World* world = nullptr;
  const Scope* scope = nullptr;
  enum class State : std::uint8_t { Waiting, Running, Done } state{};
  std::uint32_t id = 0; // of the graph, once Running
  std::string off;      // the feature that keeps it out; empty: it is in
  std::string_view name() const { return interface ? interface->name.name : world->name.name; }
  Span span() const { return interface ? interface->name.span : world->name.span; }
  std::string_view noun() const { return interface ? "interface" : "world"; }
};

struct DeclaredPackage {
  PackageName name;
  PackageId id;
  Span span;                                       // where it is first named
  std::string content;                             // its text, to compare a second definition with
  std::map<std::string, Item*, std::less<>> items; // by name
};

// A file's items, or those between a nested package's braces: where `use a:b/c as d;` holds.
struct Scope {
  DeclaredPackage* package = nullptr;
  const syntax::Items* items = nullptr;
  std::map<std::string, const syntax::TopUse*, std::less<>> uses;
};

class Declarations {
public:
  Declarations(const Sources& sources, const ResolveOptions& options, Graph& graph)
      : sources_(sources), options_(options), graph_(graph) {}

  base::Result<void> declare(const std::vector<PackageSource>& packages);

  // The item that a path names, seen from `scope`. Error: with what similar names there are.
  base::Result<Item*> find(const syntax::Path& path, const Scope& scope);

  // Whether a gated item is in: the feature that keeps it out, or empty. Error: a gate that makes no sense here.
  base::Result<std::string> gate(const syntax::Attributes& attributes, const Scope& scope) const;

  std::deque<Item>& items() { return items_; }

  // Every `use` of a file means something, whether it is made use of or not.
  base::Result<void> check_uses();

private:
  base::Result<void> declare_source(const PackageSource& source, bool root);
  base::Result<DeclaredPackage*> add_package(const syntax::Package& package, std::string content);
  base::Result<void> add_scope(DeclaredPackage* package, const syntax::Items& items);
  base::Result<void> add_item(Item item);
  base::Result<Item*> find(const syntax::Path& path, const Scope& scope, std::set<const syntax::TopUse*>& visited);
  base::Result<Item*> find_in_package(const syntax::Path& path, DeclaredPackage* package);

  const Sources& sources_;
  const ResolveOptions& options_;
  Graph& graph_;
  std::deque<syntax::File> files_;
  std::deque<DeclaredPackage> packages_;
  std::map<std::string, DeclaredPackage*> by_name_;
  std::deque<Scope> scopes_;
  std::deque<Item> items_;
};

} // namespace cusp::wit
