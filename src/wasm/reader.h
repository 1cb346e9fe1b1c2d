// Core modules from bytes. read_module decodes and validates everything but the bodies, whose places it notes; bodies
// are validated by validate_bodies or, better, while being lowered: read_body of function_validator.h. Spec: 5.5.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "wasm/features.h"
#include "wasm/module.h"

namespace cusp::wasm {

// True for the header of a core module of version 1.
bool is_core_module(std::span<const std::uint8_t> bytes);

// REQUIRES: `bytes` outlive the result. `file_offset` is where they start in the file, for offsets in errors and in the
// result. Error: Malformed, Invalid, LimitExceeded, or Unsupported with the feature's name, each with the byte offset.
base::Result<Module> read_module(std::span<const std::uint8_t> bytes, const Features& features,
                                 std::uint64_t file_offset = 0);

// Validates every body, single-threaded. Error: as read_module's, for the first body that has one.
base::Result<void> validate_bodies(const Module& module);
// The same, and tells which features the module uses, inside the bodies and outside.
base::Result<Features> used_features(const Module& module);

} // namespace cusp::wasm
