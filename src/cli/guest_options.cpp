#include "cli/guest_options.h"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <limits>

#include <CLI/App.hpp>
#include <fmt/format.h>

#include "cli/settings.h"
#include "cli/terminal.h"

namespace cusp::cli {

using base::ErrorCode;
using base::Result;

namespace {

std::unexpected<base::Error> bad(std::string message) {
  return base::fail(ErrorCode::InvalidArgument, std::move(message));
}

// "K=V", or "K" for the variable that this process has.
Result<std::pair<std::string, std::string>> environment_of(const std::string& text) {
  std::size_t equals = text.find('=');
  if (equals == 0 || text.empty())
    return bad(fmt::format("--env {}: write NAME=VALUE, or NAME to pass on a variable of your own", text));
  if (equals != std::string::npos) return std::pair(text.substr(0, equals), text.substr(equals + 1));
  const char* value = std::getenv(text.c_str());
  if (!value) return bad(fmt::format("--env {}: there is no such variable to pass on; write {}=VALUE", text, text));
  return std::pair(text, std::string(value));
}

// "HOST", "HOST::GUEST", "HOST::GUEST::ro".
Result<app::DirectoryGrant> directory_of(const std::string& text) {
  app::DirectoryGrant grant{text, text};
  if (std::size_t first = text.find("::"); first != std::string::npos) {
    grant.host_path = text.substr(0, first);
    grant.guest_path = text.substr(first + 2);
    if (std::size_t second = grant.guest_path.find("::"); second != std::string::npos) {
      std::string rights = grant.guest_path.substr(second + 2);
      grant.guest_path.resize(second);
      if (rights != "ro" && rights != "rw")
        return bad(fmt::format("--dir {}: the third part is ro (read-only) or rw", text));
      grant.writable = rights == "rw";
    }
  }
  if (grant.host_path.empty() || grant.guest_path.empty())
    return bad(fmt::format("--dir {}: write HOST::GUEST or HOST::GUEST::ro", text));
  return grant;
}

// "NAME=VALUE", or "@FILE" with one of them in each line, empty lines and # comments apart.
Result<void> add_configuration(app::Grants& grants, const std::string& text) {
  auto add = [&](const std::string& part) {
    std::size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0) return false;
    grants.configuration.emplace_back(part.substr(0, equals), part.substr(equals + 1));
    return true;
  };
  if (!text.starts_with('@')) {
    if (!add(text)) return bad(fmt::format("--config {}: write NAME=VALUE, or @FILE", text));
    return {};
  }
  std::ifstream file(text.substr(1));
  if (!file) return bad(fmt::format("--config {}: there is no such file to read", text));
  std::uint32_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.starts_with('#') || add(line)) continue;
    base::Error error{ErrorCode::InvalidArgument, "write NAME=VALUE", text.substr(1)};
    error.line = number;
    return std::unexpected(std::move(error));
  }
  return {};
}

// "NAME" or "NAME=FILE".
Result<app::BucketGrant> bucket_of(const std::string& text) {
  std::size_t equals = text.find('=');
  if (text.empty() || equals == 0 || equals + 1 == text.size())
    return bad(
        fmt::format("--keyvalue {}: write NAME for a bucket in memory, or NAME=FILE for one in a database", text));
  return app::BucketGrant{text.substr(0, equals), equals == std::string::npos ? "" : text.substr(equals + 1)};
}

// Wasmtime's spelling: "-S config-var=K=V".
Result<std::pair<std::string, std::string>> pair_of(std::string_view option, std::string_view value) {
  std::size_t equals = value.find('=');
  if (equals == std::string_view::npos) return bad(fmt::format("-S {}: write {}=NAME=VALUE", option, option));
  return std::pair(std::string(value.substr(0, equals)), std::string(value.substr(equals + 1)));
}

Result<std::uint32_t> small_size(std::string_view option, std::string_view value) {
  std::uint64_t size = CUSP_TRY(parse_size(value));
  if (size > std::numeric_limits<std::uint32_t>::max()) return bad(fmt::format("{}: {} is too large", option, value));
  return static_cast<std::uint32_t>(size);
}

