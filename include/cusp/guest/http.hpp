// HTTP handlers in C++: write `void handle(cusp::guest::Request&, cusp::guest::Response&)` and CUSP_HTTP_HANDLER(handle).
// Bodies stream both ways. Built by clang with wasi-libc's malloc, without a C++ library; see examples/hello-http.
#pragma once

#include "cusp/guest/abi.hpp"

namespace cusp::guest {

namespace http_abi {
#define CUSP_HTTP_TYPES "wasi:http/types@0.2.0"
#define CUSP_IO_STREAMS "wasi:io/streams@0.2.0"
extern "C" {
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]incoming-request.method") void request_method(int32_t self, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]incoming-request.path-with-query") void request_path(int32_t self, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]incoming-request.headers") int32_t request_headers(int32_t self);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]incoming-request.consume") void request_consume(int32_t self, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[resource-drop]incoming-request") void request_drop(int32_t self);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]incoming-body.stream") void incoming_body_stream(int32_t self, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[resource-drop]incoming-body") void incoming_body_drop(int32_t self);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[constructor]fields") int32_t fields_new();
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]fields.entries") void fields_entries(int32_t self, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]fields.append")
void fields_append(int32_t self, const char* name, size_t name_size, const char* value, size_t value_size, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[resource-drop]fields") void fields_drop(int32_t self);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[constructor]outgoing-response") int32_t response_new(int32_t headers);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]outgoing-response.set-status-code") int32_t response_set_status(int32_t self, int32_t code);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]outgoing-response.body") void response_body(int32_t self, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[method]outgoing-body.write") void outgoing_body_write(int32_t self, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[static]outgoing-body.finish")
void outgoing_body_finish(int32_t self, int32_t has_trailers, int32_t trailers, void* ret);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[resource-drop]outgoing-body") void outgoing_body_drop(int32_t self);
// result<own<outgoing-response>, error-code>, flattened: which, then the handle or the error's case and payload.
CUSP_IMPORT(CUSP_HTTP_TYPES, "[static]response-outparam.set")
void outparam_set(int32_t self, int32_t is_error, int32_t value, int32_t e1, int64_t e2, int32_t e3, int32_t e4, int32_t e5, int32_t e6);
CUSP_IMPORT(CUSP_HTTP_TYPES, "[resource-drop]response-outparam") void outparam_drop(int32_t self);
CUSP_IMPORT(CUSP_IO_STREAMS, "[method]input-stream.blocking-read") void stream_read(int32_t self, int64_t size, void* ret);
CUSP_IMPORT(CUSP_IO_STREAMS, "[resource-drop]input-stream") void input_stream_drop(int32_t self);
CUSP_IMPORT(CUSP_IO_STREAMS, "[method]output-stream.blocking-write-and-flush")
void stream_write(int32_t self, const char* data, size_t size, void* ret);
CUSP_IMPORT(CUSP_IO_STREAMS, "[resource-drop]output-stream") void output_stream_drop(int32_t self);
}
} // namespace http_abi

// Writes all of it; false when the other end is gone. At most 4096 bytes travel per call, as the interface demands.
inline bool write_all(int32_t output_stream, View bytes) {
  while (bytes.size != 0) {
    size_t part = bytes.size < 4096 ? bytes.size : 4096;
    Returned<12> result;
    http_abi::stream_write(output_stream, bytes.data, part, &result);
    if (result.byte(0) != 0) return false;
    bytes = bytes.after(part);
  }
  return true;
}

struct HeaderEntry {
  View name, value;
};

class Request {
public:
  explicit Request(int32_t handle) : handle_(handle) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() {
    if (stream_ >= 0) http_abi::input_stream_drop(stream_);
    if (body_ >= 0) http_abi::incoming_body_drop(body_);
    if (headers_ >= 0) http_abi::fields_drop(headers_);
    http_abi::request_drop(handle_);
  }

