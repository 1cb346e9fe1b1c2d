// An error context: a message for people who debug, shared by all who have a handle of it. Spec: CanonicalABI.md,
// "canon error-context.new".
#pragma once

#include <cstdint>
#include <string>

namespace cusp::canon {

struct ErrorContext {
  std::string debug_message;
  std::uint32_t references = 0; // by handles
  void drop_reference() {
    if (--references == 0) delete this;
  }
};

} // namespace cusp::canon
