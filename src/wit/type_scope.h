// The names of one interface's or world's types, each resolved when first asked for, so that definitions may come in any order.
// Private to wit/.
#pragma once

#include <map>

#include "wit/declarations.h"

namespace cusp::wit {

class TypeScope {
public:
  TypeScope(const Sources& sources, Graph& graph, Owner owner, std::string what)
      : sources_(sources), graph_(graph), owner_(owner), what_(std::move(what)) {}

  // A definition of the text. `off`: the feature that keeps it out.
  base::Result<void> define(const syntax::TypeDef& def, std::string off);
  // A type of another interface under the name `name`.
  base::Result<void> use(const syntax::Id& name, TypeId target, Attributes attributes);
  base::Result<void> use_off(const syntax::Id& name, std::string off);
  // A function's name, which shares its space with types.
  base::Result<void> reserve(const syntax::Id& name);

  base::Result<TypeId> find(const syntax::Id& name);
  base::Result<Type> resolve(const syntax::Type& type);
  base::Result<Function> function(const syntax::Func& func, TypeId resource);

private:
  struct Entry {
    const syntax::TypeDef* def = nullptr; // null: used, or a function
    TypeId id;
    std::string off;
    bool running = false, is_function = false;
    Span span;
  };
  base::Result<Entry*> declare(const syntax::Id& name);
  base::Result<void> define_kind(const syntax::TypeDef& def, TypeDef& out);
  base::Result<std::vector<Member>> members(const syntax::TypeDef& def);
  base::Result<TypeId> resource(const syntax::Id& name);
  base::Result<std::optional<Type>> argument(const syntax::Type& type, std::size_t index);
  base::Result<decltype(TypeDef::kind)> anonymous(const syntax::Type& type);
  bool has_borrow(Type type, std::set<TypeId>& seen) const;
  base::Result<void> check_no_borrow(Type type, Span span, std::string_view where) const;

  static constexpr unsigned kMaxDepth = 1000; // definitions, each inside the next

  const Sources& sources_;
  Graph& graph_;
  Owner owner_;
  std::string what_; // "interface `types`", for messages
  unsigned depth_ = 0;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::string, std::less<>> lower_; // lower case: as declared
};

} // namespace cusp::wit
