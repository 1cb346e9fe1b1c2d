// Lists of settings as Wasmtime writes them, "-W key=value,key", and the keys that the compiler takes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "artifact/compiler_protocol.h"
#include "base/result.h"

namespace cusp::cli {

// "", y, yes, true or n, no, false. Error: InvalidArgument, which names the option.
base::Result<bool> switch_of(std::string_view option, std::string_view value);

// A key of -W that decides what the compiler accepts and makes: a feature by name, all-proposals, relaxed-simd-deterministic,
// nan-canonicalization, fuel. False: none of these. Error: InvalidArgument; Unsupported for a feature that is only known by name.
base::Result<bool> set_compiler_key(artifact::CompileRequest& request, std::string_view key, std::string_view value);
// One feature on or off, as set_compiler_key has it. REQUIRES: request.features is a set that input may have.
void turn_feature(artifact::CompileRequest& request, wasm::Feature feature, bool on);

// What help says about those keys.
inline constexpr std::string_view kCompilerKeys = "features by name (gc, threads, memory64, simd ...), all-proposals, "
                                                  "relaxed-simd-deterministic, nan-canonicalization, fuel: =y or =n";

// Calls each(key, value) for every part of "key=value,key"; each gives a Result<void>.
template <class Each> base::Result<void> each_setting(const std::vector<std::string>& lists, Each each) {
  for (const std::string& list : lists) {
    std::string_view rest = list;
    while (!rest.empty()) {
      std::string_view part = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), part.size() + 1));
      std::size_t equals = part.find('=');
      CUSP_TRY(each(part.substr(0, equals),
                    equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1)));
    }
  }
  return {};
}

// A -W that holds nothing but compiler keys. Error: as set_compiler_key; InvalidArgument for any other key.
base::Result<void> read_compiler_settings(const std::vector<std::string>& lists, artifact::CompileRequest& request);

} // namespace cusp::cli
