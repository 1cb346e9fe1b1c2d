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
  if (!response) {
    exchange.set_error(std::move(response).error());
    return {};
  }
  if ((*response)->send(exchange)) return {};
  // Broken off: by the guest's trap, its time limit, or the client.
  if (!instance.poisoned() && loop::Clock::now() >= instance.slot().deadline())
    return std::unexpected(instance.poison({std::string(abi::trap_text(abi::Trap::Timeout)), abi::Trap::Timeout}));
  if (instance.poisoned()) return base::fail(base::ErrorCode::Trap, instance.last_trap().message);
  return {};
}

} // namespace cusp::wasi
