#include "http/openssl.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace cusp::http {

namespace {

using base::Result;

constexpr const char* kCrypto = "libcrypto.so.3";
constexpr const char* kSsl = "libssl.so.3";

OpenSsl functions;

Result<void> open_once() {
  auto open = [](const char* name) -> Result<void*> {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
    return base::fail(base::ErrorCode::NotFound, fmt::format("TLS needs OpenSSL 3: {}", dlerror()));
  };
  void* crypto = CUSP_TRY(open(kCrypto));
  void* ssl = CUSP_TRY(open(kSsl));
#define FUNCTION(library, name)                                                                                        \
  functions.name = reinterpret_cast<decltype(functions.name)>(dlsym(library, #name));                                  \
  if (functions.name == nullptr)                                                                                       \
    return base::fail(base::ErrorCode::NotFound, "TLS needs OpenSSL 3: there is no " #name);
#include "http/openssl.def"
  return {};
}

} // namespace

Result<const OpenSsl*> open_openssl() {
  static const Result<void> opened = open_once();
  if (!opened) return std::unexpected(opened.error());
  return &functions;
}

const OpenSsl& openssl() { return functions; }

} // namespace cusp::http
