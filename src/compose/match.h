// Whether what one component exports is what another imports, and where not, in WIT's terms: expected and found, side by side.
// Types are equal by structure and resources by identity; names of types do not count, names of fields, cases and parameters do.
// Spec: component-model Subtyping.md, Explainer.md "Type Checking".
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "wit/graph.h"

namespace cusp::compose {

struct Difference {
  std::string what;            // "function `submit`", "record `order`"; a whole sentence where both texts are empty
  std::string expected, found; // WIT text; an empty `found`: it is missing
};

// Lines for a terminal, indented by two.
std::string to_text(const std::vector<Difference>& differences);

class Matcher {
public:
  // Which resource a type is, told by a text: two are one exactly when their texts are equal. The type is a resource, aliases followed.
  using Identity = std::function<std::string(wit::TypeId)>;
  Matcher(const wit::Graph& expected, const wit::Graph& found) : expected_(expected), found_(found) {}

  // Without identities, a resource is what its interface (any compatible version of it) and name say.
  void set_identities(Identity expected, Identity found) {
    expected_identity_ = std::move(expected), found_identity_ = std::move(found);
  }

  // Everything that `expected` has must be in `found`, alike.
  void interface(wit::InterfaceId expected, wit::InterfaceId found);
  void function(const wit::Function& expected, const wit::Function& found);
  // Named types that stand for each other.
  void named(wit::TypeId expected, wit::TypeId found);

  const std::vector<Difference>& differences() const { return differences_; }

private:
  // What both sides have where their types first part, and the steps that lead there.
  struct Parting {
    std::string place, expected, found;
  };
  bool same(wit::Type expected, wit::Type found);
  bool same_at(std::string step, const std::optional<wit::Type>& expected, const std::optional<wit::Type>& found);
  bool part(std::string expected, std::string found); // false
  // `compare` with no steps before it: whether they are the same, and where they part.
  template <class F> bool compare_afresh(F compare, std::optional<Parting>& parting);
  void tell_named(wit::TypeId expected, wit::TypeId found, const std::optional<Parting>& parting);
  bool same_resource(wit::TypeId expected, wit::TypeId found);
  bool same_definition(const wit::TypeDef& expected, const wit::TypeDef& found);
  bool same_members(const std::vector<wit::Member>& expected, const std::vector<wit::Member>& found, const char* what,
                    bool typed);
  bool same_kind(const wit::Alias& a, const wit::Alias& b);
  bool same_kind(const wit::Record& a, const wit::Record& b);
  bool same_kind(const wit::Variant& a, const wit::Variant& b);
  bool same_kind(const wit::Enum& a, const wit::Enum& b);
  bool same_kind(const wit::Flags& a, const wit::Flags& b);
  bool same_kind(const wit::Resource& a, const wit::Resource& b);
  bool same_kind(const wit::Tuple& a, const wit::Tuple& b);
  bool same_kind(const wit::List& a, const wit::List& b);
  bool same_kind(const wit::Map& a, const wit::Map& b);
  bool same_kind(const wit::Option& a, const wit::Option& b);
  bool same_kind(const wit::ResultType& a, const wit::ResultType& b);
  bool same_kind(const wit::Own& a, const wit::Own& b);
  bool same_kind(const wit::Borrow& a, const wit::Borrow& b);
  bool same_kind(const wit::Stream& a, const wit::Stream& b);
  bool same_kind(const wit::Future& a, const wit::Future& b);
  std::string identity(const wit::Graph& graph, const Identity& given, wit::TypeId resource) const;

  const wit::Graph& expected_;
  const wit::Graph& found_;
  Identity expected_identity_, found_identity_;
  wit::InterfaceId expected_interface_, found_interface_; // being compared: their own resources are one by name
  std::map<std::pair<wit::TypeId, wit::TypeId>, bool> known_;
  std::vector<std::string> steps_; // from what is being compared to the types at hand
  std::optional<Parting> parting_;
  std::vector<Difference> differences_;
};

} // namespace cusp::compose
