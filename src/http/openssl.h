// OpenSSL, opened when it is first needed: linked in, it would cost every start of cusp two megabytes and half a millisecond, and most guests
// never use it. Private to http/.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/result.h"

namespace cusp::http {

struct OpenSsl {
#define FUNCTION(library, name) decltype(&::name) name = nullptr;
#include "http/openssl.def"
};

// Opens it once per process; it stays. Thread-safe. Error: NotFound, which names the file that is missing.
base::Result<const OpenSsl*> open_openssl();
// After open_openssl() has succeeded.
const OpenSsl& openssl();

} // namespace cusp::http
