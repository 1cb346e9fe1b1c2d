#include "app/serve.h"

#include <csignal>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/signalfd.h>

#include "app/admin.h"
#include "app/confine.h"
#include "app/worker.h"
#include "base/unique_fd.h"

namespace cusp::app {

namespace {

Result<std::shared_ptr<const Program>> make_program(std::shared_ptr<const runtime::Code> code,
                                                    const ServeOptions& options) {
  auto program = std::make_shared<Program>();
  program->code = CUSP_TRY(link_with_wasi(std::move(code), options.link));
  const canon::ComponentCode& component = *program->code;
  if (component.has_export(wasi::kHandler, "handle"))
    program->handler = CUSP_TRY(component.find_export<wasi::Handle>(wasi::kHandler, "handle"));
  else if (component.has_export(wasi::kIncomingHandler, "handle"))
    program->handler = CUSP_TRY(component.find_export<wasi::IncomingHandle>(wasi::kIncomingHandler, "handle"));
  else
    return base::fail(base::ErrorCode::NotFound, "the component exports neither wasi:http/handler (0.3) nor "
                                                 "wasi:http/incoming-handler (0.2); `cusp run` runs commands");
  return program;
}

// SIGTERM and SIGINT as something to wait for. Blocked from now on in this thread and those that it starts.
class Signals {
public:
  static Result<std::unique_ptr<Signals>> create() {
    auto signals = std::make_unique<Signals>();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, &signals->before_);
    signals->fd_ = base::UniqueFd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!signals->fd_) return base::fail_errno("create", "a signal descriptor", errno);
    return signals;
  }
  ~Signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  // REQUIRES: on a fiber of `loop`. False at the deadline.
  bool wait(loop::EventLoop& loop, loop::Event& other, loop::TimePoint deadline) {
    if (!watched_) watched_ = loop.watch(fd_.get(), readable_, unused_).has_value();
    for (;;) {
      signalfd_siginfo info;
      readable_.reset();
      if (read(fd_.get(), &info, sizeof info) == sizeof info) return true;
      loop::Event* either[] = {&readable_, &other};
      if (!loop::wait_any(either, deadline) || (other.is_set() && !readable_.is_set())) return false;
    }
  }
  void forget(loop::EventLoop& loop) {
    if (std::exchange(watched_, false)) loop.forget(fd_.get());
  }

private:
  base::UniqueFd fd_;
  sigset_t before_{};
  loop::Event readable_, unused_;
  bool watched_ = false;
};

class Serving {
public:
  // `signals` were blocked before: threads start here, and none of them may take a signal.
  Serving(const ServeOptions& options, std::unique_ptr<Signals> signals, std::unique_ptr<prepare::BetterTier> better)
      : options_(options), signals_(std::move(signals)), better_(std::move(better)), log_(1, 2), blocking_(16) {}

  Result<int> run(std::shared_ptr<const runtime::Code> code) {
    std::signal(SIGPIPE, SIG_IGN);
    CUSP_TRY(runtime::initialize());
    auto program = CUSP_TRY(make_program(std::move(code), options_));
    service_.config = CUSP_TRY(make_config(options_.grants, wasi::IoMode::Pool));
    service_.options = &options_;
    service_.log = &log_;
    service_.blocking = &blocking_;
    loop_ = CUSP_TRY(loop::EventLoop::create(&blocking_));
    CUSP_TRY(open(std::move(program)));
    if (better_) std::signal(SIGCHLD, SIG_IGN); // the process that makes it leaves nothing to wait for
    CUSP_TRY(lock_in());
    if (Result<void> started = start_workers(); !started) {
      for (auto& worker : workers_) worker->drain(loop::Clock::now());
      for (auto& worker : workers_) worker->join();
      return std::unexpected(std::move(started).error());
    }
    loop_->spawn([this] { supervise(); });
    if (better_) loop_->spawn([this] { await_better_code(); });
    loop_->run();
    return finish();
  }

private:
  Result<void> open(std::shared_ptr<const Program> program) {
    unsigned count = options_.workers ? options_.workers : std::max(1u, std::thread::hardware_concurrency());
    std::string address = options_.address;
    for (unsigned i = 0; i < count; ++i) {
      auto worker = std::make_unique<Worker>(service_, i, count);
      std::uint16_t port = CUSP_TRY(worker->listen(address, i == 0, program));
      // Port 0 means any, but the same for all.
      if (i == 0) address = options_.address.substr(0, options_.address.rfind(':')) + ":" + std::to_string(port);
      workers_.push_back(std::move(worker));
    }
    url_ = "http://" + address;
    if (options_.admin_address.empty()) return {};
    admin_page_ = std::make_unique<AdminPage>(workers_, log_);
    http::ServerOptions admin_options;
    admin_options.exclusive = true;
    admin_ = CUSP_TRY(http::Server::listen(options_.admin_address, *admin_page_, admin_options));
    return {};
  }

