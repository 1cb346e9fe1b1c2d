#include "wasm/types.h"

#include <fmt/format.h>

#include "wasm/operators.h"

namespace cusp::wasm {

namespace {

std::string_view abstract_name(AbstractHeapType kind) {
  constexpr std::string_view kNames[] = {"func", "extern", "any",    "eq",       "i31",   "struct", "array",
                                         "exn",  "none",   "nofunc", "noextern", "noexn", "bottom"};
  return kNames[static_cast<unsigned>(kind)];
}

} // namespace

std::string ValType::to_string() const {
  switch (kind()) {
  case Kind::None: return "nothing";
  case Kind::I32: return "i32";
  case Kind::I64: return "i64";
  case Kind::F32: return "f32";
  case Kind::F64: return "f64";
  case Kind::V128: return "v128";
  case Kind::Bottom: return "any type";
  case Kind::Ref: break;
  }
  HeapType heap_type = heap();
  if (is_nullable() && !heap_type.is_concrete() && heap_type.abstract() <= AbstractHeapType::Exn)
    return fmt::format("{}ref", abstract_name(heap_type.abstract()));
  std::string name = heap_type.is_concrete() ? fmt::format("{}", heap_type.index().value)
                                             : std::string(abstract_name(heap_type.abstract()));
  return fmt::format("(ref {}{})", is_nullable() ? "null " : "", name);
}

std::string FuncType::to_string() const {
  auto list = [](const std::vector<ValType>& types) {
    std::string text = "(";
    for (ValType type : types) text += (text.size() > 1 ? " " : "") + type.to_string();
    return text + ")";
  };
  return list(params) + " -> " + list(results);
}

const OpInfo& op_info(Op op) {
  static constexpr OpInfo kInfos[] = {
#define OP(encoding, Name, text, immediate, signature, feature, lowering)                                              \
  {encoding, #Name, text, parse_signature(#signature), Feature::feature},
#include "wasm/operators.def"
  };
  return kInfos[static_cast<unsigned>(op)];
}

} // namespace cusp::wasm
