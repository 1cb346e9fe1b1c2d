// The application host: serves a component that exports an HTTP handler of WASI 0.2 or 0.3, a fresh instance for every request.
// One event loop per worker thread, each with its own listener (SO_REUSEPORT), instances and counters; nothing is shared on a request.
// The calling thread takes signals, serves the admin page and drains.
#pragma once

#include <chrono>
#include <functional>

#include "app/host.h"
#include "prepare/prepare.h"

namespace cusp::app {

enum class LogFormat : std::uint8_t { None, Text, Json };

// Whether the process gives up all rights that serving does not need (Landlock, seccomp) once everything is open.
enum class Sandbox : std::uint8_t {
  Auto,    // as far as the kernel offers it, and saying what it does not
  Require, // not at all where something is missing
  Off,
};

struct ServeOptions {
  std::string address = "127.0.0.1:8080";
  unsigned workers = 0; // 0: one per processor
  Grants grants;
  canon::LinkOptions link;                         // its limits hold for one instance
  std::optional<std::chrono::nanoseconds> timeout; // of one request, computing and waiting
  std::chrono::nanoseconds drain_timeout = std::chrono::seconds(30);
  // Instances that nobody has needed for so long are let go of, but for one per worker.
  std::chrono::nanoseconds idle_instances = std::chrono::seconds(10);
  // Of a 0.3 handler: how many requests one instance answers, and how many at a time.
  std::uint32_t instance_reuse = 1, instance_concurrency = 1;
  std::uint32_t max_concurrency = 0;      // requests at a time, all workers together; beyond: 503. 0: 4096 per worker
  LogFormat access_log = LogFormat::None; // a line per request on standard output
  Sandbox sandbox = Sandbox::Auto;
  std::string admin_address; // empty: no admin page
  // Told once, when every worker listens.
  std::function<void(const std::string& url)> listening;
};

// Serves until SIGTERM or SIGINT, then drains; a second signal ends at once. The exit code.
// Error: NotFound when the component does not export the handler; Unlinkable; Io (address, directories).
// `better`: code that new instances get as soon as it is there; no request waits for it.
Result<int> serve(std::shared_ptr<const runtime::Code> code, const ServeOptions& options,
                  std::unique_ptr<prepare::BetterTier> better = nullptr);

} // namespace cusp::app
