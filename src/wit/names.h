// Names as WIT and component imports write them: labels, semantic versions, package and interface names.
// Spec: component-model Explainer.md "Import and Export Definitions", semver.org 2.0.0.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cusp::wit {

struct Version {
  std::uint64_t major = 0, minor = 0, patch = 0;
  std::string prerelease, build; // without their '-' and '+'

  std::string to_string() const;
  // Precedence, build metadata left out. Spec: semver 11.
  std::strong_ordering operator<=>(const Version& other) const;
  bool operator==(const Version& other) const = default;
};

std::optional<Version> parse_version(std::string_view text);

// The part that compatible versions share: "1", "0.2", "0.0.3"; a pre-release is compatible with itself alone, its whole text.
std::string version_track(const Version& version);

// "wasi:io@0.2.0".
struct PackageName {
  std::string space, name;
  std::optional<Version> version;

  std::string to_string() const;
  bool operator==(const PackageName&) const = default;
};

// "wasi:io/streams@0.2.0".
struct InterfaceName {
  PackageName package;
  std::string name;

  std::string to_string() const;
  bool operator==(const InterfaceName&) const = default;
};

std::optional<PackageName> parse_package_name(std::string_view text);
// Absent: a plain name, or malformed.
std::optional<InterfaceName> parse_interface_name(std::string_view text);

// Names that may stand for each other have the same track: "wasi:io/streams@0.2" for every 0.2.x; other names are their own.
std::string name_track(std::string_view extern_name);
bool compatible_names(std::string_view a, std::string_view b);

// What is wrong with a label, as a clause for a message; nothing when it is one. Spec: `label`.
std::optional<std::string> label_problem(std::string_view text);
// Names are unique without regard to case.
std::string lower_case(std::string_view text);
// Those of `names` that `wanted` may be a slip of, best first, for "did you mean".
std::vector<std::string> similar_names(std::string_view wanted, const std::vector<std::string>& names);

} // namespace cusp::wit
