#include "wasi/sockets/error.h"

#include <cerrno>

namespace cusp::wasi {

SocketError socket_error(int error_number) {
  switch (error_number) {
  case EACCES:
  case EPERM: return SocketError::AccessDenied;
  case EOPNOTSUPP:
  case ENOPROTOOPT:
  case EPFNOSUPPORT:
  case EPROTONOSUPPORT:
  case ESOCKTNOSUPPORT: return SocketError::NotSupported;
  case EINVAL:
  case EAFNOSUPPORT:
  case EDESTADDRREQ: return SocketError::InvalidArgument;
  case ENOMEM:
  case ENOBUFS: return SocketError::OutOfMemory;
  case ETIMEDOUT: return SocketError::Timeout;
  case EALREADY: return SocketError::ConcurrencyConflict;
  case EAGAIN:
  case EINPROGRESS: return SocketError::WouldBlock;
  case EISCONN:
  case ENOTCONN: return SocketError::InvalidState;
  case EMFILE:
  case ENFILE: return SocketError::NewSocketLimit;
  case EADDRNOTAVAIL: return SocketError::AddressNotBindable;
  case EADDRINUSE: return SocketError::AddressInUse;
  case EHOSTUNREACH:
  case EHOSTDOWN:
  case ENETUNREACH:
  case ENETDOWN:
  case ENONET: return SocketError::RemoteUnreachable;
  case ECONNREFUSED: return SocketError::ConnectionRefused;
  case ECONNRESET: return SocketError::ConnectionReset;
  case ECONNABORTED: return SocketError::ConnectionAborted;
  case EMSGSIZE: return SocketError::DatagramTooLarge;
  case EPIPE: return SocketError::ConnectionBroken;
  default: return SocketError::Unknown;
  }
}

std::string_view socket_error_name(SocketError error) {
  if (error == SocketError::ConnectionBroken) return "connection-broken";
  return cusp_enum_labels(static_cast<SocketError*>(nullptr))[static_cast<std::size_t>(error)];
}

} // namespace cusp::wasi
