#include "app/host.h"

#include "http/server.h"
#include "wasi/linker.h"

namespace cusp::app {

Result<std::shared_ptr<const wasi::Config>> make_config(const Grants& grants, wasi::IoMode file_io) {
  auto config = std::make_shared<wasi::Config>();
  config->arguments = grants.arguments;
  config->environment = grants.environment;
  config->file_io = file_io;
  config->outgoing_http = grants.outgoing_http;
  if (grants.outgoing_http) config->tls = CUSP_TRY(http::TlsClient::create(grants.ca_file));
  config->network = grants.network;
  if (grants.max_random_bytes) config->max_random_bytes = *grants.max_random_bytes;
  config->initial_cwd = grants.initial_cwd;
  config->configuration = grants.configuration;
  for (const BucketGrant& grant : grants.buckets)
    config->buckets[grant.name] =
        grant.file.empty() ? wasi::make_memory_store() : CUSP_TRY(wasi::open_sqlite_store(grant.file));
  for (const auto& [key, value] : grants.initial_pairs) {
    auto& store = config->buckets["default"];
    if (!store) store = wasi::make_memory_store();
    auto done = store->set(key, std::span(reinterpret_cast<const std::uint8_t*>(value.data()), value.size()));
    if (!done) return base::fail(base::ErrorCode::Io, std::move(done).error().message);
  }
  for (const DirectoryGrant& grant : grants.directories) {
    auto directory = CUSP_TRY(wasi::Descriptor::open_root(grant.host_path));
    config->preopens.push_back({std::move(directory), grant.guest_path, grant.writable});
  }
  for (const std::string& address : grants.listeners)
    config->listeners.push_back(std::make_shared<const base::UniqueFd>(CUSP_TRY(http::listen_tcp(address, false))));
  return config;
}

Result<std::shared_ptr<const canon::ComponentCode>> link_with_wasi(std::shared_ptr<const runtime::Code> code,
                                                                   const canon::LinkOptions& options) {
  canon::Linker linker;
  wasi::add_to_linker(linker);
  return canon::ComponentCode::link(std::move(code), linker, options);
}

} // namespace cusp::app
