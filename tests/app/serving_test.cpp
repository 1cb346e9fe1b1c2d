// serve(): what an operator sees of it (metrics, log lines) and how it ends.
#include <nlohmann/json.hpp>

#include "app/served.h"

namespace cusp::test {
namespace {

using namespace std::chrono_literals;

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    lines.push_back(nlohmann::json::parse(text.substr(at, end - at), nullptr, false));
  return lines;
}

TEST(Metrics, CountWhatHappened) {
  Served served;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(served.get("/hello").status, 200);
  EXPECT_EQ(served.get("/trap").status, 500);
  EXPECT_EQ(served.get("/status?code=404").status, 404);
  const Reply page = served.admin("/metrics");
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.head.find("text/plain; version=0.0.4"), std::string::npos) << page.head;
  EXPECT_TRUE(served.becomes("cusp_requests_total", 5));
  EXPECT_EQ(served.metric("cusp_errors_total"), 1);
  EXPECT_EQ(served.metric("cusp_traps_total"), 1);
  EXPECT_EQ(served.metric("cusp_timeouts_total"), 0);
  EXPECT_EQ(served.metric("cusp_responses_total{class=\"2xx\"}"), 3);
  EXPECT_EQ(served.metric("cusp_responses_total{class=\"4xx\"}"), 1);
  EXPECT_EQ(served.metric("cusp_responses_total{class=\"5xx\"}"), 1);
  EXPECT_EQ(served.metric("cusp_request_seconds_count"), 5);
  EXPECT_EQ(served.metric("cusp_request_seconds_bucket{le=\"+Inf\"}"), 5);
  EXPECT_EQ(served.metric("cusp_instantiation_seconds_count"), 5);
  EXPECT_EQ(served.metric("cusp_reset_seconds_count"), 5);
  EXPECT_TRUE(served.becomes("cusp_queue", 0));
  EXPECT_TRUE(served.becomes("cusp_connections", 0));
}