  Result<void> lock_in() {
    if (options_.sandbox == Sandbox::Off) return {};
    Confinement done = CUSP_TRY(confine_to(options_.grants));
    if (done.landlock && done.seccomp) return {};
    std::string missing = fmt::format("this kernel offers no {}", done.landlock ? "seccomp" : "Landlock");
    if (options_.sandbox == Sandbox::Require) return base::fail(base::ErrorCode::Unsupported, missing);
    log_.submit(observe::LogStream::Err, fmt::format("warning: {}; serving without it\n", missing));
    return {};
  }

  Result<void> start_workers() {
    running_ = static_cast<unsigned>(workers_.size());
    std::vector<std::future<Result<void>>> started;
    for (auto& worker : workers_)
      started.push_back(worker->start([this] {
        loop_->post([this] {
          if (--running_ == 0) all_ended_.set();
        });
      }));
    Result<void> first;
    for (auto& one : started) {
      Result<void> result = one.get();
      if (first && !result) first = std::move(result);
    }
    if (!first) return first;
    for (auto& worker : workers_) worker->accept();
    if (options_.listening) options_.listening(url_);
    return {};
  }

  // The main thread's fiber: waits for a signal, drains, and goes when all workers have ended or their time is up.
  void supervise() {
    if (admin_) admin_->start();
    bool asked = signals_->wait(*loop_, all_ended_, loop::kNever);
    if (asked) {
      loop::TimePoint deadline =
          loop::Clock::now() + std::chrono::duration_cast<loop::Clock::duration>(options_.drain_timeout);
      for (auto& worker : workers_) worker->drain(deadline);
      // Server::drain gives what it had to cut another second.
      bool again = signals_->wait(*loop_, all_ended_, deadline + std::chrono::seconds(2));
      if (again || !all_ended_.is_set()) {
        cut_short_ = true;
        for (auto& worker : workers_) worker->stop_now();
      }
      all_ended_.wait();
    }
    signals_->forget(*loop_);
    ending_.set();
    if (admin_) admin_->drain(loop::Clock::now());
    loop_->stop_now();
  }

  // A fiber of the main thread. Nobody waits for better code, and whatever becomes of it, serving goes on.
  void await_better_code() {
    loop::Event answered, unused;
    loop::Event* either[] = {&answered, &ending_};
    if (!loop_->watch(better_->fd(), answered, unused)) return;
    loop::wait_any(either, loop::kNever);
    loop_->forget(better_->fd());
    if (ending_.is_set()) return;
    Result<std::shared_ptr<const Program>> program = load_better();
    if (!program)
      return log_.submit(observe::LogStream::Err, fmt::format("warning: serving goes on with unoptimised code: {}\n",
                                                              program.error().to_string()));
    for (auto& worker : workers_) worker->move_to(*program);
  }

  Result<std::shared_ptr<const Program>> load_better() {
    auto artifact = CUSP_TRY(better_->take());
    return make_program(CUSP_TRY(runtime::Code::load(std::move(artifact))), options_);
  }

  Result<int> finish() {
    for (auto& worker : workers_) worker->join();
    // Fibers that were stopped in the middle still stand on what belongs to their worker: it stays until the process ends.
    if (cut_short_)
      for (auto& worker : workers_) (void)worker.release();
    return 0;
  }

  const ServeOptions& options_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<prepare::BetterTier> better_; // the code that new instances are to have, in the making
  observe::LogWriter log_;
  loop::BlockingPool blocking_;
  Service service_;
  std::unique_ptr<loop::EventLoop> loop_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<AdminPage> admin_page_;
  std::unique_ptr<http::Server> admin_;
  loop::Event all_ended_, ending_;
  unsigned running_ = 0;
  bool cut_short_ = false;
  std::string url_;
};

} // namespace

Result<int> serve(std::shared_ptr<const runtime::Code> code, const ServeOptions& options,
                  std::unique_ptr<prepare::BetterTier> better) {
  Serving serving(options, CUSP_TRY(Signals::create()), std::move(better));
  return serving.run(std::move(code));
}

} // namespace cusp::app
