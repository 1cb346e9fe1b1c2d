// cusp-compile --batch: serves compile requests over a pair of pipes until the input ends
// (artifact/compiler_protocol.h).
#pragma once

#include "artifact/compiler_protocol.h"

namespace cusp::compile {

// Reads from `in`, answers on `out`. Returns at the end of the input. Error: the pipe broke or what came was no frame.
base::Result<void> serve_batch(int in, int out);

// For whoever dies in the middle of a request (LLVM's fatal errors, no more memory): tells the client before the end.
// Does nothing when no request is being served.
void report_death(base::ErrorCode code, std::string_view message);

} // namespace cusp::compile
