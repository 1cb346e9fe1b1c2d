#include "component/names.h"

#include <algorithm>

#include <fmt/format.h>

namespace cusp::component {

using base::ErrorCode;
using base::Result;

namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_label_char(char c) { return is_lower(c) || is_upper(c) || is_digit(c) || c == '-'; }

// A fragment: digits and letters of one case; the first one begins with a letter.
bool is_fragment(std::string_view text, bool first) {
  if (text.empty() || (first && is_digit(text[0]))) return false;
  bool lower = std::any_of(text.begin(), text.end(), is_lower);
  bool upper = std::any_of(text.begin(), text.end(), is_upper);
  return !(lower && upper) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_label_char(c) && c != '-'; });
}

// Digits without a leading zero.
bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit) && (text.size() == 1 || text[0] != '0');
}

// Identifiers separated by dots, of a pre-release (no leading zeros) or of a build.
bool are_identifiers(std::string_view text, bool leading_zeros) {
  while (true) {
    std::size_t dot = text.find('.');
    std::string_view part = text.substr(0, dot);
    if (part.empty() || !std::all_of(part.begin(), part.end(), is_label_char)) return false;
    bool number = std::all_of(part.begin(), part.end(), is_digit);
    if (number && !leading_zeros && !is_number(part)) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

// Spec: `canonversion`.
bool is_canonical_version(std::string_view text) {
  if (text == "0.0.0") return true;
  for (std::string_view prefix : {"0.0.", "0."})
    if (text.starts_with(prefix)) return is_number(text.substr(prefix.size())) && text[prefix.size()] != '0';
  return is_number(text) && text[0] != '0';
}

bool is_base64(std::string_view text) {
  std::size_t end = text.find('=');
  std::string_view digits = text.substr(0, end);
  std::string_view padding = end == std::string_view::npos ? std::string_view() : text.substr(end);
  auto is_base64_digit = [](char c) { return is_lower(c) || is_upper(c) || is_digit(c) || c == '+' || c == '/'; };
  return !digits.empty() && std::all_of(digits.begin(), digits.end(), is_base64_digit) && padding.size() <= 2 &&
         padding.find_first_not_of('=') == std::string_view::npos;
}

std::unexpected<base::Error> invalid(std::string message) { return base::fail(ErrorCode::Invalid, std::move(message)); }

class NameParser {
public:
  NameParser(std::string_view text, bool nested) : text_(text), left_(text), nested_(nested) {}

  Result<ExternName> parse() {
    ExternName name{.kind = NameKind::Label, .text = text_, .resource = {}, .member = {}, .version = {}};
    if (eat("[constructor]")) {
      name.kind = NameKind::Constructor;
      name.resource = CUSP_TRY(label(rest()));
    } else if (bool method = left_.starts_with("[method]"); method || left_.starts_with("[static]")) {
      name.kind = method ? NameKind::Method : NameKind::Static;
      eat(method ? "[method]" : "[static]");
      std::size_t dot = left_.find('.');
      if (dot == std::string_view::npos) return invalid("failed to find `.` character");
      name.resource = CUSP_TRY(label(take(dot)));
      eat(".");
      name.member = CUSP_TRY(label(rest()));
    } else if (eat("unlocked-dep=")) {
      name.kind = NameKind::Dependency;
      CUSP_TRY(bracketed([&]() -> Result<void> { return package_query(); }));
    } else if (eat("locked-dep=")) {
      name.kind = NameKind::Dependency;
      CUSP_TRY(bracketed([&]() -> Result<void> {
        CUSP_TRY(package_path(false));
        return eat("@") ? semver(take_until('>')) : Result<void>();
      }));
      CUSP_TRY(optional_hash());
    } else if (eat("url=")) {
      name.kind = NameKind::Url;
      CUSP_TRY(bracketed([&]() -> Result<void> {
        if (take_until('>').find('<') != std::string_view::npos) return invalid("url cannot contain `<`");
        return {};
      }));
      CUSP_TRY(optional_hash());
    } else if (eat("integrity=")) {
      name.kind = NameKind::Hash;
      CUSP_TRY(hash());
    } else if (left_.find(':') != std::string_view::npos) {
      name.kind = NameKind::Interface;
      CUSP_TRY(package_path(true));
      if (eat("@")) name.version = rest();
    } else {
      name.member = CUSP_TRY(label(rest()));
    }
    if (!left_.empty()) return invalid(fmt::format("trailing characters found: `{}`", left_));
    return name;
  }

private:
  bool eat(std::string_view prefix) {
    if (!left_.starts_with(prefix)) return false;
    left_.remove_prefix(prefix.size());
    return true;
  }
  Result<void> expect(std::string_view prefix) {
    if (eat(prefix)) return {};
    return invalid(fmt::format("expected `{}` at `{}`", prefix, left_));
  }
  std::string_view take(std::size_t count) {
    std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() { return take(left_.size()); }
  std::string_view take_until(char end) { return take(left_.find(end)); }
  template <class Inner> Result<void> bracketed(Inner inner) {
    CUSP_TRY(expect("<"));
    CUSP_TRY(inner());
    return expect(">");
  }

  Result<std::string_view> label(std::string_view text) {
    if (!is_label(text)) return invalid(fmt::format("`{}` is not in kebab case", text));
    return text;
  }
  Result<std::string_view> leading_label() {
    std::size_t end = 0;
    while (end < left_.size() && is_label_char(left_[end])) ++end;
    return label(take(end));
  }
  Result<void> words() {
    std::string_view text = CUSP_TRY(leading_label());
    for (char c : text)
      if (is_upper(c)) return invalid(fmt::format("character `{}` is not lowercase in package name/namespace", c));
    return {};
  }
  Result<void> semver(std::string_view text) {
    if (!is_semver(text)) return invalid(fmt::format("`{}` is not a valid semver", text));
    return {};
  }

  // Namespaces, the package, and projections: a:b, a:b:c/d/e.
  Result<void> package_path(bool projected) {
    CUSP_TRY(words());
    CUSP_TRY(expect(":"));
    CUSP_TRY(words());
    while (nested_ && eat(":")) CUSP_TRY(words());
    if (projected && !left_.starts_with("/")) return invalid("expected `/` after package name");
    for (bool first = true; (first || nested_) && eat("/"); first = false) CUSP_TRY(leading_label());
    return {};
  }

  Result<void> package_query() {
    CUSP_TRY(package_path(false));
    if (!eat("@") || eat("*")) return {};
    CUSP_TRY(expect("{"));
    std::string_view range = take_until('}');
    CUSP_TRY(expect("}"));
    if (range.starts_with(">=")) {
      range.remove_prefix(2);
      std::size_t space = range.find(' ');
      CUSP_TRY(semver(range.substr(0, space)));
      if (space == std::string_view::npos) return {};
      range.remove_prefix(space + 1);
      if (!range.starts_with("<")) return invalid("expected `<` at start of version range upper bounds");
    }
    if (!range.starts_with("<")) return invalid("expected `>=` or `<` at start of version range");
    return semver(range.substr(1));
  }

  Result<void> optional_hash() {
    if (!eat(",")) return {};
    CUSP_TRY(expect("integrity="));
    return hash();
  }
  Result<void> hash() {
    CUSP_TRY(expect("<"));
    std::string_view all = take_until('>');
    bool any = false;
    while (!all.empty()) {
      std::size_t space = std::min(all.find(' '), all.size());
      std::string_view one = all.substr(0, space);
      all.remove_prefix(std::min(space + 1, all.size()));
      if (one.empty()) continue;
      any = true;
      CUSP_TRY(one_hash(one));
    }
    if (!any) return invalid("integrity hash cannot be empty");
    return expect(">");
  }
  Result<void> one_hash(std::string_view text) {
    for (std::string_view algorithm : {"sha256", "sha384", "sha512"}) {
      if (!text.starts_with(algorithm)) continue;
      text.remove_prefix(algorithm.size());
      if (!text.starts_with("-")) return invalid(fmt::format("expected `-` after hash algorithm: {}", text));
      std::string_view digits = text.substr(1, text.find('?') - 1);
      if (!is_base64(digits)) return invalid(fmt::format("not valid base64: `{}`", digits));
      return {};
    }
    return invalid(fmt::format("unrecognized hash algorithm: `{}`", text));
  }

  std::string_view text_, left_;
  bool nested_;
};

} // namespace

bool is_label(std::string_view text) {
  for (bool first = true;; first = false) {
    std::size_t dash = text.find('-');
    if (!is_fragment(text.substr(0, dash), first)) return false;
    if (dash == std::string_view::npos) return true;
    text.remove_prefix(dash + 1);
  }
}

bool is_semver(std::string_view text) {
  std::size_t plus = text.find('+');
  if (plus != std::string_view::npos && !are_identifiers(text.substr(plus + 1), true)) return false;
  text = text.substr(0, plus);
  std::size_t minus = text.find('-');
  if (minus != std::string_view::npos && !are_identifiers(text.substr(minus + 1), false)) return false;
  text = text.substr(0, minus);
  for (int part = 0; part < 2; ++part) {
    std::size_t dot = text.find('.');
    if (dot == std::string_view::npos || !is_number(text.substr(0, dot))) return false;
    text.remove_prefix(dot + 1);
  }
  return is_number(text);
}

Result<ExternName> parse_extern_name(std::string_view text, bool nested) { return NameParser(text, nested).parse(); }

Result<void> check_version(const ExternName& name, std::optional<std::string_view> suffix) {
  if (suffix) {
    if (!name.version || !is_canonical_version(*name.version))
      return invalid("a version suffix needs an interface name with a canonical version");
    std::string whole = fmt::format("{}{}", *name.version, *suffix);
    if (!is_semver(whole)) return invalid(fmt::format("invalid interface version: `{}` is not a valid semver", whole));
    return {};
  }
  if (name.version && !is_semver(*name.version) && !is_canonical_version(*name.version))
    return invalid(fmt::format("invalid interface version: `{}` is not a valid semver", *name.version));
  return {};
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::string uniqueness_key(const ExternName& name) {
  if (name.kind >= NameKind::Dependency) return std::string(name.text);
  if (name.kind != NameKind::Method && name.kind != NameKind::Static) return lower_case(name.text);
  std::string resource = lower_case(name.resource), member = lower_case(name.member);
  return resource == member ? resource : resource + "." + member;
}

} // namespace cusp::component
