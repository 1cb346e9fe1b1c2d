// Tells AddressSanitizer and ThreadSanitizer about stack switches; nothing at all in other builds.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CUSP_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define CUSP_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CUSP_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define CUSP_TSAN 1
#endif

#ifdef CUSP_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CUSP_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace cusp::loop::sanitizers {

// About to leave the current stack for [base, base + size). `fake` receives what resume() wants back; null when this stack never runs again.
inline void leave([[maybe_unused]] void** fake, [[maybe_unused]] const void* base, [[maybe_unused]] std::size_t size) {
#ifdef CUSP_ASAN
  __sanitizer_start_switch_fiber(fake, base, size);
#endif
}

// Back on (or first on) a stack.
inline void arrive([[maybe_unused]] void* fake, [[maybe_unused]] const void** from_base = nullptr,
                   [[maybe_unused]] std::size_t* from_size = nullptr) {
#ifdef CUSP_ASAN
  __sanitizer_finish_switch_fiber(fake, from_base, from_size);
#endif
}

} // namespace cusp::loop::sanitizers
