// Exceptions of a store, on top of its ExceptionHeap. Private to the room.
#pragma once

#include "runtime/store_state.h"

namespace cusp::runtime {

// nullptr: the store's limit or the system forbids it.
abi::Exception* new_exception(Store& store, const abi::TagRecord* tag, std::uint32_t values);

} // namespace cusp::runtime
