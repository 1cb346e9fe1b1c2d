// Op: one enumerator per row of operators.def, and the row's columns as data. An Op is a dense number in row order;
// op_info() gives the rest.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "wasm/features.h"
#include "wasm/types.h"

namespace cusp::wasm {

enum class Op : std::uint16_t {
#define OP(encoding, Name, text, immediate, signature, feature, lowering) Name,
#include "wasm/operators.def"
};

inline constexpr std::size_t kOpCount = 0
#define OP(encoding, Name, text, immediate, signature, feature, lowering) +1
#include "wasm/operators.def"
    ;

// The signature column, parsed when cusp itself is compiled. An `m` (address type of the operator's memory) is
// ValType::bottom() here.
struct Signature {
  bool poly = false;
  std::uint8_t param_count = 0, result_count = 0;
  std::array<std::uint8_t, 4> params{}; // ValType::raw(): kinds alone
  std::array<std::uint8_t, 2> results{};
  bool operator==(const Signature&) const = default;
};

constexpr Signature parse_signature(std::string_view text) {
  Signature signature;
  if (text == "poly") {
    signature.poly = true;
    return signature;
  }
  bool after = false;
  while (!text.empty()) {
    if (text[0] == '_') {
      after = true;
      text.remove_prefix(1);
      continue;
    }
    ValType type = ValType::bottom();
    std::size_t length = 3;
    if (text[0] == 'm') length = 1;
    else if (text[0] == 'v') type = ValType::v128(), length = 4;
    else if (text.starts_with("i32")) type = ValType::i32();
    else if (text.starts_with("i64")) type = ValType::i64();
    else if (text.starts_with("f32")) type = ValType::f32();
    else if (text.starts_with("f64")) type = ValType::f64();
    else throw "a signature that is none";
    text.remove_prefix(length);
    std::uint8_t raw = static_cast<std::uint8_t>(type.raw());
    if (after) signature.results[signature.result_count++] = raw;
    else signature.params[signature.param_count++] = raw;
  }
  return signature;
}

struct OpInfo {
  std::uint32_t encoding;
  std::string_view name; // the enumerator's
  std::string_view text;
  Signature signature;
  Feature feature;
};

const OpInfo& op_info(Op op);
inline std::string_view op_text(Op op) { return op_info(op).text; }

} // namespace cusp::wasm
