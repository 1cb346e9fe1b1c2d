// What goes wrong with sockets and name look-ups: the codes of wasi:sockets 0.2 in their order, from which the 0.3 face makes its own.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "canon/describe.h"

namespace cusp::wasi {

enum class SocketError : std::uint8_t {
  Unknown,
  AccessDenied,
  NotSupported,
  InvalidArgument,
  OutOfMemory,
  Timeout,
  ConcurrencyConflict,
  NotInProgress,
  WouldBlock,
  InvalidState,
  NewSocketLimit,
  AddressNotBindable,
  AddressInUse,
  RemoteUnreachable,
  ConnectionRefused,
  ConnectionReset,
  ConnectionAborted,
  DatagramTooLarge,
  NameUnresolvable,
  TemporaryResolverFailure,
  PermanentResolverFailure,
  ConnectionBroken, // known to 0.3 only: in 0.2 a stream that nobody reads any more is closed
};
CUSP_ENUM(SocketError, "unknown", "access-denied", "not-supported", "invalid-argument", "out-of-memory", "timeout",
          "concurrency-conflict", "not-in-progress", "would-block", "invalid-state", "new-socket-limit",
          "address-not-bindable", "address-in-use", "remote-unreachable", "connection-refused", "connection-reset",
          "connection-aborted", "datagram-too-large", "name-unresolvable", "temporary-resolver-failure",
          "permanent-resolver-failure")

template <class T> using SocketResult = std::expected<T, SocketError>;

SocketError socket_error(int error_number);
// "connection-reset"
std::string_view socket_error_name(SocketError error);

} // namespace cusp::wasi
