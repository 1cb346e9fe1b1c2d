// Every implementation limit of this room. Where the JS API (section "Implementation-defined Limits") has a number it
// is used, so that what runs in a browser runs here. Exceeding one is LimitExceeded with the byte offset.
#pragma once

#include <cstdint>

namespace cusp::wasm {

inline constexpr std::uint32_t kMaxModuleSize = 1u << 30;
inline constexpr std::uint32_t kMaxTypes = 1'000'000;
inline constexpr std::uint32_t kMaxFunctions = 1'000'000;
inline constexpr std::uint32_t kMaxImports = 1'000'000;
inline constexpr std::uint32_t kMaxExports = 1'000'000;
inline constexpr std::uint32_t kMaxGlobals = 1'000'000;
inline constexpr std::uint32_t kMaxTags = 1'000'000;
inline constexpr std::uint32_t kMaxTables = 100'000;
inline constexpr std::uint32_t kMaxMemories = 100;
inline constexpr std::uint32_t kMaxDataSegments = 100'000;
inline constexpr std::uint32_t kMaxElemSegments = 10'000'000;
inline constexpr std::uint32_t kMaxElemItems = 10'000'000;
inline constexpr std::uint32_t kMaxNameSize = 100'000;
inline constexpr std::uint32_t kMaxParams = 1'000;
inline constexpr std::uint32_t kMaxResults = 1'000;
inline constexpr std::uint32_t kMaxLocals = 50'000;
inline constexpr std::uint32_t kMaxBodySize = 7'654'321;
inline constexpr std::uint32_t kMaxBrTableTargets = 65'520;
inline constexpr std::uint32_t kMaxCatchClauses = 10'000;
inline constexpr std::uint32_t kMaxStructFields = 10'000;
inline constexpr std::uint32_t kMaxArrayNewFixed = 10'000;
inline constexpr std::uint32_t kMaxSubtypeDepth = 63;

inline constexpr std::uint64_t kMaxMemory32Pages = 1ull << 16; // of 64 KiB; spec: 3.2.5
inline constexpr std::uint64_t kMaxMemory64Pages = 1ull << 48;

} // namespace cusp::wasm
