// `cusp serve`: an HTTP handler component.
#include <cstdio>
#include <memory>

#include <CLI/App.hpp>
#include <fmt/format.h>

#include "app/serve.h"
#include "cli/commands.h"
#include "cli/compile_options.h"
#include "cli/guest_options.h"
#include "cli/terminal.h"

namespace cusp::cli {

using base::Result;

namespace {

struct Arguments {
  CompileArguments compile;
  GuestArguments guest;
  std::string file, address = "127.0.0.1:8080", admin, log_format = "none", drain_timeout = "30s", sandbox = "auto";
  unsigned workers = 0;
  std::uint32_t max_concurrency = 0, reuse = 1, concurrency = 1;
};

// Also completes what of -W the compiler takes.
Result<app::ServeOptions> options_of(Arguments& arguments) {
  GuestOptions guest = CUSP_TRY(read_guest_options(arguments.guest, arguments.compile.options));
  app::ServeOptions options;
  options.address = arguments.address;
  options.workers = arguments.workers;
  options.grants = std::move(guest.grants);
  options.grants.arguments = {arguments.file};
  options.link = guest.link;
  options.timeout = guest.timeout;
  options.drain_timeout = std::chrono::nanoseconds(CUSP_TRY(parse_duration(arguments.drain_timeout)));
  options.max_concurrency = arguments.max_concurrency;
  options.instance_reuse = arguments.reuse;
  options.instance_concurrency = arguments.concurrency;
  options.access_log = arguments.log_format == "json"   ? app::LogFormat::Json
                       : arguments.log_format == "text" ? app::LogFormat::Text
                                                        : app::LogFormat::None;
  options.admin_address = arguments.admin;
  options.sandbox = arguments.sandbox == "off"       ? app::Sandbox::Off
                    : arguments.sandbox == "require" ? app::Sandbox::Require
                                                     : app::Sandbox::Auto;
  options.listening = [](const std::string& url) { fmt::print(stderr, "serving on {}\n", url); };
  return options;
}

Result<int> serve_file(const Arguments& arguments, const app::ServeOptions& options) {
  auto [artifact, better] =
      CUSP_TRY(prepare_with_progress(arguments.file, arguments.compile, prepare::Background::WhileHere));
  if (!artifact->meta().plan)
    return base::fail(base::ErrorCode::InvalidArgument,
                      "this is a core module; `cusp serve` takes components that export an HTTP handler");
  CUSP_TRY(runtime::initialize());
  return app::serve(CUSP_TRY(runtime::Code::load(std::move(artifact))), options, std::move(better));
}

int run(Arguments& arguments) {
  auto options = options_of(arguments);
  if (!options) {
    print_error(options.error());
    return kExitUsage;
  }
  auto code = serve_file(arguments, *options);
  if (code) return *code;
  base::Error error = std::move(code).error();
  if (error.file.empty()) error.file = arguments.file;
  print_error(error);
  return kExitFailure;
}

} // namespace

void add_serve(CLI::App& app, Chosen& chosen) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* serve = app.add_subcommand("serve", "Serve a component over HTTP, a fresh instance for every request");
  serve->footer(
      "APP exports wasi:http/handler (0.3) or wasi:http/incoming-handler (0.2); it is a wasm file or an artifact of\n"
      "`cusp compile`.\n"
      "SIGTERM and SIGINT stop accepting, finish what is in flight and end; a second one ends at once.\n"
      "GET /.well-known/cusp/health answers without the guest.\n"
      "A component that the store does not know is served on quickly compiled code; new instances move to the\n"
      "optimised code when a process in the background has made it (--tier says otherwise).\n"
      "Examples:\n"
      "  cusp serve app.wasm\n"
      "  cusp serve app.wasm --addr 0.0.0.0:80 --timeout 2s --max-memory 64MiB --admin 127.0.0.1:9090 "
      "--log-format json");
  serve->add_option("APP", arguments->file, "A component, or an artifact of `cusp compile`")->required();
  serve->add_option("--addr", arguments->address, "Where to listen (default 127.0.0.1:8080; port 0: any)")
      ->type_name("HOST:PORT");
  serve
      ->add_option("--workers", arguments->workers,
                   "Event loops, each on a thread of its own (default: one per processor)")
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
  serve
      ->add_option("--max-concurrency", arguments->max_concurrency,
                   "Requests at a time; beyond, 503 (default 4096 per worker)")
      ->type_name("N");
  serve
      ->add_option("--reuse", arguments->reuse,
                   "How many requests one instance of a 0.3 handler answers (default 1: a fresh one for each)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  serve->add_option("--concurrency", arguments->concurrency, "How many of them at a time (default 1)")
      ->check(CLI::PositiveNumber)
      ->type_name("M");
  serve
      ->add_option("--drain-timeout", arguments->drain_timeout,
                   "How long requests in flight may go on after SIGTERM (default 30s)")
      ->type_name("DURATION");
  serve->add_option("--log-format", arguments->log_format, "A line per request on stdout: text or json (default none)")
      ->check(CLI::IsMember({"none", "text", "json"}));
  serve->add_option("--admin", arguments->admin, "Serve /metrics (Prometheus) and /health on this address")
      ->type_name("HOST:PORT");
  serve
      ->add_option("--sandbox", arguments->sandbox,
                   "Give up all rights that serving does not need (Landlock, seccomp): auto (default), require, off")
      ->check(CLI::IsMember({"auto", "require", "off"}));
  add_guest_options(*serve, arguments->guest);
  add_compile_options(*serve, arguments->compile);
  add_tier_option(*serve, arguments->compile);
  serve->callback([arguments, &chosen] { chosen = [arguments] { return run(*arguments); }; });
}

} // namespace cusp::cli
