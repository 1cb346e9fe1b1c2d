#include "wasi/http/service.h"

namespace cusp::wasi {

base::Result<void> answer(canon::ComponentInstance& instance, canon::TypedExport<IncomingHandle> handler,
                          ServerExchange& exchange) {
  return instance.call(handler, canon::make_own<IncomingRequest>(exchange),
                       canon::make_own<ResponseOutparam>(exchange));
}

base::Result<void> answer(canon::ComponentInstance& instance, canon::TypedExport<Handle> handler,
                          ServerExchange& exchange) {
  auto response = CUSP_TRY(instance.call(handler, canon::make_own<Request>(exchange)));
  if (response) (*response)->send(exchange);
  else exchange.set_error(std::move(response).error());
  return {};
}

} // namespace cusp::wasi
