// One worker of serve(): a thread with an event loop, a listener, a pool of instances and counters of its own. Handles a request on its
// connection's fiber in one straight line: route, acquire, call, conclude, reset. Private to app/.
#pragma once

#include <future>
#include <thread>
#include <variant>

#include "app/serve.h"
#include "http/server.h"
#include "observe/log_writer.h"
#include "observe/metrics.h"
#include "wasi/http/service.h"

namespace cusp::app {

struct Metrics {
  observe::Counter requests, errors, traps, timeouts, moves, responses[6]; // responses by hundreds; 0: broken off
  observe::Gauge in_flight, connections, instances, idle_instances, refused;
  observe::Histogram latency, instantiation, reset;
};

// The component as one compiler made it. All workers may move to another one's; the last to do so unmaps it.
struct Program {
  std::shared_ptr<const canon::ComponentCode> code;
  std::variant<canon::TypedExport<wasi::IncomingHandle>, canon::TypedExport<wasi::Handle>> handler; // 0.2, 0.3
};

// What all workers have in common; immutable while they run.
struct Service {
  std::shared_ptr<const wasi::Config> config;
  const ServeOptions* options = nullptr;
  observe::LogWriter* log = nullptr;
  loop::BlockingPool* blocking = nullptr;
};

class Worker final : public http::Handler {
public:
  Worker(const Service& service, unsigned index, unsigned count);
  ~Worker() override;

  Result<std::uint16_t> listen(const std::string& address, bool exclusive, std::shared_ptr<const Program> program);
  // Starts the thread; the result tells whether the first instance could be made. Serving begins with accept().
  std::future<Result<void>> start(std::function<void()> ended);
  void accept();                        // thread-safe
  void drain(loop::TimePoint deadline); // thread-safe
  void stop_now();                      // thread-safe
  // Thread-safe: new requests get instances of this program, once a first one could be made; those under way end on theirs.
  void move_to(std::shared_ptr<const Program> program);
  void join() { thread_.join(); }
  const Metrics& metrics() const { return metrics_; }

  void handle(http::Request& request, http::ResponseWriter& response) override;

private:
  void run(std::promise<Result<void>> ready);
  void tick(); // a fiber: what need not happen at once
  loop::TimePoint next_tick() const;
  struct Generation; // a program, and its instances
  Result<void> warm_up(Generation& generation);
  void adopt(std::shared_ptr<const Program> program);
  void let_go_of_old();
  void answer(Generation& generation, http::Request& request, http::ResponseWriter& response, std::uint64_t id);
  void answer_reusable(Generation& generation, http::Request& request, http::ResponseWriter& response,
                       std::uint64_t id);
  void refuse(http::ResponseWriter& response, std::uint64_t id, const base::Error& error);
  void conclude(http::ResponseWriter& response, wasi::ServerExchange& exchange, std::uint64_t id,
                const wasi::Context& context, const Result<void>& called, const canon::ComponentInstance& instance);
  void log_failure(std::uint64_t id, const wasi::Context& context, const base::Error& error, std::string report);
  void log_access(const http::Request& request, const http::ResponseWriter& response, std::uint64_t id,
                  std::uint64_t ns);
  void publish();
  void trim();

  const Service& service_;
  unsigned index_, count_;
  std::uint64_t next_id_ = 0;
  Metrics metrics_;
  observe::LogBuffer log_{*service_.log};
  wasi::FlushList flush_list_;
  std::unique_ptr<loop::EventLoop> loop_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<Generation> current_;
  std::vector<std::unique_ptr<Generation>> old_; // until their last request has its answer
  std::uint32_t max_instances_ = 0;
  loop::Event busy_, accepting_, draining_, ticked_out_;
  loop::TimePoint drain_deadline_{};
  loop::TimePoint next_trim_{};
  std::uint32_t surplus_ = 0; // instances to let go of
  bool ending_ = false;
  std::function<void()> ended_;
  std::thread thread_;
};

} // namespace cusp::app
