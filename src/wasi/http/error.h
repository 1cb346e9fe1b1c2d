// wasi:http's error-code: a variant of thirty-nine cases, most without a payload. HttpCase names the cases by position.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/result.h"
#include "canon/describe.h"

namespace cusp::wasi {

struct DnsErrorPayload {
  std::optional<std::string> rcode;
  std::optional<std::uint16_t> info_code;
};
CUSP_RECORD(DnsErrorPayload, rcode, info_code)

struct TlsAlertPayload {
  std::optional<std::uint8_t> alert_id;
  std::optional<std::string> alert_message;
};
CUSP_RECORD(TlsAlertPayload, alert_id, alert_message)

struct FieldSizePayload {
  std::optional<std::string> field_name;
  std::optional<std::uint32_t> field_size;
};
CUSP_RECORD(FieldSizePayload, field_name, field_size)

// CASE(Name, text, Payload)
#define CUSP_HTTP_ERROR_CASES(CASE)                                                                                    \
  CASE(DnsTimeout, "DNS-timeout", std::monostate)                                                                      \
  CASE(DnsError, "DNS-error", DnsErrorPayload)                                                                         \
  CASE(DestinationNotFound, "destination-not-found", std::monostate)                                                   \
  CASE(DestinationUnavailable, "destination-unavailable", std::monostate)                                              \
  CASE(DestinationIpProhibited, "destination-IP-prohibited", std::monostate)                                           \
  CASE(DestinationIpUnroutable, "destination-IP-unroutable", std::monostate)                                           \
  CASE(ConnectionRefused, "connection-refused", std::monostate)                                                        \
  CASE(ConnectionTerminated, "connection-terminated", std::monostate)                                                  \
  CASE(ConnectionTimeout, "connection-timeout", std::monostate)                                                        \
  CASE(ConnectionReadTimeout, "connection-read-timeout", std::monostate)                                               \
  CASE(ConnectionWriteTimeout, "connection-write-timeout", std::monostate)                                             \
  CASE(ConnectionLimitReached, "connection-limit-reached", std::monostate)                                             \
  CASE(TlsProtocolError, "TLS-protocol-error", std::monostate)                                                         \
  CASE(TlsCertificateError, "TLS-certificate-error", std::monostate)                                                   \
  CASE(TlsAlertReceived, "TLS-alert-received", TlsAlertPayload)                                                        \
  CASE(HttpRequestDenied, "HTTP-request-denied", std::monostate)                                                       \
  CASE(HttpRequestLengthRequired, "HTTP-request-length-required", std::monostate)                                      \
  CASE(HttpRequestBodySize, "HTTP-request-body-size", std::optional<std::uint64_t>)                                    \
  CASE(HttpRequestMethodInvalid, "HTTP-request-method-invalid", std::monostate)                                        \
  CASE(HttpRequestUriInvalid, "HTTP-request-URI-invalid", std::monostate)                                              \
  CASE(HttpRequestUriTooLong, "HTTP-request-URI-too-long", std::monostate)                                             \
  CASE(HttpRequestHeaderSectionSize, "HTTP-request-header-section-size", std::optional<std::uint32_t>)                 \
  CASE(HttpRequestHeaderSize, "HTTP-request-header-size", std::optional<FieldSizePayload>)                             \
  CASE(HttpRequestTrailerSectionSize, "HTTP-request-trailer-section-size", std::optional<std::uint32_t>)               \
  CASE(HttpRequestTrailerSize, "HTTP-request-trailer-size", FieldSizePayload)                                          \
  CASE(HttpResponseIncomplete, "HTTP-response-incomplete", std::monostate)                                             \
  CASE(HttpResponseHeaderSectionSize, "HTTP-response-header-section-size", std::optional<std::uint32_t>)               \
  CASE(HttpResponseHeaderSize, "HTTP-response-header-size", FieldSizePayload)                                          \
  CASE(HttpResponseBodySize, "HTTP-response-body-size", std::optional<std::uint64_t>)                                  \
  CASE(HttpResponseTrailerSectionSize, "HTTP-response-trailer-section-size", std::optional<std::uint32_t>)             \
  CASE(HttpResponseTrailerSize, "HTTP-response-trailer-size", FieldSizePayload)                                        \
  CASE(HttpResponseTransferCoding, "HTTP-response-transfer-coding", std::optional<std::string>)                        \
  CASE(HttpResponseContentCoding, "HTTP-response-content-coding", std::optional<std::string>)                          \
  CASE(HttpResponseTimeout, "HTTP-response-timeout", std::monostate)                                                   \
  CASE(HttpUpgradeFailed, "HTTP-upgrade-failed", std::monostate)                                                       \
  CASE(HttpProtocolError, "HTTP-protocol-error", std::monostate)                                                       \
  CASE(LoopDetected, "loop-detected", std::monostate)                                                                  \
  CASE(ConfigurationError, "configuration-error", std::monostate)                                                      \
  CASE(InternalError, "internal-error", std::optional<std::string>)

enum class HttpCase : std::uint8_t {
#define CASE(Name, text, Payload) Name,
  CUSP_HTTP_ERROR_CASES(CASE)
#undef CASE
};

namespace detail {
template <class Dummy, class... P> struct HttpErrorVariant {
  using Type = std::variant<P...>;
};
} // namespace detail
#define CASE(Name, text, Payload) , Payload
using HttpError = detail::HttpErrorVariant<void CUSP_HTTP_ERROR_CASES(CASE)>::Type;
#undef CASE

template <HttpCase kCase, class... P> HttpError http_error(P&&... payload) {
  return HttpError(std::in_place_index<static_cast<std::size_t>(kCase)>, std::forward<P>(payload)...);
}
inline HttpCase http_case(const HttpError& error) { return static_cast<HttpCase>(error.index()); }
// "connection-refused", with the sentence of an internal-error.
std::string http_error_text(const HttpError& error);

} // namespace cusp::wasi
