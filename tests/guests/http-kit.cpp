// A guest with a route for everything a handler may do, and for everything it should not.
#include "cusp/guest/system.hpp"

using namespace cusp::guest;

namespace outgoing {
extern "C" {
CUSP_IMPORT(CUSP_HTTP_TYPES, "[constructor]outgoing-request") int32_t request_new(int32_t headers);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]outgoing-request.set-authority")
int32_t set_authority(int32_t self, int32_t some, const char* text, size_t size);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]outgoing-request.set-path-with-query")
int32_t set_path(int32_t self, int32_t some, const char* text, size_t size);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]outgoing-request.set-scheme")
int32_t set_scheme(int32_t self, int32_t some, int32_t which, const char* text, size_t size);
CUSP_IMPORT("wasi:http/outgoing-handler@0.2.0", "handle")
void handle(int32_t request, int32_t some, int32_t options, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]future-incoming-response.subscribe") int32_t subscribe(int32_t self);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]future-incoming-response.get") void get(int32_t self, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]incoming-response.status") int32_t status(int32_t self);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]incoming-response.consume") void consume(int32_t self, void* ret);
}
} // namespace outgoing

namespace {

volatile int sink;

[[gnu::noinline]] int recurse(int depth) {
  volatile char frame[512];
  frame[depth & 511] = 1;
  return depth < 0 ? 0 : recurse(depth + 1) + frame[1];
}

uint32_t fibonacci(uint32_t n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

void echo(Request& request, Response& response) {
  for (View part = request.read(); part.size != 0; part = request.read()) {
    response.write(part);
    free(const_cast<char*>(part.data));
  }
}

void large(View query, Response& response) {
  static char block[16384];
  memset(block, 'x', sizeof block);
  for (uint64_t left = parse_number(query_value(query, "n")); left != 0;) {
    size_t part = left < sizeof block ? static_cast<size_t>(left) : sizeof block;
    if (!response.write(View(block, part))) return;
    left -= part;
  }
}

void read_file(View path, Response& response) {
  FileResult file = open_file(path, false);
  if (!file.ok) {
    response.status(404).write(Text().add("error-code ").add_number(static_cast<uint64_t>(file.value)));
    return;
  }
  uint64_t offset = 0;
  for (;;) {
    Returned<16> result;
    system_abi::file_read(file.value, 65536, static_cast<int64_t>(offset), &result);
    if (result.byte(0) != 0) return;
    View part = result.view(4);
    response.write(part);
    offset += part.size;
    if (result.byte(12) != 0 || part.size == 0) break;
  }
  system_abi::descriptor_drop(file.value);
}

// GET http(s)://AUTHORITY/PATH and pass the answer on; 502 when there is none.
void outbound(View url, Response& response) {
  const bool secure = url.starts_with("https://");
  View rest = url.after(secure ? sizeof "https://" - 1 : sizeof "http://" - 1);
  View authority = rest.before('/');
  View path = rest.after(authority.size);
  int32_t request = outgoing::request_new(http_abi::fields_new());
  outgoing::set_authority(request, 1, authority.data, authority.size);
  outgoing::set_path(request, 1, path.data, path.size);
  outgoing::set_scheme(request, 1, secure, "", 0);
  Returned<64> result;
  outgoing::handle(request, 0, 0, &result);
  if (result.byte(0) != 0) {
    response.status(502).write("refused at once");
    return;
  }
  int32_t future = result.word(8);
  int32_t pollable = outgoing::subscribe(future);
  system_abi::pollable_block(pollable);
  system_abi::pollable_drop(pollable);
  outgoing::get(future, &result); // option at 0, outer result at 8, inner at 16, payload at 24
  if (result.byte(0) == 0 || result.byte(8) != 0 || result.byte(16) != 0) {
    response.status(502).write(Text().add("error-code ").add_number(result.byte(24)));
    return;
  }
  int32_t incoming = result.word(24);
  response.status(outgoing::status(incoming));
  Returned<12> part;
  outgoing::consume(incoming, &part);
  int32_t body = part.word(4);
  http_abi::incoming_body_stream(body, &part);
  int32_t stream = part.word(4);
  for (;;) {
    http_abi::stream_read(stream, 65536, &part);
    if (part.byte(0) != 0) break;
    response.write(part.view(4));
  }
}

void exhaust_memory(Response& response) {
  Text text; // has its memory before there is none left
  text.add("allocation failed after ");
  uint64_t total = 0;
  // Through a volatile, or clang takes the allocations out and the loop with them.
  for (void* volatile block = malloc(1 << 20); block; block = malloc(1 << 20)) total += 1 << 20;
  response.write(text.add_number(total));
}

void faults(View path, Response& response) {
  if (path == View("/trap")) __builtin_trap();
  if (path == View("/out-of-bounds")) sink = *reinterpret_cast<volatile int*>(0xfffffff0u);
  if (path == View("/stack-overflow")) sink = recurse(0);
  if (path == View("/spin-forever"))
    for (;;) sink = sink + 1;
  if (path == View("/no-response")) response.forget();
  if (path == View("/error-response")) response.fail();
  if (path == View("/half")) {
    response.header("content-length", "100").write("half");
    response.abandon();
  }
  if (path == View("/half-then-trap")) {
    response.write("half");
    __builtin_trap();
  }
  if (path == View("/bad-header")) response.header("bad header", "a\r\nb: c").write("sent without it");
  if (path == View("/too-long")) response.header("content-length", "4").write("more than four");
  if (path == View("/endless"))
    while (response.write("again and again ")) {
    }
}

void handle(Request& request, Response& response) {
  View path = request.path(), query = request.query();
  response.header("x-guest", "kit");
  if (path == View("/hello")) response.write("Hello");
  else if (path == View("/echo")) echo(request, response);
  else if (path == View("/method")) response.write(request.method());
  else if (path == View("/headers"))
    request.each_header([&](HeaderEntry e) { response.write(Text().add(e.name).add(": ").add(e.value).add("\n")); });
  else if (path == View("/status")) response.status(static_cast<int>(parse_number(query_value(query, "code"), 200)));
  else if (path == View("/fib"))
    response.write(Text().add_number(fibonacci(static_cast<uint32_t>(parse_number(query_value(query, "n"))))));
  else if (path == View("/large")) large(query, response);
  else if (path == View("/env"))
    each_variable([&](Variable v) { response.write(Text().add(v.name).add("=").add(v.value).add("\n")); });
  else if (path == View("/random")) {
    Returned<8> bytes;
    system_abi::random_bytes(static_cast<int64_t>(parse_number(query_value(query, "n"), 16)), &bytes);
    response.write(bytes.view(0));
  } else if (path == View("/time")) {
    Returned<16> now;
    system_abi::wall_now(&now);
    response.write(Text().add_number(now.wide(0)));
  } else if (path == View("/sleep")) {
    sleep_ns(parse_number(query_value(query, "ms")) * 1000000);
    response.write("slept");
  } else if (path == View("/log")) {
    write_all(system_abi::get_stdout(), "to stdout\n");
    write_all(system_abi::get_stderr(), "to stderr\n");
  } else if (path == View("/read")) read_file(query_value(query, "path"), response);
  else if (path == View("/outbound")) outbound(query_value(query, "url"), response);
  else if (path == View("/oom")) exhaust_memory(response);
  else if (path == View("/count")) {
    static uint32_t count = 0; // always 1: every request has an instance of its own
    response.write(Text().add_number(++count));
  } else faults(path, response);
}

} // namespace

CUSP_HTTP_HANDLER(handle)
