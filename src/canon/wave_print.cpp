#include <cmath>
#include <fmt/format.h>

#include "canon/strings.h"
#include "canon/wave.h"

namespace cusp::canon {

namespace {

template <class T> std::string float_text(T value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  return fmt::format("{}", value);
}

void escape(char32_t c, char quote, std::string& out) {
  switch (c) {
  case '\\': out += "\\\\"; return;
  case '\n': out += "\\n"; return;
  case '\r': out += "\\r"; return;
  case '\t': out += "\\t"; return;
  default: break;
  }
  if (c == static_cast<char32_t>(quote)) out += '\\', out += quote;
  else if (c < 0x20 || c == 0x7f) out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(c));
  else append_utf8(c, out);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) escape(next_code_point(text, at), '"', out);
  return out + "\"";
}

// Words that mean something of their own are written %true when they are labels.
std::string label(const std::string& name) {
  for (std::string_view word : {"true", "false", "inf", "nan", "some", "none", "ok", "err"})
    if (name == word) return "%" + name;
  return name;
}

std::string joined(const std::vector<Value>& items) {
  std::string out;
  for (const Value& item : items) out += (out.empty() ? "" : ", ") + to_wave(item);
  return out;
}

std::string with_payload(const std::string& name, const std::vector<Value>& payload) {
  return payload.empty() ? name : name + "(" + joined(payload) + ")";
}

} // namespace

std::string to_wave(const Value& value) {
  switch (value.kind) {
  case TypeKind::Bool: return value.bits ? "true" : "false";
  case TypeKind::S8:
  case TypeKind::S16:
  case TypeKind::S32:
  case TypeKind::S64: return fmt::format("{}", static_cast<std::int64_t>(value.bits));
  case TypeKind::U8:
  case TypeKind::U16:
  case TypeKind::U32:
  case TypeKind::U64: return fmt::format("{}", value.bits);
  case TypeKind::F32: return float_text(value.as_f32());
  case TypeKind::F64: return float_text(value.as_f64());
  case TypeKind::Char: {
    std::string out = "'";
    escape(static_cast<char32_t>(value.bits), '\'', out);
    return out + "'";
  }
  case TypeKind::String: return quoted(value.text);
  case TypeKind::List:
  case TypeKind::FixedList:
  case TypeKind::Map: return "[" + joined(value.items) + "]";
  case TypeKind::Tuple: return "(" + joined(value.items) + ")";
  case TypeKind::Record: {
    std::string out;
    for (std::size_t i = 0; i < value.items.size(); ++i)
      out += (i ? ", " : "") + value.labels[i] + ": " + to_wave(value.items[i]);
    return "{" + out + "}";
  }
  case TypeKind::Flags: {
    std::string out;
    for (const std::string& name : value.labels) out += (out.empty() ? "" : ", ") + name;
    return "{" + out + "}";
  }
  case TypeKind::Enum: return label(value.text);
  case TypeKind::Variant: return with_payload(label(value.text), value.items);
  case TypeKind::Option: return with_payload(value.items.empty() ? "none" : "some", value.items);
  case TypeKind::Result: return with_payload(value.ok ? "ok" : "err", value.items);
  case TypeKind::Own: return "<resource>";
  case TypeKind::Borrow: return "<borrowed resource>";
  default: return "<unsupported>";
  }
}

} // namespace cusp::canon
