// The server over real sockets: what a client sends, byte for byte, and what it gets.
#include "http/server.h"

#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cusp::http {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class TestHandler : public Handler {
public:
  void handle(Request& request, ResponseWriter& response) override {
    if (request.target() == "/hello") {
      response.start(200, {}, 5);
      ASSERT_TRUE(response.write("Hello"));
      ASSERT_TRUE(response.finish());
    } else if (request.target() == "/echo") {
      response.start(200, {});
      std::uint8_t part[1000];
      for (;;) {
        auto got = request.read(part);
        if (!got) return response.abort();
        if (*got == 0) break;
        if (!response.write({reinterpret_cast<char*>(part), *got})) return;
      }
      std::vector<Header> trailers;
      for (const auto& [name, value] : request.trailers()) trailers.push_back({name, value});
      (void)response.finish(trailers);
    } else if (request.target() == "/large") {
      response.start(200, {});
      std::string block(100'000, 'x');
      for (int i = 0; i < 50; ++i)
        if (!response.write(block)) return;
      (void)response.finish();
    } else if (request.target() == "/half") {
      response.start(200, {});
      (void)response.write("half");
    } else if (request.target() == "/slow") {
      bool gone = request.hangup().wait(loop::Clock::now() + 300ms);
      hangups += gone;
      response.start(200, {}, 0);
      (void)response.finish();
    }
  }
  int hangups = 0;
};

// A server on a thread of its own.
class Served {
public:
  explicit Served(ServerOptions options = {}) {
    loop_ = loop::EventLoop::create(nullptr).value();
    server_ = Server::listen("127.0.0.1:0", handler, options).value();
    thread_ = std::thread([this] {
      loop_->post([this] { server_->start(); });
      loop_->run();
    });
  }
  ~Served() {
    loop_->post([this] {
      loop_->spawn([this] {
        server_->drain(loop::Clock::now() + 2s);
        loop_->stop();
      });
    });
    thread_.join();
    EXPECT_EQ(server_->connections(), 0u);
    EXPECT_EQ(loop_->fibers_alive(), 0u);
  }
  int connect() {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server_->port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval patience{.tv_sec = 5, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    return fd;
  }
  // Sends, says that it is done, and reads to the end.
  std::string ask(std::string_view bytes, bool half_close = true) {
    int fd = connect();
    EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    if (half_close) shutdown(fd, SHUT_WR);
    std::string all;
    char part[65536];
    for (ssize_t got; (got = recv(fd, part, sizeof part, 0)) > 0;) all.append(part, static_cast<std::size_t>(got));
    close(fd);
    return all;
  }
  TestHandler handler;

private:
  std::unique_ptr<loop::EventLoop> loop_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

constexpr std::string_view kHello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kHelloClose = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++n;
  return n;
}

TEST(HttpServer, AnswersAndCloses) {
  Served served;
  std::string reply = served.ask(kHelloClose, false);
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("content-length: 5\r\n"));
  EXPECT_THAT(reply, HasSubstr("date: "));
  EXPECT_THAT(reply, EndsWith("\r\n\r\nHello"));
}

TEST(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
  Served served;
  std::string many;
  for (int i = 0; i < 100; ++i) many += kHello;
  std::string reply = served.ask(many + std::string(kHelloClose), false);
  EXPECT_EQ(count(reply, "Hello"), 101u);
}

