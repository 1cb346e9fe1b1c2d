// Whether the metadata of an artifact is consistent with itself and with the sizes of its sections, so that the runtime
// may use every index in it without asking again. Private to the room.
#pragma once

#include <cstdint>
#include <string>

#include "artifact/artifact.h"

namespace cusp::artifact {

// A sentence, or empty.
std::string find_meta_problem(const ArtifactMeta& meta, std::uint64_t text_size, std::uint64_t image_size);

} // namespace cusp::artifact
