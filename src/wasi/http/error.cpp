#include "wasi/http/error.h"

#include <string_view>

namespace cusp::wasi {

std::string http_error_text(const HttpError& error) {
  static constexpr std::string_view kNames[] = {
#define CASE(Name, text, Payload) text,
      CUSP_HTTP_ERROR_CASES(CASE)
#undef CASE
  };
  std::string text(kNames[error.index()]);
  if (http_case(error) == HttpCase::InternalError)
    if (const auto& sentence = std::get<static_cast<std::size_t>(HttpCase::InternalError)>(error))
      text += ": " + *sentence;
  return text;
}

} // namespace cusp::wasi
