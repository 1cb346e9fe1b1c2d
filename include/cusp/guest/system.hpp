// The rest of WASI 0.2 that the kit speaks: environment, standard streams, clocks, random, files. Functions only where they need no
// state; handles are plain integers, dropped by the caller where it matters.
#pragma once

#include "cusp/guest/http.hpp"

namespace cusp::guest {

namespace system_abi {
extern "C" {
CUSP_IMPORT("wasi:cli/environment@0.2.0", "get-environment") void get_environment(void* ret);
CUSP_IMPORT("wasi:cli/environment@0.2.0", "get-arguments") void get_arguments(void* ret);
CUSP_IMPORT("wasi:cli/stdin@0.2.0", "get-stdin") int32_t get_stdin();
CUSP_IMPORT("wasi:cli/stdout@0.2.0", "get-stdout") int32_t get_stdout();
CUSP_IMPORT("wasi:cli/stderr@0.2.0", "get-stderr") int32_t get_stderr();
CUSP_IMPORT("wasi:cli/exit@0.2.0", "exit") void exit_with(int32_t is_error);
CUSP_IMPORT("wasi:clocks/monotonic-clock@0.2.0", "now") int64_t monotonic_now();
CUSP_IMPORT("wasi:clocks/monotonic-clock@0.2.0", "subscribe-duration") int32_t subscribe_duration(int64_t nanoseconds);
CUSP_IMPORT("wasi:clocks/wall-clock@0.2.0", "now") void wall_now(void* ret);
CUSP_IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") void pollable_block(int32_t self);
CUSP_IMPORT("wasi:io/poll@0.2.0", "[resource-drop]pollable") void pollable_drop(int32_t self);
CUSP_IMPORT("wasi:random/random@0.2.0", "get-random-bytes") void random_bytes(int64_t size, void* ret);
CUSP_IMPORT("wasi:filesystem/preopens@0.2.0", "get-directories") void get_directories(void* ret);
CUSP_IMPORT("wasi:filesystem/types@0.2.0", "[method]descriptor.open-at")
void open_at(int32_t self, int32_t path_flags, const char* path, size_t size, int32_t open_flags, int32_t flags, void* ret);
CUSP_IMPORT("wasi:filesystem/types@0.2.0", "[method]descriptor.read") void file_read(int32_t self, int64_t size, int64_t offset, void* ret);
CUSP_IMPORT("wasi:filesystem/types@0.2.0", "[method]descriptor.write")
void file_write(int32_t self, const char* data, size_t size, int64_t offset, void* ret);
CUSP_IMPORT("wasi:filesystem/types@0.2.0", "[method]descriptor.unlink-file-at")
void file_unlink(int32_t self, const char* path, size_t size, void* ret);
CUSP_IMPORT("wasi:filesystem/types@0.2.0", "[resource-drop]descriptor") void descriptor_drop(int32_t self);
}
} // namespace system_abi

struct Variable {
  View name, value;
};

template <class Visit> void each_variable(Visit visit) {
  Returned<8> list;
  system_abi::get_environment(&list);
  auto words = reinterpret_cast<const int32_t*>(list.word(0));
  for (int32_t i = 0; i < list.word(4); ++i, words += 4)
    visit(Variable{View(reinterpret_cast<const char*>(words[0]), static_cast<size_t>(words[1])),
                   View(reinterpret_cast<const char*>(words[2]), static_cast<size_t>(words[3]))});
}

// The n-th argument, 0 being the program; empty when there are fewer.
inline View argument(int32_t n) {
  Returned<8> list;
  system_abi::get_arguments(&list);
  if (n >= list.word(4)) return View();
  auto words = reinterpret_cast<const int32_t*>(list.word(0)) + 2 * n;
  return View(reinterpret_cast<const char*>(words[0]), static_cast<size_t>(words[1]));
}

inline void sleep_ns(uint64_t nanoseconds) {
  int32_t pollable = system_abi::subscribe_duration(static_cast<int64_t>(nanoseconds));
  system_abi::pollable_block(pollable);
  system_abi::pollable_drop(pollable);
}

// What opening or writing a file answers: a value, or the case number of wasi:filesystem's error-code.
struct FileResult {
  bool ok = false;
  int32_t value = 0;
};
inline constexpr int32_t kErrorAccess = 0, kErrorNoEntry = 20, kErrorNotPermitted = 31;

// The preopened folder that is the longest prefix of `path`, and the rest of the path. False when there is none.
inline bool find_preopen(View path, int32_t& folder, View& rest) {
  Returned<8> list;
  system_abi::get_directories(&list);
  auto words = reinterpret_cast<const int32_t*>(list.word(0));
  bool found = false;
  size_t best = 0;
  for (int32_t i = 0; i < list.word(4); ++i, words += 3) {
    View name(reinterpret_cast<const char*>(words[1]), static_cast<size_t>(words[2]));
    if (!path.starts_with(name) || (found && name.size < best)) continue;
    found = true, best = name.size, folder = words[0];
    rest = path.after(name.size);
    while (rest.size != 0 && rest.data[0] == '/') rest = rest.after(1);
  }
  return found;
}

inline FileResult open_file(View path, bool create) {
  int32_t folder = -1;
  View rest;
  if (!find_preopen(path, folder, rest)) return {false, kErrorNoEntry};
  Returned<8> result;
  system_abi::open_at(folder, 1, rest.data, rest.size, create ? 1 | 8 : 0, create ? 3 : 1, &result);
  if (result.byte(0) != 0) return {false, result.byte(4)};
  return {true, result.word(4)};
}

} // namespace cusp::guest
