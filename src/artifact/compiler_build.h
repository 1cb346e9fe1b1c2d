// Names the state of the sources that decide what code is generated. Part of every artifact's key: artifacts of another
// build of the compiler are compiled again. Made at build time by cmake/CompilerBuild.cmake; the same in cusp and
// cusp-compile of one tree.
#pragma once

#include <cstdint>

namespace cusp::artifact {

std::uint64_t compiler_build();

} // namespace cusp::artifact
