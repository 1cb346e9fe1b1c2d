// Core values of converted .wast scripts: JSON to ValRaw and the matching rules of assert_return (NaN classes, `either`, references).
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "abi/vm.h"
#include "base/result.h"
#include "runtime/store.h"

namespace cusp::cli {

// A host reference n of a script, as the externref that guest code carries; null is 0.
inline std::uint64_t externref_of(std::uint32_t n) { return (std::uint64_t{n} << 1 | 1); }

// `store`: where references of the any hierarchy live. References in a ValRaw are zero-extended.
base::Result<abi::ValRaw> core_value(const nlohmann::json& value, runtime::Store& store);
// Does `actual` match what the script expects?
bool core_value_matches(const nlohmann::json& expected, const abi::ValRaw& actual, runtime::Store& store);
std::string describe_core_value(const nlohmann::json& like, const abi::ValRaw& actual);

} // namespace cusp::cli
