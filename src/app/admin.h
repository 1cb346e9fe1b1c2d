// The page for operators, on an address of its own: /metrics for Prometheus, /health. Private to app/.
#pragma once

#include <memory>
#include <vector>

#include "app/worker.h"

namespace cusp::app {

class AdminPage final : public http::Handler {
public:
  AdminPage(const std::vector<std::unique_ptr<Worker>>& workers, const observe::LogWriter& log)
      : workers_(workers), log_(log) {}
  void handle(http::Request& request, http::ResponseWriter& response) override;
  std::string metrics() const;

private:
  const std::vector<std::unique_ptr<Worker>>& workers_;
  const observe::LogWriter& log_;
};

} // namespace cusp::app
