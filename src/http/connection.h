// One client connection: buffers, the request being served, the response being written. Private to http/.
#pragma once

#include <string>
#include <vector>

#include "http/server.h"

namespace cusp::http {

struct Server::State {
  ServerOptions options;
  Handler* handler = nullptr;
  base::UniqueFd listener;
  loop::EventLoop* loop = nullptr;
  loop::Event acceptable, unused, draining;
  std::uint16_t port = 0;
  std::uint32_t in_flight = 0, connections = 0;
  std::uint64_t refused = 0;
  bool accepting = false;
  Connection* first = nullptr; // all live connections
};

class Connection {
public:
  Connection(Server::State& server, std::string peer)
      : server_(server), peer_(std::move(peer)), request_(*this), writer_(*this) {}
  void serve(base::UniqueFd fd);
  void cut() { stream_.reset_connection(); }
  Connection* next = nullptr;
  Connection* previous = nullptr;

private:
  friend class Request;
  friend class ResponseWriter;
  enum class Wanted : std::uint8_t { Request, Close };

  Wanted read_head();
  bool serve_one();                                           // false: close the connection
  void refuse(std::uint16_t status, std::string_view reason); // answers and closes
  bool drain_body();
  void append_head(std::uint16_t status, std::span<const Header> headers, std::optional<std::uint64_t> content_length);
  Result<void> send_out(std::string_view tail);
  loop::TimePoint io_deadline() const { return server_.loop->turn_time() + server_.options.io_timeout; }
  Result<void> before_body_read();

  Server::State& server_;
  std::string peer_;
  SocketStream stream_;
  std::vector<std::uint8_t> in_;
  std::size_t in_begin_ = 0, in_end_ = 0; // bytes not consumed yet
  Head head_;
  BodyReader body_;
  bool continue_sent_ = false;

  std::string out_; // gathered, not sent yet
  std::uint16_t status_ = 0;
  bool sent_ = false; // something of this response is on its way
  bool started_ = false, finished_ = false, aborted_ = false, chunked_ = false, bodiless_ = false, close_ = false;
  std::optional<std::uint64_t> promised_;
  std::uint64_t written_ = 0;
  Request request_;
  ResponseWriter writer_;
};

// "HTTP-date" of now, made once a second. Spec: RFC 9110 5.6.7.
std::string_view date_now();

} // namespace cusp::http
