// What serving and commands share: grants that the operator gives, turned into WASI's shared configuration, and components linked with WASI.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "canon/component.h"
#include "wasi/context.h"

namespace cusp::app {

using base::Result;

// A directory of the host that the guest sees under another name.
struct DirectoryGrant {
  std::string host_path, guest_path;
  bool writable = true;
};

// A bucket of wasi:keyvalue.
struct BucketGrant {
  std::string name;
  std::string file; // a SQLite database; empty: in memory, as long as the process lives
};

// What a guest may have and do.
struct Grants {
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<DirectoryGrant> directories;
  std::vector<std::string> listeners; // "host:port": TCP sockets for core modules (WASI 0.1) to accept from
  bool outgoing_http = true;
  std::string ca_file;         // certificates that outgoing https trusts besides the system's; empty: none
  wasi::NetworkPolicy network; // for sockets; nothing if not told
  std::optional<std::uint64_t> max_random_bytes; // of one call
  std::optional<std::string> initial_cwd;
  std::vector<std::pair<std::string, std::string>> configuration;
  std::vector<BucketGrant> buckets;
  std::vector<std::pair<std::string, std::string>> initial_pairs; // of the bucket `default`
};

// Opens the directories, sockets and stores. Error: Io, InvalidArgument, which name the directory or address.
Result<std::shared_ptr<const wasi::Config>> make_config(const Grants& grants, wasi::IoMode file_io);

// All of WASI 0.2 behind the component's imports. Instances need a wasi::Context as their host state.
Result<std::shared_ptr<const canon::ComponentCode>> link_with_wasi(std::shared_ptr<const runtime::Code> code,
                                                                   const canon::LinkOptions& options);

} // namespace cusp::app
