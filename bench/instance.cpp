// What an instance costs, in process: acquire, call, reset; by each way of write tracking, for guests that write more or less, for one
// that grows its memory, and for whole HTTP requests beside the same request on a kept instance and without a guest.
//   build/bench/instance [FILTER]
// Times are nanoseconds, medians and minima of many samples: on a busy machine trust the minima.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include "app/host.h"
#include "http/client.h"
#include "http/server.h"
#include "lower/module_bytes.h"
#include "prepare/prepare.h"
#include "wasi/http/server_exchange.h"
#include "wasi/http/service.h"

namespace {

using namespace cusp;
using loop::Clock;
using runtime::WriteTracking;

template <class T> T must(base::Result<T> result, const char* what) {
  if (!result) {
    fmt::print(stderr, "{}: {}\n", what, result.error().to_string());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class Samples {
public:
  void add(Clock::duration time) { all_.push_back(static_cast<double>(time.count())); }
  double median() {
    std::nth_element(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(all_.size() / 2), all_.end());
    return all_[all_.size() / 2];
  }
  double least() const { return *std::min_element(all_.begin(), all_.end()); }
  std::size_t size() const { return all_.size(); }

private:
  std::vector<double> all_;
};

void print_row(const std::string& name, Samples& samples) {
  fmt::print("{:72} median {:9.0f} ns   least {:9.0f} ns\n", name, samples.median(), samples.least());
  std::fflush(stdout);
}

struct Tracking {
  const char* name;
  WriteTracking tracking;
};
constexpr std::array kTrackings = {Tracking{"userfaultfd", WriteTracking::Userfaultfd},
                                   Tracking{"mprotect", WriteTracking::Mprotect},
                                   Tracking{"scan", WriteTracking::Scan}};

// --- small components, as bytes

// Exports run: func(), which does what `code` says in a module with a memory of 32 pages (128 at most).
test::Bytes component_of(const test::Bytes& code, const test::Bytes& locals = {}) {
  test::ModuleBytes module;
  module.memory(32, 128);
  module.export_func("f", module.func(module.type({}, {}), code, locals));
  test::Bytes out{0, 'a', 's', 'm', 0x0d, 0, 1, 0};
  auto section = [&](std::uint8_t id, const test::Bytes& content) {
    out.push_back(id), test::append(out, test::leb(content.size())), test::append(out, content);
  };
  section(1, module.bytes());
  section(2, {1, 0, 0, 0});                       // core instance 0: instantiate module 0
  section(6, {1, 0, 0, 1, 0, 1, 'f'});            // core func 0: its export "f"
  section(7, {1, 0x40, 0, 1, 0});                 // type 0: func()
  section(8, {1, 0, 0, 0, 0, 0});                 // func 0: lift core func 0 as type 0
  section(11, {1, 0, 3, 'r', 'u', 'n', 1, 0, 0}); // export "run"
  return out;
}

// Stores one byte to each of `pages` pages, beginning with page `first`.
test::Bytes write_pages(std::uint8_t pages, std::int32_t first) {
  test::Bytes code{0x41};
  test::append(code, test::sleb(first * 4096));
  test::append(code, {0x21, 0, 0x03, 0x40, 0x20, 0, 0x20, 1, 0x3a, 0, 0, 0x20, 0, 0x41});
  test::append(code, test::sleb(4096));
  test::append(code, {0x6a, 0x21, 0, 0x20, 1, 0x41, 1, 0x6a, 0x22, 1, 0x41});
  test::append(code, test::sleb(pages));
  test::append(code, {0x49, 0x0d, 0, 0x0b});
  return code;
}

test::Bytes grow_and_write(std::uint8_t pages) {
  test::Bytes code{0x41, 1, 0x40, 0, 0x1a};
  test::append(code, write_pages(pages, 32 * 16));
  return code;
}

std::shared_ptr<const runtime::Code> compile(std::span<const std::uint8_t> bytes) {
  auto compiler = must(prepare::CompilerProcess::start({}), "compiler");
  return must(runtime::Code::load(must(compiler->compile(bytes), "compile")), "load");
}

void cycle(const std::string& name, const std::shared_ptr<const runtime::Code>& code, WriteTracking tracking) {
  canon::LinkOptions options;
  options.tracking = tracking;
  auto linked = must(canon::ComponentCode::link(code, canon::Linker(), options), "link");
  auto run = must(linked->find_export<void()>("", "run"), "export");
  canon::InstancePool pool(linked);
  must(loop::EventLoop::run_one([&] {
         constexpr int kSamples = 300, kBatch = 50;
         Samples cycles, kept;
         for (int i = 0; i < kSamples + 3; ++i) {
           const auto begin = Clock::now();
           for (int n = 0; n < kBatch; ++n) {
             auto lease = must(pool.acquire(nullptr), "acquire");
             must(lease->call(run), "call");
           }
           if (i >= 3) cycles.add((Clock::now() - begin) / kBatch);
         }
         print_row(name + ", acquire + call + reset", cycles);
         Samples created, first;
         for (int i = 0; i < 100; ++i) {
           const auto begin = Clock::now();
           auto made = must(canon::ComponentInstance::create(linked), "create");
           const auto there = Clock::now();
           must(made->call(run), "call");
           created.add(there - begin), first.add(Clock::now() - there);
         }
         print_row(name + ", a new instance", created);
         print_row(name + ", its first call", first);
         if (name.find("grows") != name.npos) return; // a kept one grows until it may not
         auto lease = must(pool.acquire(nullptr), "acquire");
         for (int i = 0; i < kSamples; ++i) {
           const auto begin = Clock::now();
           for (int n = 0; n < kBatch; ++n) must(lease->call(run), "call");
           kept.add((Clock::now() - begin) / kBatch);
         }
         print_row(name + ", call alone", kept);
       }),
       "loop");
}

// --- whole requests

// Answers one way or another, and notes how long the parts took.
class Answering final : public http::Handler {
public:
  enum class Way { Native, Kept, Fresh };
  Answering(Way way, std::shared_ptr<const canon::ComponentCode> code)
      : way_(way), handle_(must(code->find_export<wasi::IncomingHandle>(wasi::kIncomingHandler, "handle"), "handler")),
        pool_(std::move(code)) {
    config_ = must(app::make_config({}, wasi::IoMode::Pool), "config");
  }

  void handle(http::Request& request, http::ResponseWriter& response) override {
    const auto begin = Clock::now();
    if (way_ == Way::Native) {
      http::Header type{"content-type", "text/plain"};
      response.start(200, std::span(&type, 1), 5);
      (void)response.write("Hello");
      (void)response.finish();
      return total.add(Clock::now() - begin);
    }
    wasi::ServerExchange exchange(request, response, flush_list_);
    wasi::Context context;
    wasi::Stdio stdio;
    context.config = config_.get();
    context.stdio = &stdio;
    wasi::Answering answering(context, exchange);
    if (!lease_) lease_ = must(pool_.acquire(&context), "acquire");
    (*lease_)->set_host(&context);
    const auto acquired = Clock::now();
    must(wasi::answer(**lease_, handle_, exchange), "handle");
    (void)exchange.conclude();
    const auto concluded = Clock::now();
    if (way_ == Way::Fresh) lease_.reset();
    const auto end = Clock::now();
    acquire.add(acquired - begin), call.add(concluded - acquired), reset.add(end - concluded), total.add(end - begin);
  }

  Samples acquire, call, reset, total;

private:
  Way way_;
  canon::TypedExport<wasi::IncomingHandle> handle_;
  canon::InstancePool pool_;
  std::optional<canon::InstancePool::Lease> lease_;
  std::shared_ptr<const wasi::Config> config_;
  wasi::FlushList flush_list_;
};

// One client on the same loop, one request after the other on one connection.
void send_requests(std::uint16_t port, unsigned count) {
  base::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  char buffer[4096];
  for (unsigned i = 0; i < count; ++i) {
    (void)!send(fd.get(), kRequest.data(), kRequest.size(), 0);
    while (recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT) <= 0) loop::Fiber::yield();
  }
}

void requests(const std::string& name, Answering::Way way, const std::shared_ptr<const runtime::Code>& code,
              WriteTracking tracking) {
  canon::LinkOptions options;
  options.tracking = tracking;
  Answering handler(way, must(app::link_with_wasi(code, options), "link"));
  loop::BlockingPool blocking(1);
  auto loop = must(loop::EventLoop::create(&blocking), "loop");
  auto server = must(http::Server::listen("127.0.0.1:0", handler, {}), "listen");
  loop->spawn([&] {
    server->start();
    send_requests(server->port(), 4000);
    server->drain(Clock::now());
    loop->stop();
  });
  loop->run();
  print_row(name + ", whole", handler.total);
  if (way == Answering::Way::Native) return;
  print_row(name + ", call with its send", handler.call);
  if (way == Answering::Way::Fresh)
    print_row(name + ", acquire", handler.acquire), print_row(name + ", reset", handler.reset);
}

std::vector<std::string> http_guests() {
  const char* shared = std::getenv("CUSP_SHARED");
  std::vector<std::string> found{CUSP_GUESTS "/hello-http.wasm"};
  for (const char* name : {"rust-hello-http.wasm", "c-hello-http.wasm"}) {
    std::string path = std::string(shared ? shared : CUSP_SOURCE_DIR "/../shared") + "/guests/http/" + name;
    if (access(path.c_str(), R_OK) == 0) found.push_back(path);
  }
  return found;
}

} // namespace

int main(int argc, char** argv) {
  const std::string filter = argc > 1 ? argv[1] : "";
  setenv("CUSP_COMPILE", CUSP_COMPILER, 0);
  must(runtime::initialize(), "initialize");
  struct Small {
    std::string name;
    test::Bytes bytes;
  };
  std::vector<Small> small{{"empty export", component_of({})}};
  for (int pages : {1, 4, 12, 32, 100})
    small.push_back({fmt::format("writes {} pages", pages),
                     component_of(write_pages(static_cast<std::uint8_t>(pages), 3), {test::kI32, test::kI32})});
  for (int pages : {1, 4, 16})
    small.push_back({fmt::format("grows by 16 pages and writes {}", pages),
                     component_of(grow_and_write(static_cast<std::uint8_t>(pages)), {test::kI32, test::kI32})});
  auto wanted = [&](const std::string& name) { return name.find(filter) != name.npos; };
  auto works = [](WriteTracking tracking) {
    return tracking != WriteTracking::Userfaultfd || runtime::host_features().userfaultfd_wp;
  };
  for (const Small& one : small) {
    std::shared_ptr<const runtime::Code> code;
    for (const auto& [tracking_name, tracking] : kTrackings) {
      const std::string name = fmt::format("{} [{}]", one.name, tracking_name);
      if (!wanted(name) || !works(tracking)) continue;
      if (!code) code = compile(one.bytes);
      cycle(name, code, tracking);
    }
  }
  for (const std::string& path : http_guests()) {
    std::shared_ptr<const runtime::Code> code;
    const std::string guest = path.substr(path.rfind('/') + 1);
    auto run = [&](const std::string& name, Answering::Way way, WriteTracking tracking) {
      if (!wanted(name) || !works(tracking)) return;
      if (!code) code = must(runtime::Code::load(must(prepare::prepare_file(path, {}), "prepare")), "load");
      requests(name, way, code, tracking);
    };
    run(guest + " without a guest", Answering::Way::Native, WriteTracking::Automatic);
    run(guest + " kept", Answering::Way::Kept, WriteTracking::Automatic);
    for (const auto& [tracking_name, tracking] : kTrackings)
      run(fmt::format("{} fresh [{}]", guest, tracking_name), Answering::Way::Fresh, tracking);
  }
  return 0;
}