  // "GET", "POST", …, or the text of another method.
  View method() const {
    static constexpr const char* kNames[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    Returned<12> result;
    http_abi::request_method(handle_, &result);
    return result.byte(0) < 9 ? View(kNames[result.byte(0)]) : result.view(4);
  }
  View path_with_query() const {
    Returned<12> result;
    http_abi::request_path(handle_, &result);
    return result.byte(0) == 0 ? View("/") : result.view(4);
  }
  View path() const { return path_with_query().before('?'); }
  View query() const {
    View all = path_with_query();
    return all.after(all.before('?').size + 1);
  }

  // Calls visit(HeaderEntry) for every header field.
  template <class Visit> void each_header(Visit visit) {
    if (headers_ < 0) headers_ = http_abi::request_headers(handle_);
    Returned<8> result;
    http_abi::fields_entries(headers_, &result);
    auto entries = reinterpret_cast<const int32_t*>(result.word(0));
    for (int32_t i = 0; i < result.word(4); ++i, entries += 4)
      visit(HeaderEntry{View(reinterpret_cast<const char*>(entries[0]), static_cast<size_t>(entries[1])),
                        View(reinterpret_cast<const char*>(entries[2]), static_cast<size_t>(entries[3]))});
  }

  // The next part of the body, waiting for it; empty at the end. Freed by the caller's free().
  View read(size_t at_most = 65536) {
    if (body_ < 0) {
      Returned<8> result;
      http_abi::request_consume(handle_, &result);
      if (result.byte(0) != 0) return View();
      body_ = result.word(4);
      http_abi::incoming_body_stream(body_, &result);
      if (result.byte(0) != 0) return View();
      stream_ = result.word(4);
    }
    if (stream_ < 0) return View();
    Returned<12> result;
    http_abi::stream_read(stream_, static_cast<int64_t>(at_most), &result);
    return result.byte(0) == 0 ? result.view(4) : View();
  }
  void read_all(Text& into) {
    for (View part = read(); part.size != 0; part = read()) {
      into.add(part);
      free(const_cast<char*>(part.data));
    }
  }

private:
  int32_t handle_, headers_ = -1, body_ = -1, stream_ = -1;
};

// The response goes out with the first write() or with finish(); status and headers before that.
class Response {
public:
  explicit Response(int32_t outparam) : outparam_(outparam), headers_(http_abi::fields_new()) {}
  Response(const Response&) = delete;
  Response& operator=(const Response&) = delete;
  ~Response() { finish(); }

  Response& status(int code) {
    status_ = code;
    return *this;
  }
  Response& header(View name, View value) {
    Returned<2> result;
    http_abi::fields_append(headers_, name.data, name.size, value.data, value.size, &result);
    return *this;
  }
  bool write(View bytes) {
    start();
    return stream_ >= 0 && write_all(stream_, bytes);
  }
  void finish() {
    if (finished_) return;
    finished_ = true;
    start();
    if (stream_ >= 0) http_abi::output_stream_drop(stream_);
    Returned<64> result;
    if (body_ >= 0) http_abi::outgoing_body_finish(body_, 0, 0, &result);
  }
  // Leaves without completing the body: the client sees a broken response.
  void abandon() {
    finished_ = true;
    start();
    if (stream_ >= 0) http_abi::output_stream_drop(stream_);
    if (body_ >= 0) http_abi::outgoing_body_drop(body_);
  }
  // Answers with an error instead of a response.
  void fail() {
    finished_ = started_ = true;
    http_abi::outparam_set(outparam_, 1, 38, 0, 0, 0, 0, 0, 0); // internal-error(none)
  }
  // Never answers at all.
  void forget() {
    finished_ = started_ = true;
    http_abi::outparam_drop(outparam_);
  }

private:
  void start() {
    if (started_) return;
    started_ = true;
    int32_t response = http_abi::response_new(headers_);
    http_abi::response_set_status(response, status_);
    Returned<8> result;
    http_abi::response_body(response, &result);
    body_ = result.byte(0) == 0 ? result.word(4) : -1;
    http_abi::outparam_set(outparam_, 0, response, 0, 0, 0, 0, 0, 0);
    if (body_ < 0) return;
    http_abi::outgoing_body_write(body_, &result);
    stream_ = result.byte(0) == 0 ? result.word(4) : -1;
  }
  int32_t outparam_, headers_, body_ = -1, stream_ = -1;
  int status_ = 200;
  bool started_ = false, finished_ = false;
};

} // namespace cusp::guest

// Exports `function` as wasi:http/incoming-handler.
#define CUSP_HTTP_HANDLER(function)                                                                                    \
  CUSP_GUEST_RUNTIME                                                                                                   \
  extern "C" CUSP_EXPORT("wasi:http/incoming-handler@0.2.0#handle") void cusp_guest_handle(int32_t request,            \
                                                                                           int32_t response) {         \
    cusp::guest::Request in(request);                                                                                  \
    cusp::guest::Response out(response);                                                                               \
    function(in, out);                                                                                                 \
  }
