// The faces of wasi:sockets: what their handles stand for, and what they share.
#pragma once

#include "canon/bind.h"
#include "wasi/context.h"

namespace cusp::wasi {

// All of the network that the policy permits.
struct Network {};

void add_tcp_sockets(canon::Linker& linker);
void add_udp_sockets(canon::Linker& linker);
void add_sockets_3(canon::Linker& linker); // wasi:sockets 0.3

// Functions that pass on what the object behind the handle says.
template <class Handle, auto kMethod> auto forward(canon::Borrow<Handle> self) {
  return (self->socket.get()->*kMethod)();
}
template <class Handle, auto kMethod, class Value>
SocketResult<void> forward_set(canon::Borrow<Handle> self, Value value) {
  return (self->socket.get()->*kMethod)(value);
}

} // namespace cusp::wasi
