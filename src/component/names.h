// The grammar of names: labels in kebab case, plain names with their annotations, interface names with versions, and the names of
// dependencies that older components import. Private to component/. Spec: Explainer.md, "Import and Export Definitions".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cusp::component {

enum class NameKind : std::uint8_t {
  Label,       // a-b-c
  Constructor, // [constructor]a
  Method,      // [method]a.b
  Static,      // [static]a.b
  Interface,   // a:b/c@1.2.3
  Dependency,  // unlocked-dep=<a:b@*>, locked-dep=<a:b@1.0.0>
  Url,         // url=<…>
  Hash         // integrity=<sha256-…>
};

// Views into the text that was parsed.
struct ExternName {
  NameKind kind{};
  std::string_view text;
  std::string_view resource;               // Constructor, Method, Static
  std::string_view member;                 // Method, Static
  std::optional<std::string_view> version; // Interface: what follows `@`, not checked yet
};

bool is_label(std::string_view text);
bool is_semver(std::string_view text);

// `nested`: namespaces and packages may hold others (a:b:c/d/e). Error: Invalid, without a place. The version of an interface name is for
// check_version.
base::Result<ExternName> parse_extern_name(std::string_view text, bool nested);

// Spec: `interfaceversion`, `versionsuffix`. REQUIRES: an interface name.
base::Result<void> check_version(const ExternName& name, std::optional<std::string_view> suffix);

// Two names are strongly unique when their keys differ. Spec: "Name Uniqueness".
std::string uniqueness_key(const ExternName& name);
std::string lower_case(std::string_view text);

} // namespace cusp::component
