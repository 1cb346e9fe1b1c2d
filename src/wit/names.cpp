#include "wit/names.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace cusp::wit {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// A number of a version: digits without a leading zero.
std::optional<std::uint64_t> version_number(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0') || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0;;) {
    std::size_t next = text.find(separator, at);
    parts.push_back(text.substr(at, next - at));
    if (next == std::string_view::npos) return parts;
    at = next + 1;
  }
}

bool is_version_suffix(std::string_view text, bool numbers_plain) {
  return std::ranges::all_of(split(text, '.'), [&](std::string_view part) {
    bool number = std::ranges::all_of(part, is_digit);
    if (part.empty() || (numbers_plain && number && part.size() > 1 && part[0] == '0')) return false;
    return std::ranges::all_of(part, [](char c) { return is_digit(c) || is_lower(c) || is_upper(c) || c == '-'; });
  });
}

std::strong_ordering compare_identifier(std::string_view a, std::string_view b) {
  auto x = version_number(a), y = version_number(b);
  if (x && y) return *x <=> *y;
  if (x || y) return x ? std::strong_ordering::less : std::strong_ordering::greater;
  return a <=> b;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      std::size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

} // namespace

std::string Version::to_string() const {
  std::string text = fmt::format("{}.{}.{}", major, minor, patch);
  if (!prerelease.empty()) text += "-" + prerelease;
  if (!build.empty()) text += "+" + build;
  return text;
}

std::strong_ordering Version::operator<=>(const Version& other) const {
  if (auto order = std::tie(major, minor, patch) <=> std::tie(other.major, other.minor, other.patch); order != 0)
    return order;
  if (prerelease.empty() || other.prerelease.empty()) return prerelease.empty() <=> other.prerelease.empty();
  auto mine = split(prerelease, '.'), theirs = split(other.prerelease, '.');
  for (std::size_t i = 0; i < std::min(mine.size(), theirs.size()); ++i)
    if (auto order = compare_identifier(mine[i], theirs[i]); order != 0) return order;
  return mine.size() <=> theirs.size();
}

std::optional<Version> parse_version(std::string_view text) {
  Version version;
  if (std::size_t plus = text.find('+'); plus != std::string_view::npos) {
    version.build = text.substr(plus + 1);
    if (!is_version_suffix(version.build, false)) return std::nullopt;
    text = text.substr(0, plus);
  }
  if (std::size_t dash = text.find('-'); dash != std::string_view::npos) {
    version.prerelease = text.substr(dash + 1);
    if (!is_version_suffix(version.prerelease, true)) return std::nullopt;
    text = text.substr(0, dash);
  }
  auto parts = split(text, '.');
  if (parts.size() != 3) return std::nullopt;
  auto major = version_number(parts[0]), minor = version_number(parts[1]), patch = version_number(parts[2]);
  if (!major || !minor || !patch) return std::nullopt;
  version.major = *major, version.minor = *minor, version.patch = *patch;
  return version;
}

std::string version_track(const Version& version) {
  if (!version.prerelease.empty()) return version.to_string();
  if (version.major != 0) return fmt::format("{}", version.major);
  if (version.minor != 0) return fmt::format("0.{}", version.minor);
  return fmt::format("0.0.{}", version.patch);
}

std::string PackageName::to_string() const {
  return fmt::format("{}:{}{}", space, name, version ? "@" + version->to_string() : "");
}

std::string InterfaceName::to_string() const {
  return fmt::format("{}:{}/{}{}", package.space, package.name, name,
                     package.version ? "@" + package.version->to_string() : "");
}

std::optional<PackageName> parse_package_name(std::string_view text) {
  PackageName package;
  if (std::size_t at = text.find('@'); at != std::string_view::npos) {
    package.version = parse_version(text.substr(at + 1));
    if (!package.version) return std::nullopt;
    text = text.substr(0, at);
  }
  std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  package.space = text.substr(0, colon), package.name = text.substr(colon + 1);
  if (label_problem(package.space) || label_problem(package.name)) return std::nullopt;
  return package;
}

std::optional<InterfaceName> parse_interface_name(std::string_view text) {
  std::size_t slash = text.find('/'), at = text.find('@');
  if (slash == std::string_view::npos || at < slash) return std::nullopt;
  std::string_view label = text.substr(slash + 1, at == std::string_view::npos ? at : at - slash - 1);
  std::string package_text(text.substr(0, slash));
  if (at != std::string_view::npos) package_text += text.substr(at);
  auto package = parse_package_name(package_text);
  if (!package || label_problem(label)) return std::nullopt;
  return InterfaceName{*package, std::string(label)};
}

std::string name_track(std::string_view extern_name) {
  auto name = parse_interface_name(extern_name);
  if (!name || !name->package.version) return std::string(extern_name);
  return fmt::format("{}:{}/{}@{}", name->package.space, name->package.name, name->name,
                     version_track(*name->package.version));
}

bool compatible_names(std::string_view a, std::string_view b) { return a == b || name_track(a) == name_track(b); }

std::optional<std::string> label_problem(std::string_view text) {
  if (text.empty()) return "it is empty";
  bool first = true;
  for (std::string_view word : split(text, '-')) {
    if (word.empty()) return "a '-' must stand between two words";
    if (first && is_digit(word[0])) return "its first word begins with a digit";
    first = false;
    bool lower = false, upper = false;
    for (char c : word) {
      if (!is_digit(c) && !is_lower(c) && !is_upper(c)) return fmt::format("'{}' is not a letter, digit or '-'", c);
      lower |= is_lower(c), upper |= is_upper(c);
    }
    if (lower && upper) return "each word is all lower case or all upper case, with '-' between words";
  }
  return std::nullopt;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::vector<std::string> similar_names(std::string_view wanted, const std::vector<std::string>& names) {
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& name : names) {
    if (name.size() > 200 || wanted.size() > 200) continue;
    std::size_t distance = edit_distance(wanted, name);
    if (distance <= std::max<std::size_t>(2, wanted.size() / 4)) near.emplace_back(distance, name);
  }
  std::ranges::sort(near);
  std::vector<std::string> result;
  for (auto& [_, name] : near)
    if (result.size() < 3) result.push_back(std::move(name));
  return result;
}

} // namespace cusp::wit
