// The library's errors as the public ones.
#pragma once

#include "base/result.h"
#include "cusp/error.hpp"
#include "runtime/store.h"

namespace cusp::embed {

Error to_public(base::Error error);
// A trap, with the guest's backtrace.
Error to_public(base::Error error, const runtime::TrapInfo& trap);
Error exited(int code);
Error wrong_thread(std::string_view what);

} // namespace cusp::embed
