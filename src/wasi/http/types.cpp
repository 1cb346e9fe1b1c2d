#include "wasi/http/types.h"

#include "canon/strings.h"

namespace cusp::wasi {

namespace {

// "http://host/path" → host, /path. Clients send it to proxies, and servers must take it (RFC 9112, 3.2.2).
struct AbsoluteForm {
  std::string_view authority, path;
};
std::optional<AbsoluteForm> absolute_form(std::string_view target) {
  std::size_t scheme = target.find("://");
  if (target.starts_with('/') || scheme == std::string_view::npos) return std::nullopt;
  std::string_view rest = target.substr(scheme + 3);
  std::size_t path = rest.find_first_of("/?");
  return AbsoluteForm{rest.substr(0, path), path == std::string_view::npos ? std::string_view("/") : rest.substr(path)};
}

} // namespace

std::optional<std::string_view> IncomingRequest::path_with_query() const {
  std::string_view target = request().target();
  if (auto absolute = absolute_form(target)) target = absolute->path;
  if (!canon::is_utf8(target)) return std::nullopt;
  return target;
}

std::optional<std::string_view> IncomingRequest::authority() const {
  if (auto absolute = absolute_form(request().target())) return absolute->authority;
  auto host = request().headers().find("host");
  if (host && !canon::is_utf8(*host)) return std::nullopt;
  return host;
}

const Ref<FieldList>& IncomingRequest::headers() {
  if (!headers_) {
    headers_ = make_ref<FieldList>();
    headers_->add_incoming(request().headers());
  }
  return headers_;
}

const Ref<FieldList>& IncomingResponse::headers() {
  if (!headers_) {
    headers_ = make_ref<FieldList>();
    headers_->add_incoming(head().headers);
  }
  return headers_;
}

} // namespace cusp::wasi
