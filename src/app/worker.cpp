#include "app/worker.h"

#include <algorithm>

#include <fmt/format.h>

#include "app/guest_log.h"
#include "app/handler_use.h"
#include "wasi/http/server_exchange.h"

namespace cusp::app {

namespace {

constexpr auto kTick = std::chrono::milliseconds(20);
constexpr std::uint32_t kAtOnce = 16; // instances to let go of: giving address space back takes a while
constexpr std::string_view kHealthPath = "/.well-known/cusp/health";

std::uint64_t since(loop::TimePoint begin, loop::TimePoint end) {
  return static_cast<std::uint64_t>((end - begin).count());
}

void answer_text(http::ResponseWriter& response, std::uint16_t status, std::string_view text) {
  http::Header type{"content-type", "text/plain; charset=utf-8"};
  response.start(status, std::span(&type, 1), text.size());
  if (response.write(text)) (void)response.finish();
}

} // namespace

struct Worker::Generation {
  Generation(Worker& worker, std::shared_ptr<const Program> of)
      : program(std::move(of)), pool(program->code, worker.max_instances_),
        uses(worker.service_, worker.log_, *worker.loop_) {}
  std::shared_ptr<const Program> program;
  canon::InstancePool pool;
  HandlerUses uses;           // of a 0.3 handler
  std::uint32_t requests = 0; // that are being answered
};

Worker::Worker(const Service& service, unsigned index, unsigned count)
    : service_(service), index_(index), count_(count) {}
Worker::~Worker() = default;

Result<std::uint16_t> Worker::listen(const std::string& address, bool exclusive,
                                     std::shared_ptr<const Program> program) {
  http::ServerOptions options;
  if (std::uint32_t most = service_.options->max_concurrency) options.max_in_flight = (most + count_ - 1) / count_;
  options.exclusive = exclusive;
  server_ = CUSP_TRY(http::Server::listen(address, *this, options));
  loop_ = CUSP_TRY(loop::EventLoop::create(service_.blocking));
  max_instances_ = options.max_in_flight + 1;
  current_ = std::make_unique<Generation>(*this, std::move(program));
  return server_->port();
}

std::future<Result<void>> Worker::start(std::function<void()> ended) {
  ended_ = std::move(ended);
  std::promise<Result<void>> ready;
  auto future = ready.get_future();
  thread_ = std::thread([this, ready = std::move(ready)]() mutable { run(std::move(ready)); });
  return future;
}

void Worker::accept() {
  loop_->post([this] { accepting_.set(); });
}
void Worker::drain(loop::TimePoint deadline) {
  loop_->post([this, deadline] {
    drain_deadline_ = deadline;
    draining_.set();
    accepting_.set();
  });
}
void Worker::stop_now() { loop_->stop_now(); }
void Worker::move_to(std::shared_ptr<const Program> program) {
  loop_->post([this, program = std::move(program)] { loop_->spawn([this, program] { adopt(program); }); });
}

void Worker::run(std::promise<Result<void>> ready) {
  loop_->spawn([&] {
    Result<void> warm = warm_up(*current_);
    bool good = warm.has_value();
    ready.set_value(std::move(warm));
    if (!good) return loop_->stop();
    accepting_.wait();
    if (!draining_.is_set()) {
      server_->start();
      loop_->spawn([this] { tick(); });
      draining_.wait();
      server_->drain(drain_deadline_);
      current_->uses.end_all();
      for (auto& generation : old_) generation->uses.end_all();
      ending_ = true;
      busy_.set();
      ticked_out_.wait();
    }
    loop_->stop();
  });
  loop_->run();
  log_.hand_over();
  ended_();
}

// One instance is made before the first request, so that what can go wrong with all of them is told at the start.
Result<void> Worker::warm_up(Generation& generation) {
  wasi::Context context;
  GuestStdio stdio(log_, service_.options->access_log, index_);
  context.config = service_.config.get();
  context.stdio = &stdio;
  auto lease = CUSP_TRY(generation.pool.acquire(&context));
  return {};
}

void Worker::adopt(std::shared_ptr<const Program> program) {
  if (ending_) return;
  auto next = std::make_unique<Generation>(*this, std::move(program));
  if (Result<void> warm = warm_up(*next); !warm)
    return log_.line(observe::LogStream::Err,
                     fmt::format("warning: the optimised code is not used: {}", warm.error().to_string()));
  old_.push_back(std::exchange(current_, std::move(next)));
  metrics_.moves.add();
  busy_.set(); // tick() lets go of the old one
}

// As trim() does. What is mapped for its code goes with the last worker's.
void Worker::let_go_of_old() {
  for (auto& generation : old_) {
    generation->uses.trim(loop::kNever);
    generation->pool.trim(generation->pool.idle() - std::min(kAtOnce, generation->pool.idle()));
  }
  std::erase_if(old_,
                [](const auto& generation) { return generation->requests == 0 && generation->pool.alive() == 0; });
}

// While anything is going on, every few milliseconds: answers that a computing guest has flushed go out, log lines are handed over, numbers
// that others own are published. An idle worker sleeps, but for letting go of instances that it needs no more.
void Worker::tick() {
  next_trim_ = loop::Clock::now() + service_.options->idle_instances;
  while (!ending_) {
    busy_.wait(next_tick());
    loop_->sleep_until(loop::Clock::now() + kTick);
    flush_list_.flush_all();
    log_.hand_over();
    trim();
    let_go_of_old();
    publish();
    if (server_->in_flight() == 0 && old_.empty()) busy_.reset();
  }
  ticked_out_.set();
}

loop::TimePoint Worker::next_tick() const {
  if (surplus_ != 0) return loop::Clock::now();
  return current_->pool.idle() > 1 || current_->uses.keeps_any() ? next_trim_ : loop::kNever;
}

void Worker::trim() {
  canon::InstancePool& pool = current_->pool;
  if (loop::TimePoint now = loop::Clock::now(); now >= next_trim_) {
    current_->uses.trim(now - service_.options->idle_instances);
    surplus_ = pool.take_unneeded();
    next_trim_ = now + service_.options->idle_instances;
  }
  std::uint32_t part = std::min({surplus_, kAtOnce, pool.idle()});
  surplus_ = part == 0 ? 0 : surplus_ - part;
  if (part != 0) pool.trim(pool.idle() - part);
}

void Worker::publish() {
  metrics_.connections.set(server_->connections());
  std::uint32_t alive = current_->pool.alive(), idle = current_->pool.idle();
  for (const auto& generation : old_) alive += generation->pool.alive(), idle += generation->pool.idle();
  metrics_.instances.set(alive);
  metrics_.idle_instances.set(idle);
  metrics_.refused.set(server_->refused());
}

void Worker::handle(http::Request& request, http::ResponseWriter& response) {
  if (request.target() == kHealthPath) return answer_text(response, 200, "ok\n");
  if (!busy_.is_set()) busy_.set();
  loop::TimePoint begin = loop::Clock::now();
  std::uint64_t id = index_ + count_ * next_id_++;
  metrics_.in_flight.set(server_->in_flight());
  Generation& generation = *current_;
  ++generation.requests;
  answer(generation, request, response, id);
  --generation.requests;
  std::uint64_t ns = since(begin, loop::Clock::now());
  metrics_.in_flight.set(server_->in_flight() - 1);
  metrics_.latency.record(ns);
  metrics_.requests.add();
  std::uint16_t status = response.finished() ? response.status() : 0;
  metrics_.responses[status / 100 < 6 ? status / 100 : 0].add();
  if (status == 0 || status >= 500) metrics_.errors.add();
  if (service_.options->access_log != LogFormat::None) log_access(request, response, id, ns);
}

void Worker::answer(Generation& generation, http::Request& request, http::ResponseWriter& response, std::uint64_t id) {
  const auto* handler = std::get_if<canon::TypedExport<wasi::IncomingHandle>>(&generation.program->handler);
  if (!handler) return answer_reusable(generation, request, response, id);
  wasi::ServerExchange exchange(request, response, flush_list_);
  GuestStdio stdio(log_, service_.options->access_log, id);
  wasi::Context context;
  context.config = service_.config.get();
  context.stdio = &stdio;
  wasi::Answering answering(context, exchange);
  loop::TimePoint begin = loop::Clock::now();
  if (service_.options->timeout) context.deadline = begin + *service_.options->timeout;

  auto lease = generation.pool.acquire(&context);
  if (!lease) return refuse(response, id, lease.error());
  loop::TimePoint acquired = loop::Clock::now();
  metrics_.instantiation.record(since(begin, acquired));
  canon::ComponentInstance& instance = **lease;
  instance.slot().set_deadline(service_.options->timeout
                                   ? std::optional<std::int64_t>(context.deadline.time_since_epoch().count())
                                   : std::nullopt);

  Result<void> called = wasi::answer(instance, *handler, exchange);
  conclude(response, exchange, id, context, called, instance);
  loop::TimePoint concluded = loop::Clock::now();
  *lease = {}; // resets the instance
  metrics_.reset.record(since(concluded, loop::Clock::now()));
}

// A 0.3 handler may go on after its answer, and an instance may have several to give.
void Worker::answer_reusable(Generation& generation, http::Request& request, http::ResponseWriter& response,
                             std::uint64_t id) {
  loop::TimePoint begin = loop::Clock::now();
  loop::TimePoint deadline = service_.options->timeout ? begin + *service_.options->timeout : loop::kNever;
  auto begun = generation.uses.begin(generation.pool, id, deadline);
  if (!begun) return refuse(response, id, begun.error());
  std::shared_ptr<HandlerUse> use = *std::move(begun);
  metrics_.instantiation.record(since(begin, loop::Clock::now()));
  {
    wasi::ServerExchange exchange(request, response, flush_list_);
    wasi::Answering answering(use->context, exchange);
    Result<void> called = wasi::answer(*use->lease, std::get<1>(generation.program->handler), exchange);
    conclude(response, exchange, id, use->context, called, *use->lease);
    exchange.release_request_body();
  }
  loop::TimePoint concluded = loop::Clock::now();
  generation.uses.end(std::move(use), deadline); // resets the instance, if that was all
  metrics_.reset.record(since(concluded, loop::Clock::now()));
}

void Worker::refuse(http::ResponseWriter& response, std::uint64_t id, const base::Error& error) {
  log_failure(id, {}, error, error.to_string());
  bool full = error.code == base::ErrorCode::LimitExceeded;
  answer_text(response, full ? 503 : 500,
              full ? "the server is full; try again\n" : "the application could not be started\n");
}

void Worker::conclude(http::ResponseWriter& response, wasi::ServerExchange& exchange, std::uint64_t id,
                      const wasi::Context& context, const Result<void>& called,
                      const canon::ComponentInstance& instance) {
  if (!called) log_failure(id, context, called.error(), instance.trap_report());
  if (exchange.conclude()) return;
  if (called && exchange.error())
    log_failure(id, context, {}, "the guest answered with " + wasi::http_error_text(*exchange.error()));
  else if (called) log_failure(id, context, {}, "the guest returned without an answer");
  answer_text(response, 500, "the application failed\n");
}

void Worker::log_failure(std::uint64_t id, const wasi::Context& context, const base::Error& error, std::string report) {
  if (error.code == base::ErrorCode::Trap) {
    metrics_.traps.add();
    if (loop::Clock::now() >= context.deadline) metrics_.timeouts.add();
  }
  if (context.exit_code)
    report = fmt::format("the guest exited with code {} before it had answered", *context.exit_code);
  std::string text;
  if (service_.options->access_log == LogFormat::Json) {
    text = fmt::format("{{\"time\":\"{}\",\"level\":\"error\",\"instance\":{},\"message\":\"", log_time(), id);
    observe::append_json(text, report);
    text += "\"}";
  } else {
    text = fmt::format("{} error [{}] {}", log_time(), id, report);
  }
  log_.line(observe::LogStream::Err, text);
}

void Worker::log_access(const http::Request& request, const http::ResponseWriter& response, std::uint64_t id,
                        std::uint64_t ns) {
  std::string text;
  std::uint16_t status = response.status();
  double ms = static_cast<double>(ns) / 1e6;
  const char* whole = response.finished() ? "" : " broken";
  if (service_.options->access_log == LogFormat::Json) {
    text = fmt::format("{{\"time\":\"{}\",\"peer\":\"{}\",\"method\":\"", log_time(), request.peer());
    observe::append_json(text, request.method());
    text += "\",\"path\":\"";
    observe::append_json(text, request.target());
    fmt::format_to(std::back_inserter(text),
                   "\",\"status\":{},\"bytes\":{},\"duration_ms\":{:.3f},\"instance\":{},\"complete\":{}}}", status,
                   response.bytes(), ms, id, response.finished());
  } else {
    fmt::format_to(std::back_inserter(text), "{} {} \"{} {}\" {} {} {:.3f}ms [{}]{}", log_time(), request.peer(),
                   request.method(), request.target(), status, response.bytes(), ms, id, whole);
  }
  log_.line(observe::LogStream::Out, text);
}

} // namespace cusp::app
