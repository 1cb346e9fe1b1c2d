// WAVE, the text form of component values: f(1, "x"), {name: "a", tags: []}, some(3), err(not-found), {read, write}.
// Reading is directed by the type; trailing record fields that are options may be left out.
// Spec: github.com/bytecodealliance/wasm-tools crates/wasm-wave.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "canon/value.h"

namespace cusp::canon {

std::string to_wave(const Value& value);

// Error: InvalidArgument with the column (byte_offset) and what was expected.
Result<Value> parse_wave(std::string_view text, const component::TypeTable& types, component::ValType type);

// `f(1, "x")`: the name before the parenthesis and the text inside. `f` alone means `f()`.
struct WaveCall {
  std::string name;
  std::string arguments;
};
Result<WaveCall> parse_wave_call(std::string_view text);
// The arguments of a call: "1, \"x\"".
Result<std::vector<Value>> parse_wave_arguments(std::string_view text, const component::TypeTable& types,
                                                const component::FuncType& type);

} // namespace cusp::canon