Result<std::int64_t> count_of(std::string_view option, std::string_view value) {
  std::int64_t count = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (error != std::errc() || end != value.data() + value.size() || count < 0)
    return bad(fmt::format("{}: '{}' is not a number of operators", option, value));
  return count;
}

Result<void> set_wasm(GuestOptions& options, artifact::CompileRequest& compile, std::string_view key,
                      std::string_view value) {
  if (key == "fuel") {
    options.link.limits.fuel = CUSP_TRY(count_of("-W fuel", value));
    compile.fuel = true;
    return {};
  }
  if (CUSP_TRY(set_compiler_key(compile, key, value))) return {};
  if (key == "timeout") options.timeout = std::chrono::nanoseconds(CUSP_TRY(parse_duration(value)));
  else if (key == "max-memory-size") options.link.limits.memory_bytes = CUSP_TRY(parse_size(value));
  else if (key == "max-table-elements") options.link.limits.table_elements = CUSP_TRY(parse_size(value));
  else if (key == "max-wasm-stack") options.link.limits.stack_bytes = CUSP_TRY(small_size("-W max-wasm-stack", value));
  else if (key == "max-handles") options.link.max_handles = CUSP_TRY(small_size("-W max-handles", value));
  else if (key == "unknown-imports-default")
    options.link.default_missing = CUSP_TRY(switch_of("-W unknown-imports-default", value));
  else if (key == "unknown-imports-trap")
    options.link.trap_missing = CUSP_TRY(switch_of("-W unknown-imports-trap", value));
  else
    return bad(fmt::format("-W {}: there are timeout, fuel, max-memory-size, max-table-elements, max-wasm-stack, "
                           "max-handles, unknown-imports-default, unknown-imports-trap and {}",
                           key, kCompilerKeys));
  return {};
}

// Interfaces that Wasmtime wants switched on are always there in cusp: naming them is accepted.
Result<void> set_wasi(GuestOptions& options, std::string_view key, std::string_view value) {
  wasi::NetworkPolicy& network = options.grants.network;
  if (key == "http" || key == "outgoing-http") {
    options.grants.outgoing_http = CUSP_TRY(switch_of("-S http", value));
  } else if (key == "inherit-network") {
    if (CUSP_TRY(switch_of("-S inherit-network", value))) CUSP_TRY(network.allow("all"));
  } else if (key == "tcp") {
    if (!CUSP_TRY(switch_of("-S tcp", value))) network.forbid_tcp();
  } else if (key == "udp") {
    if (!CUSP_TRY(switch_of("-S udp", value))) network.forbid_udp();
  } else if (key == "allow-ip-name-lookup") {
    if (CUSP_TRY(switch_of("-S allow-ip-name-lookup", value))) CUSP_TRY(network.allow("lookup"));
    else network.forbid_lookup();
  } else if (key == "cwd") {
    options.grants.initial_cwd = std::string(value);
  } else if (key == "max-random-size") {
    options.grants.max_random_bytes = CUSP_TRY(parse_size(value));
  } else if (key == "config-var") {
    options.grants.configuration.push_back(CUSP_TRY(pair_of(key, value)));
  } else if (key == "keyvalue") {
    if (CUSP_TRY(switch_of("-S keyvalue", value))) options.grants.buckets.push_back({"default", ""});
  } else if (key == "keyvalue-in-memory-data") {
    options.grants.initial_pairs.push_back(CUSP_TRY(pair_of(key, value)));
  } else if (key != "cli" && key != "common" && key != "p3" && key != "network-error-code" && key != "config") {
    return bad(fmt::format("-S {}: there are http (outgoing requests: y or n), cwd, max-random-size, cli, config, "
                           "keyvalue, and of --net inherit-network, tcp, udp and allow-ip-name-lookup",
                           key));
  }
  return {};
}

} // namespace

