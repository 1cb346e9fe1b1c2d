#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <limits>

#include "canon/describe.h"
#include "canon/strings.h"
#include "canon/wave.h"

namespace cusp::canon {

using base::ErrorCode;
using component::TypeDef;
using component::TypeTable;
using component::ValType;

namespace {

constexpr unsigned kMaxDepth = 100;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '%';
}

class Parser {
public:
  Parser(std::string_view text, const TypeTable& types) : text_(text), types_(types) {}

  Result<Value> value(ValType type) {
    if (++depth_ > kMaxDepth) return fail("the value is nested too deeply");
    skip();
    Result<Value> parsed = parse(type);
    --depth_;
    return parsed;
  }
  bool at_end() {
    skip();
    return at_ == text_.size();
  }
  bool take(char c) {
    skip();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::unexpected<base::Error> fail(std::string message) const {
    return base::fail_at(ErrorCode::InvalidArgument, at_, std::move(message));
  }
  std::unexpected<base::Error> expected(std::string_view what) const {
    std::string found = at_ == text_.size() ? "the end" : fmt::format("`{}`", text_.substr(at_, 12));
    return fail(fmt::format("expected {}, found {}", what, found));
  }

private:
  void skip() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') ++at_;
      else if (text_.substr(at_, 2) == "//") at_ = std::min(text_.find('\n', at_), text_.size());
      else break;
    }
  }
  char peek() {
    skip();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  std::string_view peek_word() {
    skip();
    std::size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }
  bool take_word(std::string_view word) {
    if (peek_word() != word) return false;
    at_ += word.size();
    return true;
  }
  // A label: `%` in front only says that it is one.
  Result<std::string> name(std::string_view what) {
    std::string_view word = peek_word();
    if (word.empty()) return expected(what);
    at_ += word.size();
    return std::string(word.substr(word.starts_with('%')));
  }

  Result<Value> parse(ValType type) {
    switch (type.kind) {
    case TypeKind::Bool:
      if (take_word("true")) return Value::boolean(true);
      if (take_word("false")) return Value::boolean(false);
      return expected("true or false");
    case TypeKind::S8: return integer<std::int8_t>(type);
    case TypeKind::U8: return integer<std::uint8_t>(type);
    case TypeKind::S16: return integer<std::int16_t>(type);
    case TypeKind::U16: return integer<std::uint16_t>(type);
    case TypeKind::S32: return integer<std::int32_t>(type);
    case TypeKind::U32: return integer<std::uint32_t>(type);
    case TypeKind::S64: return integer<std::int64_t>(type);
    case TypeKind::U64: return integer<std::uint64_t>(type);
    case TypeKind::F32: return floating<float>();
    case TypeKind::F64: return floating<double>();
    case TypeKind::Char: return character();
    case TypeKind::String: return string();
    case TypeKind::Own:
    case TypeKind::Borrow: return fail("resources have no text form");
    case TypeKind::Stream:
    case TypeKind::Future:
    case TypeKind::ErrorContext: return fail("streams, futures and error contexts have no text form");
    default: break;
    }
    const TypeDef& def = types_.defs[type.index];
    switch (type.kind) {
    case TypeKind::List:
    case TypeKind::FixedList:
    case TypeKind::Map: return list(type, def);
    case TypeKind::Tuple: return tuple(def);
    case TypeKind::Record: return record(def);
    case TypeKind::Flags: return flags(def);
    case TypeKind::Enum: return enumeration(def);
    case TypeKind::Variant: return variant(def);
    case TypeKind::Option: return option(def);
    default: return result(def);
    }
  }

  template <class T> Result<Value> integer(ValType type) {
    const char* end = text_.data() + text_.size();
    T number{};
    auto [rest, error] = std::from_chars(text_.data() + at_, end, number);
    if (error == std::errc::result_out_of_range)
      return fail(fmt::format("the number does not fit into {}", to_string(types_, type)));
    if (error != std::errc() || (rest < end && (is_word(*rest) || *rest == '.')))
      return expected(std::is_signed_v<T> ? "an integer" : "an unsigned integer");
    at_ = static_cast<std::size_t>(rest - text_.data());
    if constexpr (std::is_signed_v<T>)
      return Value::number(type.kind, static_cast<std::uint64_t>(std::int64_t{number}));
    else return Value::number(type.kind, number);
  }

  template <class T> Result<Value> floating() {
    auto make = [](T v) {
      if constexpr (std::is_same_v<T, float>) return Value::f32(v);
      else return Value::f64(v);
    };
    using Limits = std::numeric_limits<T>;
    if (take_word("nan")) return make(Limits::quiet_NaN());
    if (take_word("inf")) return make(Limits::infinity());
    if (take_word("-inf")) return make(-Limits::infinity());
    const char* end = text_.data() + text_.size();
    T number{};
    auto [rest, error] = std::from_chars(text_.data() + at_, end, number);
    if (error != std::errc() || (rest < end && is_word(*rest))) return expected("a number, inf, -inf or nan");
    at_ = static_cast<std::size_t>(rest - text_.data());
    return make(number);
  }

  // One character of a quoted text, escapes taken apart.
  Result<char32_t> quoted_character() {
    if (at_ == text_.size()) return fail("the quote is not closed");
    if (text_[at_] != '\\') return next_code_point(text_, at_);
    if (++at_ == text_.size()) return fail("the quote is not closed");
    char c = text_[at_++];
    switch (c) {
    case 'n': return U'\n';
    case 'r': return U'\r';
    case 't': return U'\t';
    case '\\':
    case '\'':
    case '"': return static_cast<char32_t>(c);
    case 'u': break;
    default: --at_; return fail(fmt::format("unknown escape `\\{}`", c));
    }
    std::uint32_t code = 0;
    const char* end = text_.data() + text_.size();
    if (at_ == text_.size() || text_[at_] != '{') return fail("expected `{` after `\\u`");
    auto [rest, error] = std::from_chars(text_.data() + at_ + 1, end, code, 16);
    if (error != std::errc() || rest == end || *rest != '}' || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      return fail("expected a Unicode scalar value in hexadecimal, like \\u{1f600}");
    at_ = static_cast<std::size_t>(rest - text_.data()) + 1;
    return code;
  }
  Result<Value> character() {
    if (!take('\'')) return expected("a character in single quotes");
    if (at_ < text_.size() && text_[at_] == '\'') return fail("a character in quotes is empty");
    char32_t c = CUSP_TRY(quoted_character());
    if (at_ == text_.size() || text_[at_++] != '\'') return fail("expected a single quote after one character");
    return Value::character(c);
  }
  Result<Value> string() {
    if (peek() != '"') return expected("a string in double quotes");
    ++at_;
    std::string out;
    for (;;) {
      if (at_ < text_.size() && text_[at_] == '"') break;
      append_utf8(CUSP_TRY(quoted_character()), out);
    }
    ++at_;
    return Value::string(out);
  }

  Result<Value> list(ValType type, const TypeDef& def) {
    if (!take('[')) return expected("a list in [ ]");
    Value list = Value::list({});
    list.kind = type.kind;
    while (!take(']')) {
      if (!list.items.empty()) {
        if (!take(',')) return expected("`,` or `]`");
        if (take(']')) break;
      }
      if (type.kind != TypeKind::Map) {
        list.items.push_back(CUSP_TRY(value(*def.element)));
        continue;
      }
      if (!take('(')) return expected("a pair in ( )");
      Value key = CUSP_TRY(value(*def.element));
      if (!take(',')) return expected("`,`");
      list.items.push_back(Value::tuple({std::move(key), CUSP_TRY(value(*def.error))}));
      if (!take(')')) return expected("`)`");
    }
    if (type.kind == TypeKind::FixedList && list.items.size() != def.length)
      return fail(fmt::format("expected {} elements, found {}", def.length, list.items.size()));
    return list;
  }
  Result<Value> tuple(const TypeDef& def) {
    if (!take('(')) return expected("a tuple in ( )");
    Value tuple = Value::tuple({});
    for (const component::Label& label : def.labels) {
      if (!tuple.items.empty() && !take(',')) return expected("`,`");
      tuple.items.push_back(CUSP_TRY(value(*label.type)));
    }
    take(',');
    if (!take(')')) return expected("`)`");
    return tuple;
  }
  Result<Value> record(const TypeDef& def) {
    if (!take('{')) return expected("a record in { }");
    std::vector<std::optional<Value>> fields(def.labels.size());
    bool first = true;
    if (take(':') && peek() != '}') return expected("`}`"); // `{:}` is the record with everything left out
    while (!take('}')) {
      if (!first && !take(',')) return expected("`,` or `}`");
      if (!first && take('}')) break;
      first = false;
      std::string field = CUSP_TRY(name("a field name"));
      std::size_t i = 0;
      while (i < def.labels.size() && def.labels[i].name != field) ++i;
      if (i == def.labels.size()) return fail(fmt::format("the record has no field `{}`", field));
      if (fields[i]) return fail(fmt::format("the field `{}` is given twice", field));
      if (!take(':')) return expected("`:`");
      fields[i] = CUSP_TRY(value(*def.labels[i].type));
    }
    Value record;
    record.kind = TypeKind::Record;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (!fields[i] && def.labels[i].type->kind != TypeKind::Option)
        return fail(fmt::format("the field `{}` is missing", def.labels[i].name));
      record.labels.push_back(def.labels[i].name);
      record.items.push_back(fields[i] ? std::move(*fields[i]) : Value::option());
    }
    return record;
  }
  Result<Value> flags(const TypeDef& def) {
    if (!take('{')) return expected("flags in { }");
    std::vector<std::string> set;
    bool first = true;
    while (!take('}')) {
      if (!first && !take(',')) return expected("`,` or `}`");
      if (!first && take('}')) break;
      first = false;
      std::string flag = CUSP_TRY(name("a flag"));
      if (std::find(set.begin(), set.end(), flag) != set.end())
        return fail(fmt::format("the flag `{}` is given twice", flag));
      set.push_back(std::move(flag));
    }
    auto conformed = with_labels(def, set, "flag");
    if (!conformed) return std::unexpected(std::move(conformed).error());
    return Value::flags(std::move(*conformed));
  }
  Result<std::vector<std::string>> with_labels(const TypeDef& def, const std::vector<std::string>& set,
                                               const char* what) {
    std::vector<std::string> ordered;
    for (const component::Label& label : def.labels)
      if (std::find(set.begin(), set.end(), label.name) != set.end()) ordered.push_back(label.name);
    if (ordered.size() != set.size()) {
      for (const std::string& one : set)
        if (std::find(ordered.begin(), ordered.end(), one) == ordered.end())
          return fail(fmt::format("unknown {} `{}`", what, one));
    }
    return ordered;
  }
  Result<Value> enumeration(const TypeDef& def) {
    std::string label = CUSP_TRY(name("a case name"));
    CUSP_TRY(with_labels(def, {label}, "case"));
    return Value::enumeration(label);
  }
  Result<Value> variant(const TypeDef& def) {
    std::string label = CUSP_TRY(name("a case name"));
    for (const component::Label& one : def.labels) {
      if (one.name != label) continue;
      if (!one.type) return Value::variant(label);
      return Value::variant(label, CUSP_TRY(payload(*one.type)));
    }
    return fail(fmt::format("unknown case `{}`", label));
  }
  Result<Value> payload(ValType type) {
    if (!take('(')) return expected("a payload in ( )");
    Value inner = CUSP_TRY(value(type));
    if (!take(')')) return expected("`)`");
    return inner;
  }
  // Where the payload's own text cannot be taken for some, none, ok or err, those may be left out.
  bool may_be_bare(const std::optional<ValType>& type) const {
    return type && type->kind != TypeKind::Option && type->kind != TypeKind::Result;
  }
  Result<Value> option(const TypeDef& def) {
    if (take_word("none")) return Value::option();
    if (take_word("some")) return Value::option(CUSP_TRY(payload(*def.element)));
    if (may_be_bare(def.element)) return Value::option(CUSP_TRY(value(*def.element)));
    return expected("some(…) or none");
  }
  Result<Value> result(const TypeDef& def) {
    bool ok = take_word("ok");
    if (!ok && !take_word("err")) {
      if (may_be_bare(def.element)) return Value::result_ok(CUSP_TRY(value(*def.element)));
      return expected("ok or err");
    }
    const std::optional<ValType>& type = ok ? def.element : def.error;
    std::optional<Value> inner;
    if (type) inner = CUSP_TRY(payload(*type));
    return ok ? Value::result_ok(std::move(inner)) : Value::result_err(std::move(inner));
  }

  std::string_view text_;
  const TypeTable& types_;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
};

Result<void> check_text(std::string_view text) {
  if (!is_utf8(text)) return base::fail(ErrorCode::InvalidArgument, "the text is not UTF-8");
  return {};
}

} // namespace

