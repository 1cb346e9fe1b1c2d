// What a server calls: the handlers that components export, and how each answers a request.
#pragma once

#include "wasi/http/message.h"

namespace cusp::wasi {

inline constexpr const char* kIncomingHandler = "wasi:http/incoming-handler@0.2.12";
inline constexpr const char* kHandler = "wasi:http/handler@0.3.0";

using IncomingHandle = void(canon::Own<IncomingRequest>, canon::Own<ResponseOutparam>);
using Handle = std::expected<canon::Own<Response>, HttpError>(canon::Own<Request>);

// Calls the handler, and sends its answer in a straight line: when this returns, all of it is with the exchange, or has failed. Error: the
// guest's trap.
base::Result<void> answer(canon::ComponentInstance& instance, canon::TypedExport<IncomingHandle> handler,
                          ServerExchange& exchange);
base::Result<void> answer(canon::ComponentInstance& instance, canon::TypedExport<Handle> handler,
                          ServerExchange& exchange);

} // namespace cusp::wasi
