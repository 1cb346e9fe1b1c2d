#include "app/admin.h"

#include "observe/prometheus.h"

namespace cusp::app {

std::string AdminPage::metrics() const {
  auto sum = [&](auto member) {
    std::uint64_t total = 0;
    for (const auto& worker : workers_) total += (worker->metrics().*member).value();
    return total;
  };
  auto parts = [&](observe::Histogram Metrics::* member) {
    std::vector<const observe::Histogram*> all;
    for (const auto& worker : workers_) all.push_back(&(worker->metrics().*member));
    return all;
  };
  observe::PrometheusText page;
  page.counter("cusp_requests_total", "Requests that a guest was asked to answer.", sum(&Metrics::requests));
  page.counter("cusp_errors_total", "Requests answered with a 5xx status or broken off.", sum(&Metrics::errors));
  page.family("cusp_responses_total",
              "Answers by class of status; broken: the connection ended before the answer was whole.", "counter");
  static constexpr std::string_view kClasses[] = {"broken", "1xx", "2xx", "3xx", "4xx", "5xx"};
  for (std::size_t i = 0; i < std::size(kClasses); ++i) {
    std::uint64_t total = 0;
    for (const auto& worker : workers_) total += worker->metrics().responses[i].value();
    page.row("cusp_responses_total", "class", kClasses[i], total);
  }
  page.counter("cusp_traps_total", "Guests that trapped.", sum(&Metrics::traps));
  page.counter("cusp_timeouts_total", "Guests that were stopped at their time limit.", sum(&Metrics::timeouts));
  page.counter("cusp_refused_total", "Requests that the server itself refused (full, malformed, too large).",
               sum(&Metrics::refused));
  page.counter("cusp_log_dropped_bytes_total", "Log output dropped because its reader was too slow.",
               log_.dropped_bytes());
  page.counter("cusp_code_moves_total", "Workers that have moved to better code of the component.",
               sum(&Metrics::moves));
  page.gauge("cusp_connections", "Client connections open.", sum(&Metrics::connections));
  page.gauge("cusp_queue", "Requests accepted and not answered yet.", sum(&Metrics::in_flight));
  page.gauge("cusp_instances_alive", "Instances in memory, idle ones included.", sum(&Metrics::instances));
  page.gauge("cusp_instances_idle", "Instances waiting for a request.", sum(&Metrics::idle_instances));
  page.histogram("cusp_request_seconds", "From the head of a request to the end of its answer.",
                 parts(&Metrics::latency));
  page.histogram("cusp_instantiation_seconds", "Making a fresh instance ready.", parts(&Metrics::instantiation));
  page.histogram("cusp_reset_seconds", "Putting an instance back into its first state.", parts(&Metrics::reset));
  return page.text();
}

void AdminPage::handle(http::Request& request, http::ResponseWriter& response) {
  std::string_view path = request.target().substr(0, request.target().find('?'));
  std::string text;
  std::uint16_t status = 200;
  if (path == "/metrics") text = metrics();
  else if (path == "/health" || path == "/.well-known/cusp/health") text = "ok\n";
  else if (path == "/") text = "cusp\n/metrics\n/health\n";
  else status = 404, text = "there are /metrics and /health\n";
  http::Header type{"content-type",
                    path == "/metrics" ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain; charset=utf-8"};
  response.start(status, std::span(&type, 1), text.size());
  if (response.write(text)) (void)response.finish();
}

} // namespace cusp::app