// What Prometheus demands of a page: every sample belongs to a family that was announced, buckets never fall.
TEST(Metrics, APageIsWellFormed) {
  Served served;
  EXPECT_EQ(served.get("/hello").status, 200);
  const std::string page = served.admin("/metrics").body;
  std::string family;
  double last_bucket = 0;
  unsigned samples = 0;
  for (std::size_t at = 0, end; (end = page.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = page.substr(at, end - at);
    if (line.starts_with("# TYPE ")) family = line.substr(7, line.find(' ', 7) - 7), last_bucket = 0;
    if (line.starts_with("#")) continue;
    ++samples;
    EXPECT_TRUE(line.starts_with(family)) << line;
    const double value = std::atof(line.c_str() + line.rfind(' '));
    if (line.find("_bucket{") == std::string::npos) continue;
    EXPECT_GE(value, last_bucket) << line;
    last_bucket = value;
  }
  EXPECT_GT(samples, 20u);
}

TEST(Metrics, TheAdminPageHasHealthAndNothingElse) {
  Served served;
  EXPECT_EQ(served.admin("/health").body, "ok\n");
  EXPECT_EQ(served.admin("/health?x=1").status, 200);
  EXPECT_EQ(served.admin("/hello").status, 404);
  EXPECT_EQ(served.get("/.well-known/cusp/health").body, "ok\n");
  EXPECT_NE(served.get("/metrics").head.find("x-guest: kit"), std::string::npos)
      << "an application's paths are its own";
}

TEST(Metrics, ATimeLimitIsCounted) {
  Served served([](app::ServeOptions& options) { options.timeout = 150ms; });
  EXPECT_EQ(served.get("/spin-forever").status, 500);
  EXPECT_EQ(served.get("/hello").status, 200);
  EXPECT_TRUE(served.becomes("cusp_timeouts_total", 1));
  EXPECT_TRUE(served.shows("the time limit was reached", true)) << served.log();
}

TEST(Metrics, IdleInstancesAreLetGo) {
  Served served([](app::ServeOptions& options) { options.idle_instances = 200ms; });
  std::vector<base::UniqueFd> waiting;
  for (int i = 0; i < 8; ++i) waiting.push_back(served.ask("/sleep?ms=300"));
  for (const auto& one : waiting) EXPECT_EQ(Served::receive(one).status, 200);
  EXPECT_TRUE(served.becomes("cusp_instances_alive", 1)) << served.metric("cusp_instances_alive");
  EXPECT_EQ(served.get("/hello").status, 200);
  EXPECT_TRUE(served.becomes("cusp_instances_idle", 1));
}

TEST(Log, AccessLinesInText) {
  Served served([](app::ServeOptions& options) { options.access_log = app::LogFormat::Text; });
  EXPECT_EQ(served.get("/hello?a=\"b\"").status, 200);
  EXPECT_TRUE(served.shows("\"GET /hello")) << served.output();
  EXPECT_NE(served.output().find("\" 200 5 "), std::string::npos) << served.output();
}

TEST(Log, AccessLinesInJson) {
  Served served([](app::ServeOptions& options) { options.access_log = app::LogFormat::Json; });
  EXPECT_EQ(served.get("/hello?a=%22\\").status, 200);
  EXPECT_EQ(served.get("/trap").status, 500);
  ASSERT_TRUE(served.shows("/trap"));
  const auto lines = json_lines(served.output());
  ASSERT_EQ(lines.size(), 2u) << served.output();
  ASSERT_TRUE(lines[0].is_object()) << served.output();
  EXPECT_EQ(lines[0]["method"], "GET");
  EXPECT_EQ(lines[0]["path"], "/hello?a=%22\\");
  EXPECT_EQ(lines[0]["status"], 200);
  EXPECT_EQ(lines[0]["bytes"], 5);
  EXPECT_EQ(lines[0]["complete"], true);
  EXPECT_EQ(lines[1]["status"], 500);
  ASSERT_TRUE(served.shows("unreachable", true));
  const auto errors = json_lines(served.log());
  ASSERT_FALSE(errors.empty());
  EXPECT_EQ(errors.back()["level"], "error");
  EXPECT_EQ(errors.back()["instance"], lines[1]["instance"]);
  EXPECT_NE(errors.back()["message"].get<std::string>().find("wasm backtrace"), std::string::npos);
}

TEST(Log, GuestLinesNameTheirInstance) {
  Served served;
  EXPECT_EQ(served.get("/log").status, 200);
  EXPECT_TRUE(served.shows("stdout [0] :: to stdout\n")) << served.output();
  EXPECT_TRUE(served.shows("stderr [0] :: to stderr\n", true)) << served.log();
  EXPECT_EQ(served.get("/log").status, 200);
  EXPECT_TRUE(served.shows("stdout [1] :: to stdout\n")) << served.output();
}

TEST(Drain, FinishesWhatIsInFlight) {
  for (int number : {SIGTERM, SIGINT}) {
    Served served;
    const base::UniqueFd slow = served.ask("/sleep?ms=500");
    ASSERT_TRUE(served.becomes("cusp_queue", 1));
    served.signal(number);
    Served::pause_ms(100);
    EXPECT_FALSE(served.connect()) << "a draining server takes no connection";
    EXPECT_EQ(Served::receive(slow).status, 200);
    EXPECT_EQ(served.wait(), 0);
  }
}

TEST(Drain, ClosesIdleConnectionsAtOnce) {
  Served served;
  const base::UniqueFd idle = served.connect();
  ASSERT_TRUE(idle);
  served.signal(SIGTERM);
  EXPECT_EQ(served.wait(), 0);
}

TEST(Drain, IsCutAtItsTimeout) {
  Served served([](app::ServeOptions& options) { options.drain_timeout = 200ms; });
  const base::UniqueFd slow = served.ask("/sleep?ms=60000");
  ASSERT_TRUE(served.becomes("cusp_queue", 1));
  const auto begin = std::chrono::steady_clock::now();
  served.signal(SIGTERM);
  EXPECT_EQ(served.wait(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 8s);
}

TEST(Drain, ASecondSignalEndsItAtOnce) {
  Served served;
  const base::UniqueFd slow = served.ask("/sleep?ms=60000");
  ASSERT_TRUE(served.becomes("cusp_queue", 1));
  served.signal(SIGTERM);
  Served::pause_ms(200);
  served.signal(SIGTERM);
  EXPECT_EQ(served.wait(), 0);
}

TEST(Drain, StopsAGuestThatComputesForEver) {
  Served served([](app::ServeOptions& options) { options.drain_timeout = 200ms; });
  const base::UniqueFd spinning = served.ask("/spin-forever");
  ASSERT_TRUE(served.becomes("cusp_queue", 1));
  served.signal(SIGTERM);
  EXPECT_EQ(served.wait(), 0);
}

} // namespace
} // namespace cusp::test
