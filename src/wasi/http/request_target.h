// What a request asks of whom: method, scheme, authority, path. Guests set each part by itself, and each is checked by itself; whether they
// make a request together is found out when it is sent. Shared by 0.2's outgoing-request and 0.3's request.
#pragma once

#include <optional>
#include <string>

#include "http/client.h"
#include "wasi/http/body.h"

namespace cusp::wasi {

struct RequestTarget {
  std::string method = "GET";
  std::optional<std::string> path_with_query, scheme, authority;

  // False: not syntactically valid, and left as it was.
  bool set_method(std::string_view text);
  bool set_path_with_query(std::optional<std::string> text);
  bool set_scheme(std::optional<std::string_view> text);
  bool set_authority(std::optional<std::string> text);
};

class RequestOptions {
public:
  std::optional<std::uint64_t> connect_timeout, first_byte_timeout, between_bytes_timeout; // nanoseconds
  bool immutable = false;                                                                  // 0.3: belongs to a request
};

// Error: what of it cannot be sent.
HttpResult<http::ClientRequest> to_client_request(const RequestTarget& target, const FieldList& headers);
http::ClientOptions to_client_options(const RequestOptions* options, const http::TlsClient* tls);

} // namespace cusp::wasi
