#include "cli/wast_component.h"

#include <charconv>

#include <fmt/format.h>

#include "canon/wave.h"

namespace cusp::cli {

using base::ErrorCode;
using canon::Value;
using component::TypeKind;
using nlohmann::json;

namespace {

std::uint64_t number_of(const json& value) {
  std::string text = value.get<std::string>();
  bool negative = text.starts_with('-');
  std::uint64_t bits = 0;
  std::from_chars(text.data() + negative, text.data() + text.size(), bits);
  return negative ? ~bits + 1 : bits;
}

// The one scalar value of a string of one character.
std::uint64_t scalar_of(const std::string& text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  unsigned char first = byte(0);
  if (first < 0x80) return first;
  if (first < 0xe0) return (first & 0x1fu) << 6 | (byte(1) & 0x3fu);
  if (first < 0xf0) return (first & 0x0fu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu);
  return (first & 0x07u) << 18 | (byte(1) & 0x3fu) << 12 | (byte(2) & 0x3fu) << 6 | (byte(3) & 0x3fu);
}

Value component_value(const json& object);

std::vector<Value> component_values(const json& array) {
  std::vector<Value> values;
  for (const json& item : array) values.push_back(component_value(item));
  return values;
}

std::optional<Value> optional_value(const json& value) {
  if (value.is_null()) return std::nullopt;
  return component_value(value);
}

Value component_value(const json& object) {
  static const std::map<std::string, TypeKind> kNumbers = {
      {"u8", TypeKind::U8},   {"s8", TypeKind::S8},   {"u16", TypeKind::U16}, {"s16", TypeKind::S16},
      {"u32", TypeKind::U32}, {"s32", TypeKind::S32}, {"u64", TypeKind::U64}, {"s64", TypeKind::S64},
      {"f32", TypeKind::F32}, {"f64", TypeKind::F64}};
  std::string type = object.at("type");
  const json& value = object.at("value");
  if (auto it = kNumbers.find(type); it != kNumbers.end()) return Value::number(it->second, number_of(value));
  if (type == "bool") return Value::boolean(value.get<bool>());
  if (type == "char") return Value::number(TypeKind::Char, scalar_of(value.get<std::string>()));
  if (type == "string") return Value::string(value.get<std::string>());
  if (type == "list") return Value::list(component_values(value));
  if (type == "tuple") return Value::tuple(component_values(value));
  if (type == "enum") return Value::enumeration(value.get<std::string>());
  if (type == "flags") return Value::flags(value.get<std::vector<std::string>>());
  if (type == "option") return Value::option(optional_value(value));
  if (type == "result")
    return value.contains("Ok") ? Value::result_ok(optional_value(value.at("Ok")))
                                : Value::result_err(optional_value(value.at("Err")));
  if (type == "variant") {
    std::optional<Value> payload;
    if (value.contains("payload")) payload = optional_value(value.at("payload"));
    return Value::variant(value.at("case").get<std::string>(), std::move(payload));
  }
  std::vector<std::pair<std::string, Value>> fields;
  for (const json& field : value) fields.emplace_back(field.at(0).get<std::string>(), component_value(field.at(1)));
  return Value::record(std::move(fields));
}

} // namespace

base::Result<std::unique_ptr<WastComponents>> WastComponents::create(WastCompile compile) {
  std::unique_ptr<WastComponents> components(new WastComponents);
  components->compile_ = std::move(compile);
  add_wast_host(components->linker_);
  return components;
}

WastComponents::~WastComponents() = default;

base::Result<void> WastComponents::instantiate(const std::vector<std::uint8_t>& bytes,
                                               const std::optional<std::string>&) {
  auto code = CUSP_TRY(compile_(bytes));
  auto linked = CUSP_TRY(canon::ComponentCode::link(std::move(code), linker_, canon::LinkOptions{}));
  instances_.push_back(CUSP_TRY(canon::ComponentInstance::create(std::move(linked), &host_)));
  current_ = instances_.back().get();
  return {};
}

base::Result<std::vector<Value>> WastComponents::call(const WastAction& action) {
  if (!current_) return base::fail(ErrorCode::NotFound, "there is no current instance");
  canon::ExportFunc func = CUSP_TRY(current_->code().find_export("", action.field));
  return current_->call(func, component_values(action.args));
}

base::Result<void> WastComponents::perform(const WastAction& action) {
  CUSP_TRY(call(action));
  return {};
}

base::Result<void> WastComponents::assert_return(const WastAction& action, const json& expected) {
  std::vector<Value> results = CUSP_TRY(call(action));
  if (results.size() != expected.size())
    return base::fail(ErrorCode::InvalidArgument,
                      fmt::format("{}: {} results, expected {}", action.field, results.size(), expected.size()));
  for (std::size_t i = 0; i < results.size(); ++i) {
    Value wanted = component_value(expected[i]);
    if (!(results[i] == wanted))
      return base::fail(ErrorCode::InvalidArgument, fmt::format("{}: returned {}, expected {}", action.field,
                                                                canon::to_wave(results[i]), canon::to_wave(wanted)));
  }
  return {};
}

} // namespace cusp::cli
