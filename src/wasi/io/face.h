// wasi:io's stream-error as the canonical ABI moves it.
#pragma once

#include <variant>

#include "canon/abi.h"
#include "wasi/io/streams.h"

namespace cusp::wasi {

// last-operation-failed, closed
using StreamError = std::variant<canon::Own<IoError>, std::monostate>;

StreamError to_error(StreamFailure&& failure);

} // namespace cusp::wasi
