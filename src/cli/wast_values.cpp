#include "cli/wast_values.h"

#include <charconv>
#include <cstring>

#include <fmt/format.h>

namespace cusp::cli {

using base::ErrorCode;
using nlohmann::json;

namespace {

// Decimal, signed or not, as 64 bits.
std::optional<std::uint64_t> bits_of(std::string_view text) {
  std::uint64_t value = 0;
  bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return negative ? ~value + 1 : value;
}

unsigned lane_bytes(std::string_view lane_type) {
  if (lane_type == "i8") return 1;
  if (lane_type == "i16") return 2;
  if (lane_type == "i32" || lane_type == "f32") return 4;
  return 8;
}

bool float_matches(std::string_view expected, std::uint64_t bits, unsigned bytes) {
  std::uint64_t quiet = bytes == 4 ? 0x7fc00000 : 0x7ff8000000000000;
  std::uint64_t magnitude = bytes == 4 ? 0x7fffffff : 0x7fffffffffffffff;
  if (expected == "nan:canonical") return (bits & magnitude) == quiet;
  if (expected == "nan:arithmetic") return (bits & quiet) == quiet;
  auto want = bits_of(expected);
  return want && *want == bits;
}

bool scalar_matches(std::string_view type, std::string_view expected, std::uint64_t bits, unsigned bytes) {
  if (type.starts_with('f')) return float_matches(expected, bits, bytes);
  auto want = bits_of(expected);
  std::uint64_t mask = bytes == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * bytes)) - 1;
  return want && (*want & mask) == (bits & mask);
}

// Any non-null reference of the kind that the type names.
bool is_of_kind(std::string_view type, const abi::ValRaw& actual, const runtime::Store& store) {
  using Kind = runtime::Store::AnyKind;
  if (actual.i64 == 0) return false;
  if (type == "i31ref") return store.any_kind(actual.i32) == Kind::I31;
  if (type == "structref") return store.any_kind(actual.i32) == Kind::Struct;
  if (type == "arrayref") return store.any_kind(actual.i32) == Kind::Array;
  if (type == "eqref") return store.any_kind(actual.i32) != Kind::Extern;
  return true;
}

} // namespace

base::Result<abi::ValRaw> core_value(const json& value, runtime::Store& store) {
  abi::ValRaw raw{};
  std::memset(&raw, 0, sizeof raw);
  std::string type = value.at("type");
  if (type == "v128") {
    unsigned bytes = lane_bytes(value.at("lane_type").get<std::string>());
    unsigned at = 0;
    for (const json& lane : value.at("value")) {
      std::uint64_t bits = bits_of(lane.get<std::string>()).value_or(0);
      if (at + bytes <= 16) std::memcpy(raw.v128 + at, &bits, bytes);
      at += bytes;
    }
    return raw;
  }
  std::string text = value.contains("value") && value["value"].is_string() ? value["value"].get<std::string>() : "null";
  if (text == "null") return raw;
  auto bits = bits_of(text);
  if (!bits) return base::fail(ErrorCode::Malformed, fmt::format("value '{}' of type {} is not a number", text, type));
  if (type == "i32" || type == "i64" || type == "f32" || type == "f64")
    raw.i64 = type == "i32" ? static_cast<std::uint32_t>(*bits) : *bits;
  else if (type == "externref") raw.i64 = externref_of(static_cast<std::uint32_t>(*bits));
  else if (type == "anyref") raw.i64 = CUSP_TRY(store.any_from_extern(externref_of(static_cast<std::uint32_t>(*bits))));
  else return base::fail(ErrorCode::Unsupported, fmt::format("arguments of type {}", type));
  return raw;
}

bool core_value_matches(const json& expected, const abi::ValRaw& actual, runtime::Store& store) {
  std::string type = expected.at("type");
  if (type == "either") {
    for (const json& choice : expected.at("values"))
      if (core_value_matches(choice, actual, store)) return true;
    return false;
  }
  if (type == "v128") {
    std::string lane_type = expected.at("lane_type");
    unsigned bytes = lane_bytes(lane_type), at = 0;
    for (const json& lane : expected.at("value")) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, actual.v128 + at, bytes);
      if (!scalar_matches(lane_type, lane.get<std::string>(), bits, bytes)) return false;
      at += bytes;
    }
    return at == 16;
  }
  if (type == "i32" || type == "f32")
    return scalar_matches(type, expected.at("value").get<std::string>(), actual.i32, 4);
  if (type == "i64" || type == "f64")
    return scalar_matches(type, expected.at("value").get<std::string>(), actual.i64, 8);
  // References: no value means any non-null one of the kind, except that the specification allows a funcref of any sort.
  if (type == "refnull" || type.starts_with("null")) return actual.i64 == 0;
  auto value = expected.find("value");
  if (value == expected.end()) return is_of_kind(type, actual, store);
  if (value->is_string() && *value == "null") return actual.i64 == 0;
  if (value->is_string()) {
    auto bits = bits_of(value->get<std::string>());
    const std::uint64_t reference = type == "anyref" ? store.extern_from_any(actual.i32) : actual.i64;
    return bits && reference == externref_of(static_cast<std::uint32_t>(*bits));
  }
  return actual.i64 != 0;
}

std::string describe_core_value(const json& like, const abi::ValRaw& actual) {
  std::string type = like.value("type", "");
  if (type == "i32" || type == "f32") return fmt::format("{}:{:#x}", type, actual.i32);
  if (type == "v128") {
    std::uint64_t words[2];
    std::memcpy(words, actual.v128, 16);
    return fmt::format("v128:{:016x}{:016x}", words[1], words[0]);
  }
  return fmt::format("{}:{:#x}", type, actual.i64);
}

} // namespace cusp::cli
