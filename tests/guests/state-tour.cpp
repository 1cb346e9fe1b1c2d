// A command that uses what the host keeps for it: state-tour config NAME | log TEXT | count BUCKET | swap BUCKET.
#include "cusp/guest/system.hpp"

using namespace cusp::guest;

namespace state_abi {
extern "C" {
CUSP_IMPORT("wasi:config/store@0.2.0-rc.1", "get") void config_get(const char* key, size_t size, void* ret);
CUSP_IMPORT("wasi:logging/logging@0.1.0-draft", "log")
void log_message(int32_t level, const char* context, size_t context_size, const char* text, size_t size);
CUSP_IMPORT("wasi:keyvalue/store@0.2.0-draft2", "open") void bucket_open(const char* name, size_t size, void* ret);
CUSP_IMPORT("wasi:keyvalue/store@0.2.0-draft2", "[method]bucket.get")
void bucket_get(int32_t self, const char* key, size_t size, void* ret);
CUSP_IMPORT("wasi:keyvalue/store@0.2.0-draft2", "[method]bucket.set")
void bucket_set(int32_t self, const char* key, size_t key_size, const char* value, size_t size, void* ret);
CUSP_IMPORT("wasi:keyvalue/atomics@0.2.0-draft2", "increment")
void increment(int32_t bucket, const char* key, size_t size, int64_t delta, void* ret);
CUSP_IMPORT("wasi:keyvalue/atomics@0.2.0-draft2", "[static]cas.new")
void cas_new(int32_t bucket, const char* key, size_t size, void* ret);
CUSP_IMPORT("wasi:keyvalue/atomics@0.2.0-draft2", "[method]cas.current") void cas_current(int32_t self, void* ret);
CUSP_IMPORT("wasi:keyvalue/atomics@0.2.0-draft2", "swap")
void cas_swap(int32_t cas, const char* value, size_t size, void* ret);
}
} // namespace state_abi
using namespace state_abi;

static void print(View text) { write_all(system_abi::get_stdout(), text); }

static bool config(View name) {
  Returned<16> got;
  config_get(name.data, name.size, &got);
  print(Text().add(got.byte(4) ? got.view(8) : View("(none)")).add("\n"));
  return got.byte(0) == 0;
}

static int32_t open_bucket(View name) {
  Returned<16> opened;
  bucket_open(name.data, name.size, &opened);
  if (opened.byte(0) == 0) return opened.word(4);
  print(opened.byte(4) == 0 ? "no-such-store\n" : "another error\n");
  return -1;
}

static bool count(int32_t bucket) {
  Returned<24> sum;
  increment(bucket, "visits", 6, 1, &sum);
  if (sum.byte(0) != 0) return false;
  print(Text().add("visits ").add_number(sum.wide(8)).add("\n"));
  return true;
}

// Two see the same value; the second to swap fails, learns what it is now, and succeeds with that.
static bool swap(int32_t bucket) {
  Returned<16> done, first, second, now;
  Returned<20> swapped;
  bucket_set(bucket, "k", 1, "old", 3, &done);
  cas_new(bucket, "k", 1, &first);
  cas_new(bucket, "k", 1, &second);
  cas_swap(first.word(4), "new", 3, &swapped);
  print(swapped.byte(0) == 0 ? "swapped\n" : "failed\n");
  cas_swap(second.word(4), "newer", 5, &swapped);
  if (swapped.byte(0) == 0 || swapped.byte(4) != 1) return false;
  cas_current(swapped.word(8), &now);
  print(Text().add("failed, it is ").add(now.view(8)).add("\n"));
  cas_swap(swapped.word(8), "newer", 5, &swapped);
  bucket_get(bucket, "k", 1, &now);
  print(Text().add(now.view(8)).add("\n"));
  return swapped.byte(0) == 0;
}

static bool run() {
  View what = argument(1), name = argument(2);
  if (what == View("config")) return config(name);
  if (what == View("log")) {
    log_message(3, "tour", 4, name.data, name.size);
    return true;
  }
  int32_t bucket = open_bucket(name);
  return bucket >= 0 && (what == View("count") ? count(bucket) : swap(bucket));
}

CUSP_GUEST_RUNTIME

extern "C" CUSP_EXPORT("wasi:cli/run@0.2.0#run") int32_t cusp_guest_run() { return run() ? 0 : 1; }
