// Compiled groups of functions, each in a file of the store named by its key: default/groups/KEY. A file says its key and a checksum of
// itself; what does not fit is not there. The folder is the trust domain's, like that of its artifacts. Private to prepare/.
#pragma once

#include <span>
#include <vector>

#include "artifact/sha256.h"
#include "base/result.h"

namespace cusp::prepare {

// Empty where there is none.
std::vector<std::uint8_t> find_group(const artifact::Sha256& key);
// Before a compilation. keep_group() makes no folder: a store that is removed meanwhile stays so.
void make_group_folder();
// A store that cannot be written keeps nothing.
void keep_group(const artifact::Sha256& key, std::span<const std::uint8_t> bytes);

} // namespace cusp::prepare
