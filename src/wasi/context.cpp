#include "wasi/context.h"

#include <cstring>

#include "wasi/http/server_exchange.h"

namespace cusp::wasi {

void Context::flush() {
  for (ServerExchange* exchange : exchanges) exchange->flush_now();
}

std::expected<void, canon::Trap> wait_in(Context& context, std::span<Waitable* const> what) {
  for (Waitable* one : what)
    if (one->ready()) return {};
  context.flush();
  switch (wait_for_any(what, context.deadline)) {
  case WaitOutcome::Ready: break;
  case WaitOutcome::Deadline:
    return std::unexpected(canon::Trap{"the time limit was reached while the guest waited", abi::Trap::Timeout});
  case WaitOutcome::Forever:
    return std::unexpected(canon::Trap{"the guest waits for something that cannot happen any more"});
  case WaitOutcome::Cancelled: return canon::cancelled();
  }
  return {};
}

bool block_any(canon::CallContext& cx, std::span<Waitable* const> what) {
  auto waited = wait_in(cx.host<Context>(), what);
  if (!waited) cx.trap(waited.error());
  return waited.has_value();
}

bool block(canon::CallContext& cx, Waitable& what) {
  Waitable* one = &what;
  return block_any(cx, std::span<Waitable* const>(&one, 1));
}

canon::GuestBytes to_guest(canon::CallContext& cx, std::span<const std::uint8_t> bytes) {
  canon::GuestBytes list = cx.new_bytes(static_cast<std::uint32_t>(bytes.size()));
  if (!cx.trapped() && !bytes.empty()) std::memcpy(list.host_pointer, bytes.data(), bytes.size());
  return list;
}

} // namespace cusp::wasi