TEST(HttpServer, EchoesByLengthAndChunked) {
  Served served;
  std::string body(70'000, 'b');
  std::string reply =
      served.ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\nConnection: close\r\n\r\n" + body, false);
  EXPECT_EQ(count(reply, "b"), 70'000u);
  EXPECT_THAT(reply, EndsWith("\r\n0\r\n\r\n"));
  reply = served.ask("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
                     "3\r\nabc\r\n5;ext=1\r\ndefgh\r\n0\r\nX-Sum: 8\r\n\r\n" +
                         std::string(kHelloClose),
                     false);
  EXPECT_THAT(reply, HasSubstr("abc"));
  EXPECT_THAT(reply, HasSubstr("defgh"));
  EXPECT_THAT(reply, HasSubstr("0\r\nX-Sum: 8\r\n\r\n"));
  EXPECT_THAT(reply, EndsWith("Hello")) << "the next request on the connection is found behind the chunks";
}

TEST(HttpServer, WaitsForContinueOnlyWhenTheBodyIsWanted) {
  Served served;
  std::string reply = served.ask(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
      false);
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"));
  reply = served.ask("POST /hello HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", false);
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(reply, HasSubstr("connection: close"));
}

TEST(HttpServer, HeadHasNoBody) {
  Served served;
  std::string reply = served.ask("HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false);
  EXPECT_THAT(reply, HasSubstr("content-length: 5\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\n"));
}

TEST(HttpServer, OldClientsGetABodyThatEndsWithTheConnection) {
  Served served;
  std::string reply = served.ask("POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", false);
  EXPECT_THAT(reply, EndsWith("\r\n\r\nabc"));
  EXPECT_EQ(reply.find("chunked"), std::string::npos);
}

TEST(HttpServer, LargeResponsesWaitForTheClient) {
  Served served;
  std::string reply = served.ask("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false);
  EXPECT_GE(count(reply, "x"), 5'000'000u);
  EXPECT_THAT(reply, EndsWith("0\r\n\r\n"));
}

TEST(HttpServer, AnUnfinishedResponseIsCutShort) {
  Served served;
  std::string reply = served.ask("GET /half HTTP/1.1\r\nHost: a\r\n\r\n", false);
  EXPECT_THAT(reply, HasSubstr("half"));
  EXPECT_EQ(reply.find("0\r\n\r\n"), std::string::npos);
  EXPECT_THAT(served.ask("GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
              StartsWith("HTTP/1.1 500"));
}

TEST(HttpServer, RefusesWhatIsMalformed) {
  Served served;
  struct Case {
    const char* request;
    const char* status;
  };
  const Case cases[] = {
      {"garbage\r\n\r\n", "400"},
      {"GET /hello\r\n\r\n", "400"},
      {"GET /hello HTTP/2.0\r\n\r\n", "505"},
      {"GET /hello HTTP/1.1\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"G ET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\nHost: a\n\n", "400"},
      {"GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "400"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", "400"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", "400"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
  };
  for (const Case& c : cases)
    EXPECT_THAT(served.ask(c.request), StartsWith(std::string("HTTP/1.1 ") + c.status)) << c.request;
  std::string bad_chunk =
      served.ask("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(bad_chunk.find("0\r\n\r\n"), std::string::npos);
}

TEST(HttpServer, LimitsHeads) {
  Served served;
  std::string head = "GET /hello HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 20; ++i) head += "X: " + std::string(8000, 'a') + "\r\n";
  EXPECT_THAT(served.ask(head + "\r\n"), StartsWith("HTTP/1.1 431"));
  std::string many = "GET /hello HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 200; ++i) many += "X: a\r\n";
  EXPECT_THAT(served.ask(many + "\r\n"), StartsWith("HTTP/1.1 431"));
}

TEST(HttpServer, TimesOutSlowHeadsAndIdleConnections) {
  ServerOptions options;
  options.head_timeout = 50ms;
  options.idle_timeout = 100ms;
  Served served(options);
  EXPECT_THAT(served.ask("GET /hel", false), StartsWith("HTTP/1.1 408"));
  auto start = loop::Clock::now();
  EXPECT_EQ(served.ask("", false), "");
  EXPECT_LT(loop::Clock::now() - start, 3s);
}

TEST(HttpServer, IsFullAtTheLimit) {
  ServerOptions options;
  options.max_in_flight = 1;
  Served served(options);
  int first = served.connect();
  std::string_view slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(send(first, slow.data(), slow.size(), 0), static_cast<ssize_t>(slow.size()));
  std::this_thread::sleep_for(50ms);
  std::string reply = served.ask(kHello, false);
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(reply, HasSubstr("Retry-After: "));
  char part[1000];
  EXPECT_GT(recv(first, part, sizeof part, 0), 0);
  close(first);
  EXPECT_THAT(served.ask(kHelloClose, false), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServer, NoticesThatTheClientHasGone) {
  Served served;
  int fd = served.connect();
  std::string_view slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(send(fd, slow.data(), slow.size(), 0), static_cast<ssize_t>(slow.size()));
  std::this_thread::sleep_for(30ms);
  close(fd);
  std::this_thread::sleep_for(400ms);
  EXPECT_EQ(served.handler.hangups, 1);
}

TEST(HttpServer, BadAddressesAreExplained) {
  TestHandler handler;
  for (const char* text : {"", "8080", "127.0.0.1", "127.0.0.1:99999", "nonsense:80", "[::1:80"}) {
    auto server = Server::listen(text, handler, {});
    ASSERT_FALSE(server.has_value()) << text;
    EXPECT_THAT(server.error().message, HasSubstr("127.0.0.1:8080"));
  }
}

} // namespace
} // namespace cusp::http
