// Every implementation limit of this room, near those of other engines, so that what they take is taken here. Exceeding one is
// LimitExceeded, with the place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cusp::component {

inline constexpr unsigned kMaxNesting = 100;               // components in components, types in types, instantiations
inline constexpr std::uint32_t kMaxItems = 1'000'000;      // of one section, type or index space
inline constexpr std::uint32_t kMaxParams = 1'000;         // of a function, of a start function's arguments
inline constexpr std::uint32_t kMaxLabels = 10'000;        // fields, cases, members
inline constexpr std::uint32_t kMaxTypeDepth = 100;        // of value types
inline constexpr std::uint32_t kMaxTypeSize = 1'000'000;   // nodes of a type, written out as a tree
inline constexpr std::uint32_t kMaxOptions = 10;           // of one canonical definition
inline constexpr std::uint32_t kMaxInstances = 100'000;    // of components, in a plan
inline constexpr std::size_t kMaxExecuted = 2'000'000;     // definitions, over all instantiations of a plan
inline constexpr std::uint32_t kMaxFixedLength = 1u << 30; // elements of a list of fixed length

} // namespace cusp::component