void add_guest_options(CLI::App& command, GuestArguments& arguments) {
  command.add_option("--env", arguments.env, "NAME=VALUE for the guest, or NAME to pass on your own")
      ->allow_extra_args(false)
      ->type_name("NAME[=VALUE]");
  command
      .add_option("--dir", arguments.dirs,
                  "A directory for the guest: HOST::GUEST, HOST::GUEST::ro for reading only, or one name for both")
      ->allow_extra_args(false)
      ->type_name("HOST::GUEST");
  command
      .add_option("--net", arguments.net,
                  "What the guest may do with sockets (default: nothing): tcp:HOST:PORT and udp:HOST:PORT to reach a "
                  "peer, tcp-bind:HOST:PORT and udp-bind:HOST:PORT to be reached there, lookup:NAME for names, or all. "
                  "HOST may be *, 10.0.0.0/8, [::1], localhost, *.example.com; PORT *, 80, 8000-8099")
      ->allow_extra_args(false)
      ->type_name("RULE");
  command
      .add_option("--ca-file", arguments.ca_file, "Certificates (PEM) that outgoing https trusts besides the system's")
      ->type_name("FILE");
  command
      .add_option("--config", arguments.config,
                  "A value of wasi:config for the guest; @FILE has one NAME=VALUE in each line")
      ->allow_extra_args(false)
      ->type_name("NAME=VALUE");
  command
      .add_option("--keyvalue", arguments.keyvalue,
                  "A bucket of wasi:keyvalue, in memory or in a SQLite database; `default` is the one without a name")
      ->allow_extra_args(false)
      ->type_name("NAME[=FILE]");
  command
      .add_option("--timeout", arguments.timeout,
                  "Stop the guest after this long, waiting included: 2s, 500ms (default: never)")
      ->type_name("DURATION");
  command
      .add_option("--max-memory", arguments.max_memory,
                  "Most memory of one instance, tables included: 64MiB, 1G (default: no limit)")
      ->type_name("SIZE");
  command
      .add_option("-W,--wasm", arguments.wasm,
                  "timeout=D, fuel=N (operators to execute), max-memory-size=N, max-table-elements=N, "
                  "max-wasm-stack=N, max-handles=N, "
                  "unknown-imports-default[=y], unknown-imports-trap[=y]; " +
                      std::string(kCompilerKeys) + "; several with commas")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  command
      .add_option(
          "-S,--wasi", arguments.wasi,
          "http=n forbids outgoing requests; cwd=PATH is where the guest starts; max-random-size=N limits one "
          "call; inherit-network is --net all, of which tcp=n, udp=n and allow-ip-name-lookup=n take a part away")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
}

Result<GuestOptions> read_guest_options(const GuestArguments& arguments, artifact::CompileRequest& compile) {
  GuestOptions options;
  for (const std::string& text : arguments.env) options.grants.environment.push_back(CUSP_TRY(environment_of(text)));
  for (const std::string& text : arguments.dirs) options.grants.directories.push_back(CUSP_TRY(directory_of(text)));
  options.grants.ca_file = arguments.ca_file;
  for (const std::string& rule : arguments.net) CUSP_TRY(options.grants.network.allow(rule));
  for (const std::string& text : arguments.config) CUSP_TRY(add_configuration(options.grants, text));
  for (const std::string& text : arguments.keyvalue) options.grants.buckets.push_back(CUSP_TRY(bucket_of(text)));
  if (!arguments.timeout.empty())
    options.timeout = std::chrono::nanoseconds(CUSP_TRY(parse_duration(arguments.timeout)));
  if (!arguments.max_memory.empty()) options.link.limits.memory_bytes = CUSP_TRY(parse_size(arguments.max_memory));
  CUSP_TRY(each_setting(arguments.wasm, [&](auto key, auto value) { return set_wasm(options, compile, key, value); }));
  CUSP_TRY(each_setting(arguments.wasi, [&](auto key, auto value) { return set_wasi(options, key, value); }));
  return options;
}

} // namespace cusp::cli