Result<Value> parse_wave(std::string_view text, const TypeTable& types, ValType type) {
  CUSP_TRY(check_text(text));
  Parser parser(text, types);
  Value value = CUSP_TRY(parser.value(type));
  if (!parser.at_end()) return parser.expected("the end of the value");
  return value;
}

Result<WaveCall> parse_wave_call(std::string_view text) {
  auto trim = [](std::string_view t) {
    while (!t.empty() && t.front() <= ' ' && t.front() >= 0) t.remove_prefix(1);
    while (!t.empty() && t.back() <= ' ' && t.back() >= 0) t.remove_suffix(1);
    return std::string(t);
  };
  std::size_t open = text.find('(');
  WaveCall call{trim(text.substr(0, open)), {}};
  if (call.name.empty())
    return base::fail_at(ErrorCode::InvalidArgument, 0, "expected the name of a function, like `f(1, \"x\")`");
  if (open == std::string_view::npos) return call;
  std::string rest = trim(text.substr(open + 1));
  if (!rest.ends_with(')'))
    return base::fail_at(ErrorCode::InvalidArgument, text.size(), "expected `)` at the end of the call");
  rest.pop_back();
  call.arguments = std::move(rest);
  return call;
}

Result<std::vector<Value>> parse_wave_arguments(std::string_view text, const TypeTable& types,
                                                const component::FuncType& type) {
  CUSP_TRY(check_text(text));
  Parser parser(text, types);
  std::vector<Value> arguments;
  // Trailing options may be left out.
  std::size_t needed = type.params.size();
  while (needed && type.params[needed - 1].type.kind == TypeKind::Option) --needed;
  for (const component::Param& param : type.params) {
    if (parser.at_end() && arguments.size() >= needed) {
      arguments.push_back(Value::option());
      continue;
    }
    if (!arguments.empty() && !parser.take(','))
      return parser.expected(fmt::format("`,` and the argument `{}`", param.name));
    Result<Value> value = parser.value(param.type);
    if (!value) return base::with_context(std::move(value).error(), fmt::format("argument `{}`", param.name));
    arguments.push_back(std::move(*value));
  }
  parser.take(',');
  if (!parser.at_end()) return parser.expected(fmt::format("no more than {} arguments", type.params.size()));
  return arguments;
}

} // namespace cusp::canon
